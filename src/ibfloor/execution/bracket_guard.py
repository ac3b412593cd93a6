"""BracketGuard: does what a lost exit of a bracket asks for. It acts through its TradeManager, gate included.

The entry is canceled if it still works. What has filled gets the lost order anew; where that is refused,
a market order; where that is refused too, a person is told. Nothing is done at once: the fill that explains
a gone exit may still be on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from ibfloor.execution.bracket_watch import BracketWatch, Loss
from ibfloor.execution.ticket import OrderTicket
from ibfloor.model.ids import ClientOrderId, InstrumentId
from ibfloor.model.instrument import Instrument
from ibfloor.model.order import Accepted, Order, OrdStatus, OrdType, Refusal, Refused, TimeInForce
from ibfloor.model.terms import OrderTerms

Later = Callable[[Callable[[], None]], None]
"""Does something a moment later, on the same thread."""


class BracketGuard:
    """The brackets of one strategy. Owner: the strategy's thread."""

    def __init__(
        self,
        submit: Callable[[OrderTicket], Accepted | Refused],
        cancel: Callable[[ClientOrderId, str], Refusal | None],
        warn: Callable[[Order, str], None],
        instruments: Callable[[InstrumentId], Instrument | None],
        later: Later,
    ) -> None:
        self._submit = submit
        self._cancel = cancel
        self._warn = warn
        self._instruments = instruments
        self._later = later
        self._watch = BracketWatch()
        self._is_coming = False
        self._is_stopped = False

    def begin(self, orders: Iterable[Order]) -> None:
        """Watch the brackets among these orders."""
        self._watch.begin(orders)
        self._look()

    def note(self, order: Order) -> None:
        """Take the newest knowledge of an order."""
        self._watch.note(order)
        self._look()

    def settle(self, cl_ord_id: ClientOrderId) -> None:
        """Expect the end of an order: it is canceled on purpose."""
        self._watch.settle(cl_ord_id)

    def stop(self) -> None:
        """Act no more: whoever ends the strategy decides of its position."""
        self._is_stopped = True
        self._watch.forget()

    def _look(self) -> None:
        if not self._is_coming and not self._is_stopped and (self._watch.losses() or self._watch.excess()):
            self._come_back()

    def _come_back(self) -> None:
        self._is_coming = True
        self._later(self._act)

    def _act(self) -> None:
        self._is_coming = False
        for loss in self._watch.losses():
            if loss.cancels_entry:
                self._cancel_entry(loss)
            else:
                self._answer(loss)
        for order in self._watch.excess():  # the broker cancels what its group covers; what was sent anew is in none
            if self._cancel(order.cl_ord_id, "the bracket is out of all it had") is None:
                self._watch.note(msgspec.structs.replace(order, status=OrdStatus.PENDING_CANCEL, is_cancel_asked=True))
            else:
                self._come_back()

    def _cancel_entry(self, loss: Loss) -> None:
        why = _what(loss)
        refusal = self._cancel(loss.entry.cl_ord_id, why)
        if refusal is None:
            self._watch.note(msgspec.structs.replace(loss.entry, status=OrdStatus.PENDING_CANCEL))
            self._warn(loss.entry, f"{why}: its entry is being canceled")
        else:
            self._warn(loss.entry, f"{why}, and its entry cannot be canceled: {refusal}")

    def _answer(self, loss: Loss) -> None:
        if loss.uncovered_qty <= 0:
            done = "the other exits work on"
        elif (instrument := self._instruments(loss.lost.instrument_id)) is None:
            self._come_back()  # after a restart the broker may not have defined the contract yet
            return
        else:
            done = self._protect(loss, instrument)
        self._watch.settle(loss.lost.cl_ord_id)
        self._warn(loss.entry, f"{_what(loss)}: {done}")

    def _protect(self, loss: Loss, instrument: Instrument) -> str:
        refused = ""
        for ticket, what in zip(
            _tickets(loss, instrument), ("sent again", "closed at the market instead"), strict=True
        ):
            answer = self._submit(ticket)
            if isinstance(answer, Accepted):
                return f"{what} for {loss.uncovered_qty:f} as {answer.cl_ord_id}"
            refused = str(answer.reason)
        return f"{loss.uncovered_qty:f} are without an exit, and none can be sent: {refused}"


def _what(loss: Loss) -> str:
    return f"{loss.lost.cl_ord_id}, an exit of {loss.entry.cl_ord_id}, is lost ({loss.text})"


def _tickets(loss: Loss, instrument: Instrument) -> tuple[OrderTicket, OrderTicket]:
    lost, terms = loss.lost, loss.lost.asks
    again = OrderTicket(
        instrument=instrument,
        side=lost.side,
        order_qty=loss.uncovered_qty,
        ord_type=lost.ord_type,
        limit_px=lost.limit_px,
        stop_px=None if lost.ord_type.is_trailing else lost.stop_px,
        time_in_force=TimeInForce.GTC if lost.ord_type.protects else lost.time_in_force,
        note=lost.note,
        terms=msgspec.structs.replace(terms, good_till_ns=None, oca=terms.oca if loss.has_siblings else None),
    )
    at_market = OrderTicket(
        instrument=instrument,
        side=lost.side,
        order_qty=loss.uncovered_qty,
        ord_type=OrdType.MARKET,
        note=lost.note,
        terms=OrderTerms(bracket=terms.bracket),
    )
    return again, at_market
