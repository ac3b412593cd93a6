"""Combinations at the gate: every leg passes every rule, all are reserved, or none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ibfloor.model.combo import combo_contract, combo_instrument, combo_terms
from ibfloor.model.fact import KillLatched
from ibfloor.model.ids import ClientOrderId, StrategyId
from ibfloor.model.instrument import Instrument, Leg, SecurityType
from ibfloor.model.margin import MarginFigure, MarginImpact
from ibfloor.model.money import USD
from ibfloor.model.order import OrderRequest, OrdStatus, OrdType, Refusal, Side, TimeInForce
from ibfloor.model.terms import Oca, OrderTerms
from ibfloor.risk.combos import check_and_reserve_combo, check_replace_combo
from ibfloor.risk.gate import PriceReference

D = Decimal


class Spread:
    """One of SPY against two of QQQ, at 100 and 40."""

    def __init__(self, facts: Any, desk: Any, *, currency: str = "USD") -> None:
        self.facts, self.desk = facts, desk
        self.spy: Instrument = facts.instrument()
        self.qqq: Instrument = facts.instrument(symbol="QQQ", instrument_id=320227571, currency=currency)
        contract = combo_contract([(self.spy.contract, 1, Side.BUY), (self.qqq.contract, 2, Side.SELL)])
        legs = [Leg(instrument=self.spy, ratio=1), Leg(instrument=self.qqq, ratio=-2)]
        self.pair = combo_instrument(contract, legs)
        self.references: list[PriceReference | None] = [PriceReference(D(px), desk.now_ns) for px in (100, 40)]

    def request(self, qty: int = 10, side: Side = Side.BUY, *, px: str | None = "20", **changes: Any) -> OrderRequest:
        kind = OrdType.MARKET if px is None else OrdType.LIMIT
        plain: OrderRequest = self.facts.request(qty=qty, side=side, px=px, ord_type=kind)
        terms = OrderTerms(combo=combo_terms(self.pair))
        return replace(plain, **{"instrument_id": self.pair.instrument_id, "terms": terms, **changes})

    def ask(self, request: OrderRequest) -> Refusal | None:
        return check_and_reserve_combo(self.desk.gate, request, self.pair, self.references, self.desk.now_ns)

    def change(self, request: OrderRequest) -> Refusal | None:
        return check_replace_combo(self.desk.gate, request, self.pair, self.references, self.desk.now_ns)

    def claims(self) -> tuple[int, ...]:
        first, second = (
            self.desk.gate.exposures.slot(StrategyId("sma"), each.instrument_id) for each in (self.spy, self.qqq)
        )
        return tuple(int(each) for each in (first.buys, first.sells, second.buys, second.sells))


@pytest.fixture
def spread(facts: Any, desk: Any) -> Spread:
    return Spread(facts, desk)


def test_every_leg_is_reserved_and_given_back_as_the_order_fills_and_ends(spread: Spread, facts: Any) -> None:
    request = spread.request()
    assert spread.ask(request) is None
    assert spread.claims() == (10, 0, 0, 20)
    spread.desk.take(
        facts.submitted(request),
        facts.reported(OrdStatus.NEW),
        facts.filled(4, exec_id="a.01"),
        facts.filled(8, "40", "b.01", side=Side.SELL, instrument_id=320227571),
    )
    assert spread.claims() == (6, 0, 0, 12)
    assert spread.change(replace(request, order_qty=D(15))) is None
    assert spread.claims() == (11, 0, 0, 22)
    spread.desk.take(facts.reported(OrdStatus.CANCELED, cum_qty=4))
    assert spread.claims() == (0, 0, 0, 0)


def test_selling_turns_the_legs(spread: Spread) -> None:
    assert spread.ask(spread.request(side=Side.SELL)) is None
    assert spread.claims() == (0, 10, 20, 0)


@pytest.mark.parametrize(
    ("changes", "rule", "said"),
    [
        ({"qty": 101}, "max_order_qty", "leg QQQ: "),
        ({"qty": 201}, "max_order_qty", "leg SPY: "),
        ({"px": "24.01"}, "collar", "through what the legs cost now, 20"),
        ({"px": "20.005"}, "combo", "grid"),
        ({"time_in_force": TimeInForce.AT_OPEN}, "combo", "auctions"),
        ({"ord_type": OrdType.STOP}, "combo", "not STP"),
        ({"order_qty": D("1.5")}, "combo", "whole numbers"),
        ({"terms": None}, "combo", "other legs"),
    ],
)
def test_what_one_leg_or_the_whole_may_not_is_refused_and_nothing_is_reserved(
    spread: Spread, changes: dict[str, Any], rule: str, said: str
) -> None:
    refusal = spread.ask(spread.request(**changes))
    assert refusal is not None
    assert (refusal.rule, said in refusal.text) == (rule, True), refusal
    assert spread.claims() == (0, 0, 0, 0)


def test_combination_that_is_unusually_large_passes_once_when_every_leg_is_confirmed(
    desk_with: Any, facts: Any
) -> None:
    spread = Spread(facts, desk_with(fat_finger_adv_pct=D(1)))
    gate = spread.desk.gate
    for number in (1, 2):
        request = spread.request(cl_ord_id=ClientOrderId(f"sma:{number}"))
        refusal = spread.ask(request)
        assert refusal is not None
        assert refusal.rule == "fat_finger"
        assert gate.confirmations.confirm(request.cl_ord_id, spread.desk.now_ns) is not None
    assert spread.ask(spread.request(cl_ord_id=ClientOrderId("sma:3"))) is None
    assert not gate.confirmations
    again = spread.ask(spread.request(cl_ord_id=ClientOrderId("sma:4")))
    assert again is not None
    assert again.rule == "fat_finger"


def test_a_group_or_a_bracket_takes_no_combination(spread: Spread) -> None:
    terms = OrderTerms(combo=combo_terms(spread.pair), oca=Oca(group="sma:1"))
    refusal = spread.ask(spread.request(terms=terms))
    assert refusal is not None
    assert "stands alone" in refusal.text


def test_legs_in_two_currencies_are_refused(facts: Any, desk: Any) -> None:
    refusal = Spread(facts, desk, currency="EUR").ask(Spread(facts, desk).request())
    assert refusal is not None
    assert "one currency, not EUR and USD" in refusal.text


def test_the_accounts_exposure_counts_all_legs_together(facts: Any, desk_with: Any) -> None:
    spread = Spread(facts, desk_with(account={"max_gross_exposure": D(1799)}))
    refusal = spread.ask(spread.request())
    assert refusal is not None
    assert (refusal.rule, refusal.asked) == ("max_gross_exposure", "1800.00")
    roomy = Spread(facts, desk_with(account={"max_gross_exposure": D(1800)}))
    assert roomy.ask(roomy.request()) is None


def test_a_lock_or_a_kill_of_one_leg_holds_the_whole(spread: Spread, facts: Any) -> None:
    gate = spread.desk.gate
    gate.lock(spread.qqq.instrument_id, "a break")
    refusal = spread.ask(spread.request())
    assert refusal is not None
    assert refusal.text.startswith("leg QQQ: the instrument is locked")
    gate.unlock(spread.qqq.instrument_id)
    request = spread.request()
    assert spread.ask(request) is None
    gate.apply(
        KillLatched(ts_event_ns=1, ts_init_ns=1, actor="ann", reason="wild", scope="instrument", target="320227571")
    )
    late = gate.recheck(request)
    assert late is not None
    assert "wild" in late.text
    again = spread.ask(replace(request, cl_ord_id="sma:2"))
    assert again is not None
    assert again.rule == "kill"


def test_a_short_leg_needs_the_permission_to_be_short(facts: Any, desk_with: Any) -> None:
    spread = Spread(facts, desk_with(allow_short=False))
    refusal = spread.ask(spread.request())
    assert refusal is not None
    assert (refusal.rule, refusal.text) == (
        "restricted",
        "leg QQQ: QQQ may not be sold short: the position could become -20",
    )
    assert spread.claims() == (0, 0, 0, 0)
    spread.desk.take(facts.filled(20, "40", "x.01", ref="sma:9", instrument_id=320227571))
    assert spread.ask(spread.request()) is None, "that many are held"


def test_a_preview_of_the_whole_serves_every_leg_as_long_as_it_is_fresh(facts: Any, desk_with: Any) -> None:
    spread = Spread(facts, desk_with(preview_above=D(500), preview_age_max_s=D(60)))
    request = spread.request()
    refusal = spread.ask(request)
    assert refusal is not None
    assert "needs a preview first" in refusal.text
    figure = MarginFigure(before=D(0), change=D(250), after=D(250))
    impact = MarginImpact(
        instrument_id=spread.pair.instrument_id,
        side=Side.BUY,
        order_qty=D(10),
        initial=figure,
        maintenance=figure,
        equity=figure,
        currency=USD,
        ts_ns=spread.desk.now_ns,
    )
    spread.desk.gate.previews.take(request.strategy, replace(impact, ts_ns=spread.desk.now_ns - 61_000_000_000))
    assert spread.ask(request) is not None, "that is too old"
    spread.desk.gate.previews.take(request.strategy, impact)
    assert spread.ask(spread.request(11)) is not None, "that was of fewer"
    assert spread.ask(request) is None


def test_an_intent_is_used_once(spread: Spread) -> None:
    assert spread.ask(spread.request()) is None
    again = spread.ask(spread.request())
    assert again is not None
    assert again.rule == "duplicate"


def test_futures_of_a_combination_trade_at_one_exchange(facts: Any) -> None:
    es = facts.instrument(SecurityType.FUTURE, "ES", instrument_id=1)
    nq = facts.instrument(SecurityType.FUTURE, "NQ", instrument_id=2)
    contract = combo_contract([(es.contract, 1, Side.BUY), (nq.contract, 1, Side.SELL)])
    here = [Leg(instrument=replace(each, exchange="CME"), ratio=1) for each in (es, nq)]
    assert combo_instrument(contract, here).exchange == "CME"
    stock = Leg(instrument=facts.instrument(), ratio=1)
    assert combo_instrument(contract, [here[0], stock]).exchange == "SMART"
