"""Bar sizes by the names IB uses: ``"5 secs"``, ``"1 min"``, ``"1 hour"``, ``"1 day"``."""

from __future__ import annotations

from ibfloor.model.moment import NS_PER_MINUTE, NS_PER_S

NS_PER_HOUR = 60 * NS_PER_MINUTE
NS_PER_DAY = 24 * NS_PER_HOUR

_UNIT_NS = {"sec": NS_PER_S, "min": NS_PER_MINUTE, "hour": NS_PER_HOUR, "day": NS_PER_DAY}
_COUNTS = {"sec": (1, 5, 10, 15, 30), "min": (1, 2, 3, 5, 10, 15, 20, 30), "hour": (1, 2, 3, 4, 8), "day": (1,)}


def _name(count: int, unit: str) -> str:
    # IB says "1 min", "1 hour", "1 day", yet "1 secs".
    return f"{count} {unit}" if count == 1 and unit != "sec" else f"{count} {unit}s"


BAR_NAMES = {count * _UNIT_NS[unit]: _name(count, unit) for unit in _UNIT_NS for count in _COUNTS[unit]}
"""Nanoseconds -> IB's name, shortest first."""

_SIZES = {name.removesuffix("s"): bar_ns for bar_ns, name in BAR_NAMES.items()}


def parse_bar_size(name: str) -> int:
    """Return a bar size in nanoseconds; the plural ``s`` may be missing or superfluous.

    Raises ``ValueError`` that lists the sizes there are.
    """
    bar_ns = _SIZES.get(" ".join(name.lower().split()).removesuffix("s"))
    if bar_ns is None:
        raise ValueError(f"there is no bar size {name!r}: use one of {', '.join(BAR_NAMES.values())}")
    return bar_ns


def bar_name(bar_ns: int) -> str:
    """Return IB's name of a bar size; raise ``ValueError`` for one IB does not have."""
    try:
        return BAR_NAMES[bar_ns]
    except KeyError:
        raise ValueError(f"there is no bar size of {bar_ns / NS_PER_S:g} s") from None
