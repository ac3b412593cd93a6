"""The points a fault can name: every request and every message of the codec."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ibfloor.model.errors import ConfigError
from ibfloor.sim.faults import Fault
from ibfloor.sim.faults.plan import CLOCK_POINTS, EVENT_POINTS, LIFE_POINTS, WHAT_IF
from ibfloor.sim.gateway.codec import responses
from ibfloor.sim.gateway.codec.orders import COMPLETED_ORDER, OPEN_ORDER
from ibfloor.sim.gateway.codec.requests import REQUESTS, START_API
from ibfloor.sim.gateway.codec.table import Block, Field, Item, Table

_MESSAGES = [*(one for one in vars(responses).values() if isinstance(one, Table)), OPEN_ORDER, COMPLETED_ORDER]
POINTS = (
    *LIFE_POINTS,
    *CLOCK_POINTS,
    *EVENT_POINTS,
    WHAT_IF,
    *sorted(f"in:{table.name}" for table in REQUESTS.values() if table is not START_API),
    *sorted(f"out:{table.name}" for table in _MESSAGES),
)
"""Every point there is."""
_TABLES = {f"in:{table.name}": table for table in REQUESTS.values()} | {
    f"out:{table.name}": table for table in _MESSAGES
}
_TABLES[WHAT_IF] = OPEN_ORDER


def check_points(fault: Fault) -> None:
    """Raise ``ConfigError`` for a fault at a point that nothing ever passes."""
    for point in (fault.when.on, fault.when.after):
        if point and point not in POINTS:
            near = difflib.get_close_matches(point, POINTS, 1)
            mend = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"fault {fault.name!r}: nothing passes {point!r}{mend}")
    if fault.when.accounts and fault.when.on in _TABLES and not _names_account(_TABLES[fault.when.on].items):
        raise ConfigError(f"fault {fault.name!r}: {fault.when.on!r} names no account; events do: 'event:filled'")


def _names_account(items: Iterable[Item]) -> bool:
    return any(
        item.name == "account" if isinstance(item, Field) else isinstance(item, Block) and _names_account(item.items)
        for item in items
    )
