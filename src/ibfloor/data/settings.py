"""What a person may set about market data."""

from __future__ import annotations

import msgspec

from ibfloor.model.moment import NS_PER_MINUTE

BASE_BAR_NS = NS_PER_MINUTE
"""Bars built for every subscribed instrument: what charts show and the recorder stores."""


class DataSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the DataManager; ``_s`` are wall seconds, ``_ns`` market nanoseconds."""

    recent_bars: int = 2_000
    """Closed bars kept in memory per instrument and size."""
    max_age_ns: int = 60 * 1_000_000_000
    """Data older than this is stale on the screen."""
    bar_close_grace_s: float = 0.02
    """How long a bar waits for late ticks when no later tick closes it. Short: ticks carry their time of arrival."""
    history_timeout_s: float = 60.0
    retry_s: float = 2.0
    """Pause before a contract is asked for again after the connection was lost."""
    rules_look_s: float = 5.0
    """Pause between two looks at which contract rules are due to be asked for again."""
    record_every_s: float = 0.2
    record_rows_max: int = 250_000
    """Ticks that wait for a slow recorder; beyond that the oldest are dropped and counted."""
    record_again_bars: int = 240
    """Bars per instrument that a recorder is told when it comes (back): it skips those it has."""
