"""An order that was handed over: whose it is, whose claim, whose fills."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ibfloor.manager.floor_state import FloorState
from ibfloor.model.fact import OrderFilled, OrderHanded
from ibfloor.model.ids import ClientOrderId, StrategyId
from ibfloor.model.money import USD
from ibfloor.model.order import OrdStatus
from ibfloor.risk.exposure import Exposures
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
