"""What every fact has."""

from __future__ import annotations

import msgspec


class Fact(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Base of all facts."""

    ts_event_ns: int
    ts_init_ns: int
