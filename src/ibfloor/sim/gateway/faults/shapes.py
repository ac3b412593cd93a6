"""Times in the shapes that IB has been seen to send them in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ibfloor.model.moment import NS_PER_S, from_datetime, to_datetime
from ibfloor.sim.gateway.clock import EXCHANGE_TIME
from ibfloor.sim.gateway.codec.kinds import Scalar, Values

_TIME = re.compile(r"(\d{8}) +(\d\d:\d\d:\d\d)(?: ([A-Za-z_]+(?:/[A-Za-z_]+)*))?")


def reshaped(values: Values, shape: str) -> Values:
    """Return a message's values with every time in them, rows included, in another shape."""
    return {name: _value(value, shape) for name, value in values.items()}


def _value(value: Scalar | Sequence[Values], shape: str) -> Scalar | Sequence[Values]:
    if isinstance(value, str):
        found = _TIME.fullmatch(value)
        return value if found is None else _text(found, shape)
    return [reshaped(row, shape) for row in value] if isinstance(value, list | tuple) else value


def _text(found: re.Match[str], shape: str) -> str:
    day, time, zone = found.groups()
    if shape == "no_zone":
        return f"{day} {time}"
    if shape == "two_spaces":
        return f"{day}  {time}"
    local = datetime.strptime(f"{day} {time}", "%Y%m%d %H:%M:%S").replace(
        tzinfo=ZoneInfo(zone) if zone else EXCHANGE_TIME
    )
    ts_ns = from_datetime(local)
    return str(ts_ns // NS_PER_S) if shape == "epoch" else f"{to_datetime(ts_ns, UTC):%Y%m%d-%H:%M:%S}"
