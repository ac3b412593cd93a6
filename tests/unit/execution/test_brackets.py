"""Brackets as a TradeManager sends them, and what it does when one of their exits is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ibfloor.execution.bracket_guard import PATIENCE, Differences
from ibfloor.execution.bracket_watch import bracket_orders
from ibfloor.execution.order_table import OrderTable
from ibfloor.execution.ticket import BracketTicket, OrderTicket
from ibfloor.execution.trade_manager import TradeManager
from ibfloor.model.errors import ConnectivityError, LedgerError
from ibfloor.model.fact import AnyFact, CancelRequested, OrderRefused, OrderRejected, OrderSubmitted, OrderWarned
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.margin import MarginImpact
from ibfloor.model.money import USD, Currency
from ibfloor.model.order import Accepted, Order, OrderRequest, OrdStatus, OrdType, Refusal, Refused, Side, TimeInForce
from ibfloor.model.terms import OcaKind

SPY = Instrument(instrument_id=InstrumentId(756733), contract=Stock("SPY"), local_symbol="SPY", currency=USD)
D = Decimal
ENTRY, PROFIT, STOP = (ClientOrderId(f"sma:{n}") for n in (1, 2, 3))


def ticket(side: Side, ord_type: OrdType, px: str | None = None, *, tif: TimeInForce = TimeInForce.DAY) -> OrderTicket:
    price = None if px is None else D(px)
    return OrderTicket(
        instrument=SPY,
        side=side,
        order_qty=D(100),
        ord_type=ord_type,
        limit_px=price if ord_type is OrdType.LIMIT else None,
        stop_px=price if ord_type is OrdType.STOP else None,
        time_in_force=tif,
    )


BRACKET = BracketTicket(
    entry=ticket(Side.BUY, OrdType.LIMIT, "99"),
    exits=(
        ticket(Side.SELL, OrdType.LIMIT, "110", tif=TimeInForce.GTC),
        ticket(Side.SELL, OrdType.STOP, "95", tif=TimeInForce.DAY),
    ),
)


class Floor:
    """Gate, journal, wire and time around a TradeManager, which a test drives by hand."""

    speed = 1.0

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.facts: list[AnyFact] = []
        self.due: list[Callable[[], None]] = []
        self.alarms: list[str] = []
        self.pages: list[str] = []
        self.looks: list[Callable[[Differences], None]] = []
        self.answers_at_once = True
        self.can_send = True
        self.refuses: Callable[[OrderRequest], bool] = lambda request: False
        self.writes = 100
        self.records = 100
        self.instrument: Instrument | None = SPY
        self._order_id = 40
        self.trade = TradeManager(
            StrategyId("sma"),
            client_id=10,
            last_intent=0,
            gate=self,
            journal=self,
            door=self,
            sink=self.facts.append,
            clock=self,
            instruments=lambda _: self.instrument,
            later=self.due.append,
            look=self.look,
            alarm=self.alarms.append,
            page=self.pages.append,
        )

    def look(self, done: Callable[[Differences], None]) -> None:
        if self.answers_at_once:
            done({})
        else:
            self.looks.append(done)

    def answer(self, **differences: int) -> None:
        found = {InstrumentId(int(key.removeprefix("c"))): D(value) for key, value in differences.items()}
        self.looks.pop(0)(found)

    def check_and_reserve(self, request: OrderRequest, instrument: Instrument) -> Refusal | None:
        return Refusal(rule="test", text="no") if self.refuses(request) else None

    def check_and_reserve_all(self, orders: Sequence[tuple[OrderRequest, Instrument]]) -> Refusal | None:
        return next((Refusal(rule="test", text="no") for request, _ in orders if self.refuses(request)), None)

    def check_replace(self, request: OrderRequest, instrument: Instrument) -> Refusal | None:
        return None

    def recheck(self, request: OrderRequest) -> Refusal | None:
        return None

    def release(self, cl_ord_id: ClientOrderId) -> None:
        self.steps.append(f"release {cl_ord_id}")

    def release_replace(self, cl_ord_id: ClientOrderId) -> None: ...

    def append(self, fact: AnyFact) -> None:
        if self.records == 0:
            raise LedgerError("disk full")
        self.records -= 1
        self.steps.append("journal")

    def next_order_id(self) -> int:
        self._order_id += 1
        return self._order_id

    def track(self, order_id: int, cl_ord_id: ClientOrderId) -> None: ...

    def submit(
        self, request: OrderRequest, instrument: Instrument, order_id: int, parent_id: int = 0, *, transmit: bool = True
    ) -> None:
        if self.writes == 0:
            raise ConnectivityError("the socket is closed")
        self.writes -= 1
        self.steps.append(f"wire {order_id} of {parent_id}{'' if transmit else ' held'}")

    async def preview(self, request: OrderRequest, instrument: Instrument, base: Currency) -> MarginImpact:
        raise ConnectivityError("brackets preview nothing")

    def replace(self, request: OrderRequest, instrument: Instrument, order_id: int) -> None: ...

    def cancel(self, order_id: int) -> None:
        self.steps.append(f"cancel {order_id}")

    def now_ns(self) -> int:
        return 5

    def wall_delay_s(self, until_ns: int) -> float:
        return 0.0

    def tell(self, cl_ord_id: ClientOrderId, status: OrdStatus, filled: int = 0, text: str = "", told: int = 0) -> None:
        order = next(
            Order(
                request=fact.request,
                status=status,
                client_id=10,
                order_id=fact.order_id,
                cum_qty=D(filled),
                told_qty=D(told),
                text=text,
            )
            for fact in self.of(OrderSubmitted)
            if fact.request.cl_ord_id == cl_ord_id
        )
        self.trade.update(order)

    def pass_time(self) -> None:
        due, self.due[:] = list(self.due), []
        for act in due:
            act()

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def send(self) -> None:
        assert all(isinstance(answer, Accepted) for answer in self.trade.submit_bracket(BRACKET))

    @property
    def new(self) -> list[OrderRequest]:
        return [fact.request for fact in self.of(OrderSubmitted)][3:]


@pytest.fixture
def floor() -> Floor:
    return Floor()


def test_all_is_journaled_before_the_first_byte_and_the_last_order_lets_all_go(floor: Floor) -> None:
    floor.send()
    assert floor.steps == ["journal"] * 3 + ["wire 41 of 0 held", "wire 42 of 41 held", "wire 43 of 41"]
    requests = [fact.request for fact in floor.of(OrderSubmitted)]
    assert [request.asks.bracket for request in requests] == ["", ENTRY, ENTRY]
    assert {request.asks.oca.kind for request in requests[1:] if request.asks.oca} == {OcaKind.REDUCE}


def test_one_refusal_refuses_all_and_nothing_is_written(floor: Floor) -> None:
    floor.refuses = lambda request: request.ord_type is OrdType.STOP
    answers = floor.trade.submit_bracket(BRACKET)
    assert all(isinstance(answer, Refused) for answer in answers)
    assert (floor.steps, len(floor.of(OrderRefused)), floor.trade.working) == ([], 3, ())


def test_full_disk_sends_nothing_of_a_bracket(floor: Floor) -> None:
    floor.records = 2
    answers = floor.trade.submit_bracket(BRACKET)
    assert all(isinstance(answer, Refused) for answer in answers)
    assert [step for step in floor.steps if step.startswith("wire")] == []
    assert [fact.cl_ord_id for fact in floor.of(OrderRejected)] == [ENTRY, PROFIT, STOP]


def test_socket_lost_between_the_legs_cancels_the_entry_that_was_written(floor: Floor) -> None:
    floor.writes = 1
    first, *others = floor.trade.submit_bracket(BRACKET)
    assert isinstance(first, Accepted)
    assert all(isinstance(answer, Refused) for answer in others)
    for key in (PROFIT, STOP):
        floor.tell(key, OrdStatus.REJECTED, text="not sent")
    floor.pass_time()
    assert floor.steps[-1] == "cancel 41"


def test_rejected_stop_cancels_the_entry_that_has_not_filled(floor: Floor) -> None:
    floor.send()
    floor.tell(STOP, OrdStatus.REJECTED, text="no stops here")
    assert floor.of(CancelRequested) == [], "not at once"
    floor.pass_time()
    (canceled,) = floor.of(CancelRequested)
    assert canceled.cl_ord_id == ENTRY
    assert "no stops here" in floor.alarms[0]
    floor.tell(ENTRY, OrdStatus.CANCELED)
    floor.pass_time()
    assert floor.new == [], "nothing has filled: nothing is to be protected"


def test_naked_fill_gets_its_stop_again_good_till_canceled(floor: Floor) -> None:
    floor.send()
    floor.tell(ENTRY, OrdStatus.FILLED, 100)
    floor.tell(STOP, OrdStatus.REJECTED)
    floor.pass_time()
    (again,) = floor.new
    assert (again.side, again.order_qty, again.ord_type, again.stop_px) == (
        Side.SELL,
        Decimal(100),
        OrdType.STOP,
        Decimal(95),
    )
    assert again.time_in_force is TimeInForce.GTC
    assert again.asks.bracket == ENTRY
    assert again.asks.oca is not None, "the take-profit still works: a fill of either reduces the other"
    assert floor.steps[-1] == "wire 44 of 0", "no child any more: its parent is done"
    assert [fact.cl_ord_id for fact in floor.of(OrderWarned)] == [ENTRY]
    floor.tell(again.cl_ord_id, OrdStatus.NEW)
    floor.pass_time()
    assert len(floor.new) == 1, "once is enough"


def test_stop_refused_again_closes_at_the_market(floor: Floor) -> None:
    floor.send()
    floor.refuses = lambda request: request.ord_type is OrdType.STOP
    floor.tell(ENTRY, OrdStatus.FILLED, 100)
    floor.tell(STOP, OrdStatus.REJECTED)
    floor.pass_time()
    assert [(request.ord_type, request.order_qty) for request in floor.new] == [(OrdType.MARKET, Decimal(100))]


def test_nothing_can_be_sent_is_an_alarm_that_says_so(floor: Floor) -> None:
    floor.send()
    floor.refuses = lambda request: True
    floor.tell(ENTRY, OrdStatus.FILLED, 100)
    floor.tell(STOP, OrdStatus.REJECTED)
    floor.pass_time()
    (alarm,) = floor.alarms
    assert "100 are without an exit" in alarm
    assert floor.pages == [alarm]


@pytest.mark.thread("NT #2245")
@pytest.mark.thread("NT #2704")
def test_entry_filled_in_part_is_canceled_and_what_filled_is_protected(floor: Floor) -> None:
    floor.send()
    floor.tell(ENTRY, OrdStatus.PARTIALLY_FILLED, 40)
    floor.tell(STOP, OrdStatus.CANCELED)
    floor.pass_time()
    assert [fact.cl_ord_id for fact in floor.of(CancelRequested)] == [ENTRY]
    floor.tell(ENTRY, OrdStatus.CANCELED, 60)
    floor.pass_time()
    assert [request.order_qty for request in floor.new] == [60]


def test_stop_that_went_because_the_take_profit_filled_is_not_lost(floor: Floor) -> None:
    floor.send()
    floor.tell(ENTRY, OrdStatus.FILLED, 100)
    floor.tell(STOP, OrdStatus.CANCELED)
    floor.tell(PROFIT, OrdStatus.FILLED, 100)
    floor.pass_time()
    assert (floor.new, floor.alarms) == ([], [])


def test_exits_that_go_with_their_entry_are_not_lost(floor: Floor) -> None:
    floor.send()
    for key in (STOP, PROFIT, ENTRY):
        floor.tell(key, OrdStatus.CANCELED)
    floor.pass_time()
    assert (floor.of(CancelRequested), floor.alarms) == ([], [])


def test_stop_canceled_by_its_strategy_stays_canceled(floor: Floor) -> None:
    floor.send()
    floor.tell(ENTRY, OrdStatus.FILLED, 100)
    assert floor.trade.cancel(STOP) is None
    floor.tell(STOP, OrdStatus.CANCELED)
    floor.pass_time()
    assert (floor.new, floor.alarms) == ([], [])


def test_lost_take_profit_is_told_and_the_stop_works_on(floor: Floor) -> None:
    floor.send()
    floor.tell(ENTRY, OrdStatus.FILLED, 100)
    floor.tell(PROFIT, OrdStatus.REJECTED)
    floor.pass_time()
    assert floor.new == []
    assert "work on" in floor.alarms[0]


def test_stop_lost_while_the_floor_was_down_is_sent_when_it_is_back(floor: Floor) -> None:
    floor.send()
    fate = {ENTRY: (OrdStatus.FILLED, 100), PROFIT: (OrdStatus.CANCELED, 0), STOP: (OrdStatus.CANCELED, 0)}
    orders = [
        Order(request=fact.request, status=fate[key][0], client_id=10, order_id=fact.order_id, cum_qty=D(fate[key][1]))
        for fact in floor.of(OrderSubmitted)
        for key in [fact.request.cl_ord_id]
    ]
    back = Floor()
    back.instrument = None
    back.trade.remember(bracket_orders(orders))
    back.pass_time()
    assert back.of(OrderSubmitted) == [], "the contract is not defined yet"
    back.instrument = SPY
    back.pass_time()
    assert [fact.request.ord_type for fact in back.of(OrderSubmitted)] == [OrdType.STOP]


def test_brackets_that_are_over_are_not_remembered(floor: Floor) -> None:
    floor.send()
    requests = [fact.request for fact in floor.of(OrderSubmitted)]
    orders = [Order(request=request, status=OrdStatus.NEW, client_id=10, order_id=1) for request in requests]
    assert len(bracket_orders(orders)) == 3
    done = [msgspec.structs.replace(order, status=OrdStatus.CANCELED) for order in orders]
    assert bracket_orders(done) == ()


def test_group_is_named_after_its_first_order(floor: Floor) -> None:
    exits = BRACKET.exits
    answers = floor.trade.submit_group(exits, OcaKind.CANCEL)
    assert [answer.cl_ord_id for answer in answers] == ["sma:1", "sma:2"]
    groups = {fact.request.asks.oca.group for fact in floor.of(OrderSubmitted) if fact.request.asks.oca}
    assert groups == {"sma:1"}
    assert floor.steps[-2:] == ["wire 41 of 0", "wire 42 of 0"], "each goes out at once"


def test_stop_canceled_on_purpose_in_an_earlier_life_is_not_sent_again(floor: Floor, facts: Any) -> None:
    floor.send()
    table = OrderTable()
    for fact in floor.of(OrderSubmitted):
        table.apply(fact)
    table.apply(facts.filled(100, "99", ref=ENTRY))
    for key in (PROFIT, STOP):
        table.apply(CancelRequested(ts_event_ns=6, ts_init_ns=6, cl_ord_id=key, reason="stop policy cancel"))
        table.apply(facts.reported(OrdStatus.CANCELED, ref=key))
    assert bracket_orders(table) == ()
    assert [table.get(key).is_cancel_asked for key in (ENTRY, STOP)] == [False, True]  # type: ignore[union-attr]


def test_stop_policy_is_not_crossed_by_a_stop_sent_again(floor: Floor) -> None:
    floor.send()
    floor.tell(ENTRY, OrdStatus.FILLED, 100)
    floor.tell(STOP, OrdStatus.REJECTED)
    floor.trade.leave_brackets()
    floor.pass_time()
    assert (floor.new, floor.alarms) == ([], [])


def test_stop_that_its_group_did_not_end_is_canceled_when_all_is_out(floor: Floor) -> None:
    floor.send()
    floor.tell(ENTRY, OrdStatus.FILLED, 100)
    floor.tell(STOP, OrdStatus.NEW)
    floor.tell(PROFIT, OrdStatus.NEW, told=100)
    floor.pass_time()
    assert floor.of(CancelRequested) == [], "no stop is canceled on hearsay"
    floor.tell(PROFIT, OrdStatus.FILLED, 100)
    assert floor.of(CancelRequested) == [], "the broker does it, if all is well"
    floor.pass_time()
    assert [fact.cl_ord_id for fact in floor.of(CancelRequested)] == [STOP]
    assert floor.new == []


def test_stop_sent_again_is_canceled_when_a_late_fill_shows_that_all_was_out(floor: Floor) -> None:
    floor.send()
    floor.tell(ENTRY, OrdStatus.FILLED, 100)
    for key in (STOP, PROFIT):
        floor.tell(key, OrdStatus.CANCELED)  # the fill that explains it is not told
    floor.pass_time()
    (again,) = floor.new
    floor.tell(again.cl_ord_id, OrdStatus.NEW)
    floor.tell(PROFIT, OrdStatus.FILLED, 100)
    floor.pass_time()
    assert [fact.cl_ord_id for fact in floor.of(CancelRequested)] == [again.cl_ord_id], "it would sell what nobody has"
    floor.tell(again.cl_ord_id, OrdStatus.CANCELED)
    floor.pass_time()
    assert len(floor.new) == 1


@pytest.fixture
def naked(floor: Floor) -> Floor:
    """What was bought has lost its stop, and nobody has looked yet why."""
    floor.answers_at_once = False
    floor.send()
    floor.tell(ENTRY, OrdStatus.FILLED, 100)
    floor.tell(PROFIT, OrdStatus.NEW)
    floor.tell(STOP, OrdStatus.CANCELED)
    floor.pass_time()
    assert (len(floor.looks), floor.new) == (1, [])
    return floor


def wait(floor: Floor, moments: int = PATIENCE) -> None:
    for _ in range(moments):
        floor.pass_time()


def test_take_profit_that_filled_unheard_is_found_before_a_stop_is_sent_again(naked: Floor) -> None:
    naked.pass_time()
    naked.tell(PROFIT, OrdStatus.FILLED, 100)
    naked.answer()
    wait(naked)
    assert (naked.new, naked.alarms, naked.looks) == ([], [], [])


def test_stop_is_sent_again_once_the_broker_was_asked_and_books_and_account_agree(naked: Floor) -> None:
    naked.answer(c1=-100)
    assert [request.ord_type for request in naked.new] == [OrdType.STOP], "another contract's difference says nothing"
    assert naked.pages == [], "it has its stop: nobody is woken"


def test_account_that_holds_less_gets_no_exit_but_a_person_is_called_once(naked: Floor) -> None:
    naked.answer(c756733=-100)
    assert naked.new == []
    (page,) = naked.pages
    assert "holds 100 less than the books" in page
    wait(naked, PATIENCE - 1)
    assert naked.looks == [], "what is in doubt is looked at now and then, not all the time"
    for _ in range(3):
        while not naked.looks:
            naked.pass_time()
        naked.answer(c756733=-100)
    wait(naked)
    assert (naked.new, len(naked.pages)) == ([], 1)
    naked.answer()
    assert [request.order_qty for request in naked.new] == [D(100)], "they agree: it was held all the time"
    wait(naked, 3 * PATIENCE)
    assert (naked.looks, len(naked.new)) == ([], 1)


def test_only_what_the_account_holds_gets_an_exit_and_the_rest_when_they_agree(naked: Floor) -> None:
    naked.answer(c756733=-40)
    assert [request.order_qty for request in naked.new] == [D(60)]
    assert len(naked.pages) == 1
    naked.tell(naked.new[0].cl_ord_id, OrdStatus.NEW)
    wait(naked)
    naked.answer()
    assert [request.order_qty for request in naked.new] == [D(60), D(40)]


def test_account_that_holds_more_is_no_reason_to_wait(naked: Floor) -> None:
    naked.answer(c756733=100)
    assert [request.order_qty for request in naked.new] == [D(100)]


def test_broker_that_cannot_be_asked_is_told_to_a_person_and_nothing_is_sent(naked: Floor) -> None:
    wait(naked, PATIENCE - 1)
    assert naked.pages == []
    wait(naked, 3 * PATIENCE)
    (page,) = naked.pages
    assert "100 may be without an exit" in page
    assert naked.new == []
    naked.answer()
    assert [request.order_qty for request in naked.new] == [D(100)], "late is better than never"


def test_exit_lost_during_a_look_waits_for_one_of_its_own(naked: Floor) -> None:
    assert isinstance(naked.trade.submit_bracket(BRACKET)[0], Accepted)
    entry, stop = (ClientOrderId(f"sma:{n}") for n in (4, 6))
    naked.tell(entry, OrdStatus.FILLED, 100)
    naked.tell(stop, OrdStatus.REJECTED)
    naked.pass_time()
    naked.answer()
    assert [request.asks.bracket for request in naked.new[3:]] == [ENTRY]
    naked.pass_time()
    naked.answer()
    assert [request.asks.bracket for request in naked.new[3:]] == [ENTRY, entry]


def test_answer_after_the_stop_policy_has_begun_sends_nothing(naked: Floor) -> None:
    naked.trade.leave_brackets()
    naked.answer()
    assert naked.new == []


def test_exit_that_the_broker_calls_filled_counts_as_out_before_its_executions_come(floor: Floor) -> None:
    floor.send()
    floor.tell(ENTRY, OrdStatus.FILLED, 100)
    floor.tell(PROFIT, OrdStatus.NEW, told=100)
    floor.tell(STOP, OrdStatus.CANCELED)
    wait(floor)
    assert (floor.new, floor.alarms) == ([], [])


def test_exit_whose_executions_never_come_stays_out_and_a_person_is_told_once(floor: Floor) -> None:
    floor.send()
    floor.tell(ENTRY, OrdStatus.FILLED, 100)
    for _ in range(2):
        floor.tell(PROFIT, OrdStatus.CANCELED, told=100)
        floor.tell(STOP, OrdStatus.CANCELED)
    wait(floor)
    assert floor.new == []
    (page,) = floor.pages
    assert "100 by the broker's word, 0 by its executions" in page


def test_exits_of_an_entry_whose_fills_were_never_told_are_left_alone(floor: Floor) -> None:
    floor.send()
    for key in (PROFIT, STOP):
        floor.tell(key, OrdStatus.NEW)
    floor.tell(ENTRY, OrdStatus.CANCELED, text="some of its executions were never told")
    floor.pass_time()
    assert floor.of(CancelRequested) == []
