"""What a TradeManager needs of the floor around it: the gate, the journal, the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ibfloor.model.fact import AnyFact
from ibfloor.model.ids import ClientOrderId
from ibfloor.model.instrument import Instrument
from ibfloor.model.margin import MarginImpact
from ibfloor.model.money import Currency
from ibfloor.model.order import OrderRequest, Refusal


class Gate(Protocol):
    """The risk gate as a strategy's thread sees it; safe from any thread."""

    def check_and_reserve(self, request: OrderRequest, instrument: Instrument) -> Refusal | None:
        """Reserve the order's worst case, or say why not."""

    def check_and_reserve_all(self, orders: Sequence[tuple[OrderRequest, Instrument]]) -> Refusal | None:
        """Reserve the worst case of orders that belong together, or of none of them and say why."""

    def check_replace(self, request: OrderRequest, instrument: Instrument) -> Refusal | None:
        """Reserve a working order's new worst case, or say why not."""

    def recheck(self, request: OrderRequest) -> Refusal | None:
        """Say why a reserved order must not go out after all: the gate was shut meanwhile."""

    def release(self, cl_ord_id: ClientOrderId) -> None:
        """Give back a reservation whose order was not sent."""

    def release_replace(self, cl_ord_id: ClientOrderId) -> None:
        """Give back what a change that was not sent would have needed."""


class IntentJournal(Protocol):
    """The worker's write-ahead journal."""

    def append(self, fact: AnyFact) -> None:
        """Put a fact on disk; raises ``LedgerError`` when it is not there."""


class OrderDoor(Protocol):
    """A strategy's way to the broker, as its TradeManager needs it; all calls on the strategy's thread.

    ``submit``, ``replace`` and ``cancel`` raise ``ConnectivityError`` when nothing was written.
    """

    @property
    def can_send(self) -> bool:
        """Tell whether an order would go out now."""

    def next_order_id(self) -> int:
        """Return an id never used before."""

    def track(self, order_id: int, cl_ord_id: ClientOrderId) -> None:
        """Remember which intent an order id carries."""

    def submit(
        self, request: OrderRequest, instrument: Instrument, order_id: int, parent_id: int = 0, *, transmit: bool = True
    ) -> None:
        """Write a new order to the wire; without ``transmit`` the broker keeps it until its family is complete."""

    def replace(self, request: OrderRequest, instrument: Instrument, order_id: int) -> None:
        """Write a change to the wire."""

    async def preview(self, request: OrderRequest, instrument: Instrument, base: Currency) -> MarginImpact:
        """Return what an order would do to the margin, which is in the base currency; nothing is placed.

        Raises ``BrokerRejected`` where the broker would refuse it, ``ConnectivityError`` where no answer came.
        """

    def cancel(self, order_id: int) -> None:
        """Write a cancel to the wire; kept and written later when there is none."""
