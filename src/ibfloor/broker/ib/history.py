"""Historical bars in IB's words: bar sizes, durations, and what comes back."""

from __future__ import annotations

from typing import Any

from ibfloor.broker.ib.times import parse_time
from ibfloor.model.errors import ConfigError
from ibfloor.model.instrument import Instrument, SecurityType
from ibfloor.model.market import Bar
from ibfloor.model.moment import NS_PER_S

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
BAR_SIZES = {
    **{n: f"{n} secs" for n in (5, 10, 15, 30)},
    1: "1 secs",
    _MINUTE: "1 min",
    **{n * _MINUTE: f"{n} mins" for n in (2, 3, 5, 10, 15, 20, 30)},
    _HOUR: "1 hour",
    **{n * _HOUR: f"{n} hours" for n in (2, 3, 4, 8)},
    _DAY: "1 day",
    7 * _DAY: "1W",
}
SMALL_BAR_NS = 30 * NS_PER_S


def bar_size(bar_ns: int) -> str:
    """Return IB's name of a bar length; raise ``ConfigError`` for one IB does not have."""
    seconds, rest = divmod(bar_ns, NS_PER_S)
    if rest or seconds not in BAR_SIZES:
        raise ConfigError(
            f"IB has no history in bars of {bar_ns / NS_PER_S:g} s: use one of {', '.join(BAR_SIZES.values())}"
        )
    return BAR_SIZES[seconds]


def duration(duration_ns: int) -> str:
    """Return IB's text for a span, rounded up: seconds to one day, days to one year, then years."""
    seconds = max(1, -(-duration_ns // NS_PER_S))
    if seconds <= _DAY:
        return f"{seconds} S"
    days = -(-seconds // _DAY)
    return f"{days} D" if days <= 365 else f"{-(-days // 365)} Y"


def what_to_show(instrument: Instrument) -> str:
    """Return the kind of prices an instrument has: trades, or midpoints where there is no tape."""
    return "MIDPOINT" if instrument.contract.security_type is SecurityType.FOREX else "TRADES"


def regular_hours_only(instrument: Instrument) -> bool:
    """Tell whether bars outside regular hours are left out: for stocks and indices."""
    return instrument.contract.security_type in (SecurityType.STOCK, SecurityType.INDEX)


def to_bar(theirs: Any, instrument: Instrument, bar_ns: int) -> Bar:
    """Return our bar; IB writes -1 where a kind of prices has no volume."""
    return Bar(
        instrument,
        parse_time(theirs.date, instrument.time_zone),
        bar_ns,
        theirs.open,
        theirs.high,
        theirs.low,
        theirs.close,
        max(0.0, theirs.volume),
        max(0, theirs.barCount),
        theirs.average if theirs.average > 0 else float("nan"),
    )
