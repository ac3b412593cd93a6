"""Until when orders for an auction are taken: minutes before it, by primary exchange.

The closing auctions: NYSE and NYSE American take on-close orders until 15:50, Nasdaq market-on-close
until 15:55 and limit-on-close until 15:58, Arca until 15:59, Cboe BZX until 15:55 and 15:59; on a
short day as long before its close. The opening auctions: Nasdaq until 9:28, Arca until 9:29, Cboe
until 9:28, NYSE up to the opening itself. These are the exchanges' published rules as of 2024, without
their exceptions for offsetting an imbalance. On all other exchanges an order is taken to the last moment.
"""

from __future__ import annotations

from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.sim.exchange.values import Auction
from ibfloor.sim.gateway.ticket_errors import TicketError, rejected
from ibfloor.sim.market.securities import Security

_CLOSE: dict[str, tuple[int, int]] = {
    "NYSE": (10, 10),
    "AMEX": (10, 10),
    "NASDAQ": (5, 2),
    "ARCA": (1, 1),
    "BATS": (5, 1),
}
"""For market and for limit orders."""
_OPEN: dict[str, int] = {"NASDAQ": 2, "ARCA": 1, "BATS": 2}


def too_late(security: Security, auction: Auction | None, order_type: str, now_ns: int) -> TicketError | None:
    """Return the refusal of an order that comes too late for its auction; ``None`` when it is in time."""
    if auction is None:
        return None
    venue = security.instrument.primary_exchange
    spans = security.session.spans(security.session.day_of(now_ns), regular=True)
    if auction is Auction.CLOSE:
        minutes = _CLOSE.get(venue, (0, 0))[order_type == "LOC"]
        at_ns, name = spans[-1][1], order_type
    else:
        minutes = _OPEN.get(venue, 0)
        at_ns, name = spans[0][0], "market-on-open" if order_type == "MKT" else "limit-on-open"
    if at_ns - minutes * NS_PER_MINUTE <= now_ns < at_ns:
        return rejected(f"It is too late to enter a {name} order for today's auction at {venue}.")
    return None
