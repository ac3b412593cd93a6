"""BracketGuard: does what a lost exit of a bracket asks for. It acts through its TradeManager, gate included.

The entry is canceled if it still works. What has filled gets the lost order anew; where that is refused,
a market order; where that is refused too, a person is told. Nothing is done at once: the fill that explains
a gone exit may still be on its way. And nothing is sold before the broker was asked again: what the account
does not hold any more gets no new exit, but a person is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import msgspec

from ibfloor.execution.bracket_watch import BracketWatch, Loss
from ibfloor.execution.ticket import OrderTicket
from ibfloor.model.ids import ClientOrderId, InstrumentId
from ibfloor.model.instrument import Instrument
from ibfloor.model.order import Accepted, Order, OrdStatus, OrdType, Refusal, Refused, TimeInForce
from ibfloor.model.terms import OrderTerms

Later = Callable[[Callable[[], None]], None]
"""Does something a moment later, on the same thread."""
Differences = Mapping[InstrumentId, Decimal]
"""By how much more the account holds than the books, where they differ; negative: less."""
Look = Callable[[Callable[[Differences], None]], None]
"""Asks the broker for everything, lets the floor take it in, then answers on the same thread."""
PATIENCE = 10
"""After so many moments without an answer a person is told; what is in doubt is looked at again as rarely."""

_ZERO = Decimal(0)


def no_differences(done: Callable[[Differences], None]) -> None:
    """Look at nothing, and find that books and account agree."""
    done({})


class BracketGuard:
    """The brackets of one strategy. Owner: the strategy's thread."""

    def __init__(
        self,
        submit: Callable[[OrderTicket], Accepted | Refused],
        cancel: Callable[[ClientOrderId, str], Refusal | None],
        warn: Callable[[Order, str, bool], None],
        instruments: Callable[[InstrumentId], Instrument | None],
        later: Later,
        look: Look,
    ) -> None:
        self._submit = submit
        self._cancel = cancel
        self._warn = warn
        self._instruments = instruments
        self._later = later
        self._look_anew = look
        self._watch = BracketWatch()
        self._asked: frozenset[ClientOrderId] | None = None
        """The lost exits that the look under way is for."""
        self._moments = 0
        """How long this look takes, or the pause before the next one at what is in doubt."""
        self._doubted: set[ClientOrderId] = set()
        """Lost exits of what the account may not hold any more."""
        self._unanswered: set[ClientOrderId] = set()
        """Lost exits of which was told that this look takes long."""
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
        if self._is_stopped:
            return
        for entry, each in self._watch.unheard():
            text = f"{each.traded_qty:f} by the broker's word, {each.cum_qty:f} by its executions: taken as out"
            self._warn(entry, f"{each.cl_ord_id}, an exit of {entry.cl_ord_id}, filled {text}", True)
        if not self._is_coming and (self._watch.losses() or self._watch.excess()):
            self._come_back()

    def _come_back(self) -> None:
        if not self._is_coming:
            self._is_coming = True
            self._later(self._act)

    def _act(self) -> None:
        self._is_coming = False
        naked = []
        for loss in self._watch.losses():
            if loss.cancels_entry:
                self._cancel_entry(loss)
            elif loss.uncovered_qty <= 0:
                self._end(loss, "the other exits work on", is_urgent=False)
            else:
                naked.append(loss)
        for order in self._watch.excess():  # the broker's group has had its moment to cancel them
            if self._cancel(order.cl_ord_id, "the bracket is out of all it had") is None:
                self._watch.note(msgspec.structs.replace(order, status=OrdStatus.PENDING_CANCEL, is_cancel_asked=True))
            else:
                self._come_back()
        if naked:
            self._ask(naked)

    def _cancel_entry(self, loss: Loss) -> None:
        why = _what(loss)
        refusal = self._cancel(loss.entry.cl_ord_id, why)
        if refusal is None:
            self._watch.note(msgspec.structs.replace(loss.entry, status=OrdStatus.PENDING_CANCEL))
            self._warn(loss.entry, f"{why}: its entry is being canceled", False)
        else:
            self._warn(loss.entry, f"{why}, and its entry cannot be canceled: {refusal}", False)

    def _ask(self, naked: list[Loss]) -> None:
        self._moments += 1
        if self._asked is not None:
            if self._moments >= PATIENCE:
                self._tell_unanswered(naked)
        elif self._moments >= PATIENCE or any(loss.lost.cl_ord_id not in self._doubted for loss in naked):
            self._moments = 0
            self._asked = asked = frozenset(loss.lost.cl_ord_id for loss in naked)
            self._look_anew(lambda differences: self._looked(asked, differences))
        self._come_back()  # to see how long it takes, or after the pause

    def _tell_unanswered(self, naked: list[Loss]) -> None:
        for loss in naked:
            if loss.lost.cl_ord_id not in self._unanswered:
                self._unanswered.add(loss.lost.cl_ord_id)
                text = f"{loss.uncovered_qty:f} may be without an exit, and the broker cannot be asked"
                self._warn(loss.entry, f"{_what(loss)}: {text}; nothing is sent before", True)

    def _looked(self, asked: frozenset[ClientOrderId], differences: Differences) -> None:
        self._asked, self._moments = None, 0
        self._unanswered.clear()
        for loss in self._watch.losses():
            if loss.lost.cl_ord_id in asked and not loss.cancels_entry and loss.uncovered_qty > 0:
                self._answer(loss, differences.get(loss.lost.instrument_id, _ZERO))
        self._look()

    def _answer(self, loss: Loss, difference: Decimal) -> None:
        instrument = self._instruments(loss.lost.instrument_id)
        if instrument is None:
            return  # after a restart the broker may not have defined the contract yet
        key, missing = loss.lost.cl_ord_id, max(-difference * loss.entry.request.side.sign, _ZERO)
        held = loss.uncovered_qty - missing
        is_sent, done = self._protect(loss, instrument, held) if held > 0 else (True, "nothing is sent")
        if not missing or not is_sent:
            self._end(loss, done, is_urgent=not is_sent)
        elif key not in self._doubted:
            self._doubted.add(key)
            text = f"the account holds {missing:f} less than the books, an exit may have filled unheard"
            self._warn(loss.entry, f"{_what(loss)}: {text}: {done} until they agree", True)

    def _end(self, loss: Loss, done: str, *, is_urgent: bool) -> None:
        self._doubted.discard(loss.lost.cl_ord_id)
        self._watch.settle(loss.lost.cl_ord_id)
        self._warn(loss.entry, f"{_what(loss)}: {done}", is_urgent)

    def _protect(self, loss: Loss, instrument: Instrument, qty: Decimal) -> tuple[bool, str]:
        refused = ""
        for ticket, what in zip(
            _tickets(loss, instrument, qty), ("sent again", "closed at the market instead"), strict=True
        ):
            answer = self._submit(ticket)
            if isinstance(answer, Accepted):
                return True, f"{what} for {qty:f} as {answer.cl_ord_id}"
            refused = str(answer.reason)
        return False, f"{loss.uncovered_qty:f} are without an exit, and none can be sent: {refused}"


def _what(loss: Loss) -> str:
    return f"{loss.lost.cl_ord_id}, an exit of {loss.entry.cl_ord_id}, is lost ({loss.text})"


def _tickets(loss: Loss, instrument: Instrument, qty: Decimal) -> tuple[OrderTicket, OrderTicket]:
    lost, terms = loss.lost, loss.lost.asks
    again = OrderTicket(
        instrument=instrument,
        side=lost.side,
        order_qty=qty,
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
        order_qty=qty,
        ord_type=OrdType.MARKET,
        note=lost.note,
        terms=OrderTerms(bracket=terms.bracket),
    )
    return again, at_market
