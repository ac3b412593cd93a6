"""An order that was handed over: whose it is, whose claim, whose fills."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.unit.unlimited import limits_but

from ibfloor.execution.order_table import OrderTable
from ibfloor.manager.floor_state import FloorState
from ibfloor.model.fact import OrderFilled, OrderHanded, ReplaceRequested
from ibfloor.model.ids import ClientOrderId, StrategyId
from ibfloor.model.money import USD
from ibfloor.model.order import OrderRequest, OrdStatus, Refused, Side
from ibfloor.risk.exposure import Exposures
from ibfloor.risk.gate import PriceReference, RiskGate
from ibfloor.risk.reservations import Reservations

GONE, HEIR = StrategyId("sma"), StrategyId("heir")
HANDED = OrderHanded(ts_event_ns=9, ts_init_ns=9, cl_ord_id=ClientOrderId("sma:1"), strategy=HEIR, reason="test")


def apply(state: FloorState, claims: Reservations, *facts: Any) -> None:
    for fact in facts:
        fact = state.attributed(fact)
        if state.is_news(fact) and (order := state.apply(fact).order) is not None:
            claims.follow(order, fact)


def test_claims_and_fills_follow_the_order_and_what_was_filled_before_stays(facts: Any) -> None:
    state, exposures = FloorState(), Exposures(USD)
    claims = Reservations(exposures)
    request = facts.request()
    apply(state, claims, facts.submitted(request), facts.reported(OrdStatus.NEW), facts.filled(30))
    assert exposures.slot(GONE, request.instrument_id).buys == 70
    apply(state, claims, HANDED)
    assert not state.is_news(HANDED)
    assert exposures.slot(GONE, request.instrument_id).buys == 0
    assert exposures.slot(HEIR, request.instrument_id).buys == 70
    apply(state, claims, facts.filled(70, exec_id="b.01"))
    assert state.books.book(GONE).positions[request.instrument_id].qty == 30
    assert state.books.book(HEIR).positions[request.instrument_id].qty == 70
    assert exposures.slot(HEIR, request.instrument_id).buys == 0


def test_correction_of_a_fill_from_before_stays_with_the_book_that_has_the_fill(facts: Any) -> None:
    state, claims = FloorState(), Reservations(Exposures(USD))
    apply(state, claims, facts.submitted(facts.request()), facts.filled(30), HANDED)
    corrected = facts.filled(20, exec_id="a.02")
    assert isinstance(corrected, OrderFilled)
    apply(state, claims, corrected)
    assert state.books.book(GONE).positions[corrected.instrument_id].qty == Decimal(20)
    assert corrected.instrument_id not in state.books.book(HEIR).positions


def test_order_of_an_heir_is_open_for_him_alone_and_meets_his_own_orders(facts: Any) -> None:
    limits = limits_but(max_open_orders=Decimal(1))
    gate, table, spy = RiskGate(limits), OrderTable(), facts.instrument()

    def ask(request: OrderRequest) -> str:
        answer = gate.check_and_reserve(request, spy, PriceReference(Decimal(100), 9), 9)
        return answer.reason.rule if isinstance(answer, Refused) else "approved"

    def take(fact: Any) -> None:
        gate.apply(fact, table.apply(fact))

    sell = facts.request(1, side=Side.SELL)
    assert ask(sell) == "approved"
    for fact in (facts.submitted(sell), facts.reported(OrdStatus.NEW), HANDED):
        take(fact)
    assert ask(facts.request(1, strategy="heir", px="99")) == "max_open_orders"
    assert ask(facts.request(2)) == "self_trade", "it is another strategy's now"
    take(facts.reported(OrdStatus.CANCELED))
    assert ask(facts.request(3)) == "approved"
    assert ask(facts.request(2, strategy="heir")) == "approved"


def test_heir_claims_what_the_order_was_asked_to_become(facts: Any) -> None:
    state, exposures = FloorState(), Exposures(USD)
    claims = Reservations(exposures)
    request = facts.request()
    bigger = ReplaceRequested(ts_event_ns=8, ts_init_ns=8, request=facts.request(qty=150))
    apply(state, claims, facts.submitted(request), facts.reported(OrdStatus.NEW), bigger, HANDED)
    assert exposures.slot(GONE, request.instrument_id).buys == 0
    assert exposures.slot(HEIR, request.instrument_id).buys == 150
