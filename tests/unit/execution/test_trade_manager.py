from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest

from ibfloor.execution.ticket import BracketTicket, OrderTicket
from ibfloor.execution.trade_manager import TradeManager
from ibfloor.model.arrival import Arrival
from ibfloor.model.errors import BrokerRejected, ConnectivityError, FloorError, LedgerError
from ibfloor.model.fact import AnyFact, CancelRequested, OrderRefused, OrderRejected, OrderSubmitted
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.margin import MarginFigure, MarginImpact
from ibfloor.model.money import USD, Currency
from ibfloor.model.order import Accepted, OrderRequest, OrdStatus, OrdType, Refusal, Refused, Side

SPY = Instrument(instrument_id=InstrumentId(756733), contract=Stock("SPY"), local_symbol="SPY", currency=USD)
TICKET = OrderTicket(instrument=SPY, side=Side.BUY, order_qty=Decimal(100), ord_type=OrdType.MARKET)


def an_impact(request: OrderRequest) -> MarginImpact:
    figure = MarginFigure(before=Decimal(0), change=Decimal(250), after=Decimal(250))
    return MarginImpact(
        instrument_id=request.instrument_id,
        side=request.side,
        order_qty=request.order_qty,
        initial=figure,
        maintenance=figure,
        equity=figure,
        currency=USD,
        ts_ns=5,
    )


class Outside:
    """The gate, the journal and the wire as the TradeManager meets them, in one list of what happened."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.facts: list[AnyFact] = []
        self.can_send = True
        self.refusal: Refusal | None = None
        self.late_refusal: Refusal | None = None
        self.is_disk_full = False
        self.is_cut = False
        self.preview_error: FloorError | None = None
        self._order_id = 40

    def check_and_reserve(self, request: OrderRequest, instrument: Instrument) -> Refusal | None:
        self.steps.append("gate")
        return self.refusal

    def check_and_reserve_all(self, orders: Sequence[tuple[OrderRequest, Instrument]]) -> Refusal | None:
        self.steps.append(f"gate {len(orders)}")
        return self.refusal

    def check_replace(self, request: OrderRequest, instrument: Instrument) -> Refusal | None:
        self.steps.append("gate")
        return self.refusal

    def recheck(self, request: OrderRequest) -> Refusal | None:
        return self.late_refusal

    def release(self, order_id: ClientOrderId) -> None:
        self.steps.append("release")

    def release_replace(self, order_id: ClientOrderId) -> None:
        self.steps.append("release change")

    def append(self, fact: AnyFact) -> None:
        if self.is_disk_full:
            raise LedgerError("disk full")
        self.steps.append("journal")

    def sink(self, fact: AnyFact) -> None:
        self.facts.append(fact)

    def next_order_id(self) -> int:
        self._order_id += 1
        return self._order_id

    def track(self, order_id: int, cl_ord_id: ClientOrderId) -> None:
        self.steps.append(f"track {order_id}")

    def submit(
        self, request: OrderRequest, instrument: Instrument, order_id: int, parent_id: int = 0, *, transmit: bool = True
    ) -> None:
        family = (f" of {parent_id}" if parent_id else "") + ("" if transmit else ", held")
        self._write(f"wire {order_id}{family}")

    async def preview(self, request: OrderRequest, instrument: Instrument, base: Currency) -> MarginImpact:
        self.steps.append(f"preview {request.cl_ord_id}")
        if self.preview_error is not None:
            raise self.preview_error
        return an_impact(request)

    def replace(self, request: OrderRequest, instrument: Instrument, order_id: int) -> None:
        self._write(f"change {order_id} to {request.order_qty}")

    def cancel(self, order_id: int) -> None:
        self._write(f"cancel {order_id}")

    def now_ns(self) -> int:
        return 5

    @property
    def speed(self) -> float:
        return 1.0

    def wall_delay_s(self, until_ns: int) -> float:
        return 0.0

    def _write(self, what: str) -> None:
        if self.is_cut:
            raise ConnectivityError("the socket is closed")
        self.steps.append(what)


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def trade(outside: Outside) -> TradeManager:
    return TradeManager(
        StrategyId("sma"),
        client_id=10,
        last_intent=6,
        gate=outside,
        journal=outside,
        door=outside,
        sink=outside.sink,
        clock=outside,
    )


def test_gate_then_journal_then_wire_in_this_order(trade: TradeManager, outside: Outside) -> None:
    assert trade.submit(TICKET) == Accepted(ClientOrderId("sma:7"))
    assert outside.steps == ["gate", "journal", "track 41", "wire 41"]
    assert [order.status for order in trade.working] == [OrdStatus.PENDING_NEW]


def test_the_queue_is_told_once_of_an_order_that_was_sent(trade: TradeManager, outside: Outside) -> None:
    trade.submit(TICKET)
    (fact,) = outside.facts
    assert isinstance(fact, OrderSubmitted)
    assert (fact.order_id, fact.client_id, fact.request.cl_ord_id) == (41, 10, "sma:7")


def test_what_the_gate_refuses_is_neither_journaled_nor_sent(trade: TradeManager, outside: Outside) -> None:
    outside.refusal = Refusal(rule="max_order_qty", text="too many")
    outcome = trade.submit(TICKET)
    assert isinstance(outcome, Refused)
    assert outcome.reason.rule == "max_order_qty"
    assert outside.steps == ["gate"]
    assert isinstance(outside.facts[0], OrderRefused)


def test_without_a_connection_nothing_is_reserved(trade: TradeManager, outside: Outside) -> None:
    outside.can_send = False
    outcome = trade.submit(TICKET)
    assert isinstance(outcome, Refused)
    assert outcome.reason.rule == "connection"
    assert outside.steps == []


def test_a_full_disk_refuses_the_order_and_gives_the_reservation_back(trade: TradeManager, outside: Outside) -> None:
    outside.is_disk_full = True
    outcome = trade.submit(TICKET)
    assert isinstance(outcome, Refused)
    assert outcome.reason.rule == "ledger"
    assert outside.steps == ["gate", "release"]
    assert trade.working == ()


def test_a_socket_that_took_nothing_ends_the_order_for_certain(trade: TradeManager, outside: Outside) -> None:
    outside.is_cut = True
    outcome = trade.submit(TICKET)
    assert isinstance(outcome, Refused)
    assert outside.steps == ["gate", "journal", "track 41", "release"]
    assert isinstance(outside.facts[-1], OrderRejected)
    assert trade.working == ()


def test_a_gate_shut_while_the_intent_was_written_down_keeps_it_from_the_wire(
    trade: TradeManager, outside: Outside
) -> None:
    outside.late_refusal = Refusal(rule="permission", text="the kill switch is latched")
    outcome = trade.submit(TICKET)
    assert isinstance(outcome, Refused)
    assert outside.steps == ["gate", "journal", "release"]
    assert [type(fact) for fact in outside.facts] == [OrderSubmitted, OrderRejected]
    assert trade.working == ()


def test_a_gate_shut_meanwhile_keeps_a_change_from_the_wire_too(trade: TradeManager, outside: Outside) -> None:
    trade.submit(TICKET)
    outside.steps.clear()
    outside.late_refusal = Refusal(rule="permission", text="the kill switch is latched")
    acknowledge(trade)
    assert trade.replace(ClientOrderId("sma:7"), SPY, order_qty=Decimal(500)) is outside.late_refusal
    assert outside.steps == ["gate", "journal", "release change"]


def test_an_intent_number_is_never_used_twice_refused_ones_included(trade: TradeManager, outside: Outside) -> None:
    outside.refusal = Refusal(rule="x", text="no")
    trade.submit(TICKET)
    outside.refusal = None
    assert trade.submit(TICKET) == Accepted(ClientOrderId("sma:8"))


def test_a_cancel_is_journaled_before_it_is_sent(trade: TradeManager, outside: Outside) -> None:
    trade.submit(TICKET)
    outside.steps.clear()
    assert trade.cancel(ClientOrderId("sma:7")) is None
    assert outside.steps == ["journal", "cancel 41"]
    assert isinstance(outside.facts[-1], CancelRequested)


def test_a_strategy_sees_its_own_cancel_and_change_at_once(trade: TradeManager) -> None:
    trade.submit(TICKET)
    trade.submit(TICKET)
    trade.cancel(ClientOrderId("sma:7"))
    acknowledge(trade)
    trade.replace(ClientOrderId("sma:8"), SPY, order_qty=Decimal(50))
    assert [order.status for order in trade.working] == [OrdStatus.PENDING_CANCEL, OrdStatus.PENDING_REPLACE]


def test_a_change_passes_the_gate_and_keeps_what_is_not_named(trade: TradeManager, outside: Outside) -> None:
    trade.submit(TICKET)
    outside.steps.clear()
    acknowledge(trade)
    assert trade.replace(ClientOrderId("sma:7"), SPY, order_qty=Decimal(50)) is None
    assert outside.steps == ["gate", "journal", "change 41 to 50"]


def test_a_change_that_was_not_sent_gives_its_reservation_back(trade: TradeManager, outside: Outside) -> None:
    trade.submit(TICKET)
    outside.steps.clear()
    outside.is_cut = True
    acknowledge(trade)
    refusal = trade.replace(ClientOrderId("sma:7"), SPY, order_qty=Decimal(500))
    assert refusal is not None
    assert refusal.rule == "connection"
    assert outside.steps[-1] == "release change"


def test_cancel_of_an_order_of_nobody_is_refused_by_name(trade: TradeManager) -> None:
    refusal = trade.cancel(ClientOrderId("other:1"))
    assert refusal is not None
    assert "other:1" in refusal.text


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (OrdStatus.PENDING_NEW, "not acknowledged yet"),
        (OrdStatus.PENDING_CANCEL, "being canceled"),
        (OrdStatus.UNKNOWN, "in doubt"),
    ],
)
def test_an_order_that_cannot_be_changed_now_says_why(
    trade: TradeManager, outside: Outside, status: OrdStatus, said: str
) -> None:
    trade.submit(TICKET)
    (order,) = trade.working
    trade.update(msgspec.structs.replace(order, status=status))
    outside.steps.clear()
    refusal = trade.replace(order.cl_ord_id, SPY, order_qty=Decimal(50))
    assert refusal is not None
    assert said in refusal.text
    assert outside.steps == [], "neither gate nor journal nor wire was troubled"


@pytest.mark.parametrize("status", [each for each in OrdStatus if not each.is_done])
def test_an_order_can_be_canceled_in_every_state_it_can_work_in(
    trade: TradeManager, outside: Outside, status: OrdStatus
) -> None:
    trade.submit(TICKET)
    (order,) = trade.working
    trade.update(msgspec.structs.replace(order, status=status))
    assert trade.cancel(order.cl_ord_id) is None
    assert outside.steps[-1] == "cancel 41"


def test_a_preview_is_neither_journaled_nor_an_order(trade: TradeManager, outside: Outside) -> None:
    answer = asyncio.run(trade.preview(TICKET, USD))
    assert answer == an_impact(TICKET.named(ClientOrderId("preview"), StrategyId("sma"), None))
    assert outside.steps == ["preview preview"], "neither gate nor journal knows of it"
    assert outside.facts == []
    assert not trade.working
    assert trade.submit(TICKET) == Accepted(ClientOrderId("sma:7")), "it used up no intent number"


@pytest.mark.parametrize(
    ("error", "rule"),
    [(BrokerRejected("IB 201: no margin"), "preview"), (ConnectivityError("no answer within 10 s"), "connection")],
)
def test_a_preview_that_fails_is_an_answer(trade: TradeManager, outside: Outside, error: FloorError, rule: str) -> None:
    outside.preview_error = error
    answer = asyncio.run(trade.preview(TICKET, USD))
    assert isinstance(answer, Refused)
    assert answer.reason.rule == rule
    assert str(error) in answer.reason.text


def acknowledge(trade: TradeManager) -> None:
    for order in trade.working:
        if order.status is OrdStatus.PENDING_NEW:
            trade.update(msgspec.structs.replace(order, status=OrdStatus.NEW))


def test_intent_is_journaled_with_what_the_market_stood_at(outside: Outside) -> None:
    arrival = Arrival(Decimal("601.245"), 4, "mid")
    trade = TradeManager(
        StrategyId("sma"),
        client_id=10,
        last_intent=0,
        gate=outside,
        journal=outside,
        door=outside,
        sink=outside.sink,
        clock=outside,
        arrival={SPY.instrument_id: arrival}.get,
    )
    trade.submit(TICKET)
    trade.submit_bracket(BracketTicket(entry=TICKET, exits=(TICKET,)))
    submitted = [fact for fact in outside.facts if isinstance(fact, OrderSubmitted)]
    assert [fact.arrival for fact in submitted] == [arrival] * 3


def test_journal_of_before_arrival_prices_can_still_be_read() -> None:
    request = TICKET.named(ClientOrderId("sma:1"), StrategyId("sma"), None)
    fact = OrderSubmitted(ts_event_ns=1, ts_init_ns=1, request=request, client_id=10, order_id=41)
    fields = msgspec.to_builtins(fact)
    assert "arrival" not in fields
    assert msgspec.convert(fields, OrderSubmitted) == fact
