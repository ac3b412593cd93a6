"""Reading a request's values, whose kinds its table has checked."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.session import Session

T = TypeVar("T")
_EIGHT_PLACES = Decimal("0.00000001")


def forget_session(subscriptions: dict[tuple[Session, int], T], session: Session) -> None:
    """Drop all subscriptions of one session."""
    for key in [key for key in subscriptions if key[0] is session]:
        del subscriptions[key]


def number_of(values: Values, name: str) -> int:
    """Return a whole number; 0 where it was left out."""
    value = values.get(name)
    return value if isinstance(value, int) else 0


def text_of(values: Values, name: str) -> str:
    """Return a text; empty where it was left out."""
    return str(values.get(name) or "")


def client_of(session: Session) -> int:
    """Return the client id of a session that has started the API."""
    assert session.client_id is not None, "requests are served after startApi only"
    return session.client_id


def eight_places(amount: Decimal) -> Decimal:
    """Return an average as IB tells it, with at most eight decimals."""
    return amount.quantize(_EIGHT_PLACES)
