"""All a strategy touches of the floor: one small Protocol, which the worker implements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from ibfloor.execution.ticket import BracketTicket, OrderTicket
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.instrument import Contract, Instrument
from ibfloor.model.margin import MarginImpact
from ibfloor.model.market import Bar
from ibfloor.model.moment import Clock
from ibfloor.model.money import Currency
from ibfloor.model.order import Accepted, Order, Refused
from ibfloor.model.terms import OcaKind
from ibfloor.risk.left import InstrumentLeft, LimitsLeft
from ibfloor.strategy.timetable import Timetable
from ibfloor.strategy.values import Offer, Position, Wanted


class StrategyLog(Protocol):
    """The strategy's log: an event in plain words, with fields (structlog's bound logger fits)."""

    def debug(self, event: str, **fields: object) -> object:
        """Log what only a programmer wants to know."""

    def info(self, event: str, **fields: object) -> object:
        """Log what happened."""

    def warning(self, event: str, **fields: object) -> object:
        """Log what a person should look at some time."""

    def error(self, event: str, **fields: object) -> object:
        """Log what a person must look at now."""


class Purse(Protocol):
    """A strategy's capital, what is left of its limits, and what things cost; no call blocks."""

    def capital(self) -> Decimal | None:
        """Return the capital allocated to the strategy, in account currency; ``None`` where none is."""

    def worth_of_one(self, contract: Contract) -> Decimal | None:
        """Return what one share or contract is worth in account currency; ``None`` where that is not known."""

    def limits(self) -> LimitsLeft:
        """Return what the strategy may still do now."""

    def limits_of(self, contract: Contract) -> InstrumentLeft | None:
        """Return what it may still do in a contract; ``None`` while the broker has not defined that."""


class Offers(Protocol):
    """Offers to the floor's other strategies; no call blocks."""

    def make(self, ticket: OrderTicket, for_s: float) -> Offer | Refused:
        """Let an offer stand for some market seconds."""

    def withdraw(self, offer_id: ClientOrderId) -> None:
        """Take an offer back."""


class StrategyContext(Protocol):
    """The floor as one strategy sees it; every call is made on the strategy's thread, none blocks."""

    @property
    def strategy(self) -> StrategyId:
        """The strategy's name."""

    @property
    def clock(self) -> Clock:
        """Market time."""

    @property
    def log(self) -> StrategyLog:
        """Where the strategy's log lines go."""

    @property
    def is_warming(self) -> bool:
        """Tell whether the bar in hand comes from history: orders are refused meanwhile."""

    @property
    def restarts(self) -> int:
        """How often supervision has restarted the strategy after errors since a person started it."""

    def instrument(self, which: Contract | InstrumentId) -> Instrument | None:
        """Return the broker's definition; ``None`` while it is not known yet."""

    def position(self, contract: Contract) -> Position:
        """Return the strategy's own position."""

    def orders(self) -> Sequence[Order]:
        """Return the strategy's own orders that may still fill."""

    def equity(self) -> Decimal | None:
        """Return cash and positions in account currency; ``None`` while a mark or rate is missing."""

    def cash(self) -> Mapping[Currency, Decimal]:
        """Return the strategy's own cash."""

    @property
    def purse(self) -> Purse:
        """What the strategy sizes its orders by."""

    @property
    def offers(self) -> Offers:
        """Where the strategy offers to trade with others."""

    def submit(self, ticket: OrderTicket) -> Accepted | Refused:
        """Gate, journal and send an order."""

    async def preview(self, ticket: OrderTicket) -> MarginImpact | Refused:
        """Return what an order would do to the margin; nothing is placed."""

    def submit_bracket(self, ticket: BracketTicket) -> tuple[Accepted | Refused, ...]:
        """Gate, journal and send an entry with its exits: all of them, or none."""

    def submit_group(self, tickets: Sequence[OrderTicket], kind: OcaKind) -> tuple[Accepted | Refused, ...]:
        """Gate, journal and send orders of which one fill ends or reduces the rest: all of them, or none."""

    def cancel(self, cl_ord_id: ClientOrderId) -> Accepted | Refused:
        """Journal and send a cancel."""

    def replace(
        self, cl_ord_id: ClientOrderId, *, qty: Decimal, limit_px: Decimal | None, stop_px: Decimal | None
    ) -> Accepted | Refused:
        """Gate, journal and send a change; ``qty`` is the whole order's new quantity."""

    def subscribe(self, wanted: Wanted) -> None:
        """Have market data delivered to the strategy's handlers; twice the same is once.

        Raises ``ValueError`` for a bar size there is not.
        """

    async def history(self, contract: Contract, *, bar: str, count: int) -> list[Bar]:
        """Return the last closed bars, oldest first; raise ``BrokerRejected`` with the broker's text."""

    def set_timer(self, name: str, timetable: Timetable) -> None:
        """Call ``on_timer(name)`` by a timetable, in place of any timer of this name (see ``Timers``)."""
