"""Each rule, one by one."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ibfloor.model.fact import KillLatched, KillReset
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.kill import ACCOUNT
from ibfloor.model.money import Currency
from ibfloor.model.order import OrdType, Refused, Side
from ibfloor.risk.gate import Approved, PriceReference

D = Decimal
SPY = InstrumentId(756733)
SMA = StrategyId("sma")
MARKET = {"ord_type": OrdType.MARKET, "px": None}


def rule_of(answer: Approved | Refused) -> str:
    return answer.reason.rule if isinstance(answer, Refused) else "approved"


def test_approval_records_the_version_of_the_limits(desk: Any, facts: Any) -> None:
    assert desk.ask(facts.request()) == Approved(facts.request(), 3)


def test_refusal_tells_the_limit_and_what_was_asked(desk: Any, facts: Any) -> None:
    answer = desk.ask(facts.request(qty=201))
    assert (answer.cl_ord_id, answer.reason.rule) == ("sma:1", "max_order_qty")
    assert (answer.reason.limit, answer.reason.asked) == ("200", "201")


def test_notional_counts_multiplier_rate_and_the_higher_of_limit_and_market(desk: Any, facts: Any) -> None:
    eur = facts.instrument(multiplier="2", currency="EUR")
    assert rule_of(desk.ask(facts.request(qty=100), eur)) == "max_order_notional", "no rate for EUR"
    desk.gate.set_rates({Currency("EUR"): D("1.25")})
    assert rule_of(desk.ask(facts.request(qty=100), eur)) == "approved"
    assert rule_of(desk.ask(facts.request(2, qty=101), eur)) == "max_order_notional"
    desk.reference = PriceReference(D(104), desk.now_ns)
    assert rule_of(desk.ask(facts.request(3, qty=100, side=Side.SELL), eur)) == "max_order_notional"


@pytest.mark.parametrize("ord_type", [OrdType.MARKET, OrdType.LIMIT, OrdType.STOP])
def test_no_price_is_a_refusal(desk: Any, facts: Any, ord_type: OrdType) -> None:
    desk.reference = None
    px = None if ord_type is OrdType.MARKET else "100"
    assert rule_of(desk.ask(facts.request(ord_type=ord_type, px=px))) != "approved"


@pytest.mark.parametrize("ord_type", [OrdType.MARKET, OrdType.LIMIT, OrdType.STOP])
def test_no_price_is_a_refusal_even_with_every_value_limit_off(
    desk_with: Callable[..., Any], facts: Any, ord_type: OrdType
) -> None:
    desk = desk_with(max_order_notional=None, max_position_notional=None, account={"max_gross_exposure": None})
    desk.reference = None
    px = None if ord_type is OrdType.MARKET else "100"
    assert rule_of(desk.ask(facts.request(ord_type=ord_type, px=px))) == "collar"


@pytest.mark.parametrize(
    ("side", "ord_type", "px", "expected"),
    [
        (Side.BUY, OrdType.LIMIT, "105", "approved"),
        (Side.BUY, OrdType.LIMIT, "105.01", "collar"),
        (Side.BUY, OrdType.LIMIT, "50", "approved"),
        (Side.SELL, OrdType.LIMIT, "95", "approved"),
        (Side.SELL, OrdType.LIMIT, "94.99", "collar"),
        (Side.SELL, OrdType.LIMIT, "150", "approved"),
        (Side.SELL, OrdType.STOP, "80", "approved"),
        (Side.SELL, OrdType.STOP, "105.01", "collar"),
        (Side.BUY, OrdType.STOP, "120", "approved"),
        (Side.BUY, OrdType.STOP, "94.99", "collar"),
    ],
)
def test_collar_refuses_prices_far_through_the_market(
    desk: Any, facts: Any, side: Side, ord_type: OrdType, px: str, expected: str
) -> None:
    assert rule_of(desk.ask(facts.request(qty=10, side=side, ord_type=ord_type, px=px))) == expected


def test_market_order_needs_a_fresh_price_unless_it_only_reduces(desk: Any, facts: Any) -> None:
    desk.take(facts.filled(50))
    desk.now_ns += 2_000_000_001
    assert rule_of(desk.ask(facts.request(1, 10, **MARKET))) == "collar"
    assert rule_of(desk.ask(facts.request(2, 51, Side.SELL, **MARKET))) == "collar", "it would flip"
    assert rule_of(desk.ask(facts.request(3, 50, Side.SELL, **MARKET))) == "approved"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"order_qty": D(0)}, "quantity"),
        ({"order_qty": D("NaN")}, "quantity"),
        ({"order_qty": D("-5")}, "quantity"),
        ({"limit_px": None}, "do not fit"),
        ({"stop_px": D(1)}, "do not fit"),
        ({"limit_px": D(0)}, "above zero"),
        ({"limit_px": D("Infinity")}, "above zero"),
        ({"limit_px": D("100.005")}, "grid"),
        ({"instrument_id": InstrumentId(1)}, "another instrument"),
    ],
)
def test_nonsense_is_refused_with_the_reason(desk: Any, facts: Any, change: dict[str, Any], words: str) -> None:
    answer = desk.ask(replace(facts.request(), **change))
    assert rule_of(answer) == "shape"
    assert words in answer.reason.text


def test_intent_is_an_order_once_even_after_it_was_released(desk: Any, facts: Any) -> None:
    desk.ask(facts.request())
    desk.gate.release(facts.request().cl_ord_id)
    assert rule_of(desk.ask(facts.request())) == "duplicate"
    assert rule_of(desk.ask(facts.request(strategy="pair"))) == "approved"


def test_refused_intent_may_not_come_again_once_journaled(desk: Any, facts: Any) -> None:
    desk.take(facts.submitted(facts.request(4)), facts.reported("CANCELED", ref="sma:4"))
    assert rule_of(desk.ask(facts.request(4))) == "duplicate", "replayed from the ledger"


def test_position_counts_everything_working_on_the_side(desk: Any, facts: Any) -> None:
    desk.take(facts.filled(50, ref="sma:900"))
    assert rule_of(desk.send(facts.request(1, 200))) == "approved"
    assert rule_of(desk.send(facts.request(2, 51))) == "max_position"
    assert rule_of(desk.send(facts.request(3, 200, Side.SELL))) == "approved", "the other side has its own worst case"
    assert rule_of(desk.send(facts.request(4, 50))) == "approved"
    assert rule_of(desk.send(facts.request(5, 151, Side.SELL))) == "max_position"


def test_position_of_all_strategies_together_has_its_own_limit(desk_with: Callable[..., Any], facts: Any) -> None:
    desk = desk_with(max_account_position_qty=D(250))
    assert rule_of(desk.send(facts.request(1, 200))) == "approved"
    assert rule_of(desk.send(facts.request(1, 51, strategy="pair"))) == "max_position"
    assert rule_of(desk.send(facts.request(2, 50, strategy="pair"))) == "approved"


def test_position_value_has_a_limit(desk_with: Callable[..., Any], facts: Any) -> None:
    desk = desk_with(max_position_notional=D(15_000))
    assert rule_of(desk.send(facts.request(1, 100))) == "approved"
    assert rule_of(desk.send(facts.request(2, 51))) == "max_position"


def test_gross_exposure_adds_up_over_strategies_and_instruments(desk_with: Callable[..., Any], facts: Any) -> None:
    desk = desk_with(account={"max_gross_exposure": D(30_000)})
    other = facts.instrument(instrument_id=2)
    assert rule_of(desk.send(facts.request(1, 200))) == "approved"
    assert rule_of(desk.ask(facts.request(1, 101, Side.SELL, strategy="pair", instrument_id=2), other)) == (
        "max_gross_exposure"
    )
    assert rule_of(desk.ask(facts.request(2, 100, Side.SELL, strategy="pair", instrument_id=2), other)) == "approved"


def test_holding_of_unknown_worth_shuts_entries_not_exits(desk: Any, facts: Any) -> None:
    euros = replace(
        facts.moved(10, "100", strategy="UNASSIGNED"), instrument_id=InstrumentId(9), currency=Currency("EUR")
    )
    desk.take(facts.filled(50), euros)
    answer = desk.ask(facts.request(1, 10))
    assert rule_of(answer) == "max_gross_exposure"
    assert "9" in answer.reason.text
    assert rule_of(desk.ask(facts.request(2, 10, Side.SELL))) == "approved"
    desk.gate.set_rates({Currency("EUR"): D("1.1")})
    assert rule_of(desk.ask(facts.request(3, 10))) == "approved"


def test_rate_lets_the_burst_through_and_then_the_rate(desk_with: Callable[..., Any], facts: Any) -> None:
    desk = desk_with(order_rate_per_s=D(2), order_burst=D(3))
    answers = [rule_of(desk.ask(facts.request(number, 1))) for number in range(1, 5)]
    assert answers == ["approved"] * 3 + ["order_rate"]
    assert rule_of(desk.ask(facts.request(1, 1, strategy="pair"))) == "approved", "each strategy has its own"
    desk.now_ns += 500_000_000
    assert [rule_of(desk.ask(facts.request(number, 1))) for number in (5, 6)] == ["approved", "order_rate"]


def test_account_has_a_rate_of_its_own(desk_with: Callable[..., Any], facts: Any) -> None:
    desk = desk_with(account={"order_rate_per_s": D(1), "order_burst": D(1)})
    assert rule_of(desk.ask(facts.request(1, 1))) == "approved"
    assert rule_of(desk.ask(facts.request(1, 1, strategy="pair"))) == "order_rate"


def test_gate_is_shut_until_every_hold_is_lifted(desk: Any, facts: Any) -> None:
    desk.gate.block("start", "not reconciled")
    desk.gate.block("session", "connection lost")
    assert "not reconciled; connection lost" in desk.ask(facts.request()).reason.text
    desk.gate.unblock("start")
    assert rule_of(desk.ask(facts.request())) == "permission"
    desk.gate.unblock("session")
    assert rule_of(desk.ask(facts.request())) == "approved"


def test_paused_strategy_is_refused_and_the_others_are_not(desk: Any, facts: Any) -> None:
    desk.gate.pause(SMA)
    assert rule_of(desk.ask(facts.request())) == "permission"
    assert rule_of(desk.ask(facts.request(strategy="pair"))) == "approved"
    desk.gate.resume(SMA)
    assert rule_of(desk.ask(facts.request())) == "approved"


def test_break_locks_entries_of_its_instrument_alone(desk: Any, facts: Any) -> None:
    desk.take(facts.filled(50))
    desk.gate.lock(SPY, "books hold 50, the account 60")
    assert rule_of(desk.ask(facts.request(1, 1))) == "lock"
    assert rule_of(desk.ask(facts.request(2, 51, Side.SELL))) == "lock", "it would flip"
    assert rule_of(desk.ask(facts.request(3, 30, Side.SELL))) == "approved"
    assert rule_of(desk.ask(facts.request(4, 21, Side.SELL))) == "lock", "both exits together would flip"
    assert rule_of(desk.ask(facts.request(5, 1, instrument_id=2), facts.instrument(instrument_id=2))) == "approved"
    desk.gate.unlock(SPY)
    assert rule_of(desk.ask(facts.request(6, 1))) == "approved"


def test_only_reducing_orders_pass_while_the_floor_reduces(desk: Any, facts: Any) -> None:
    desk.take(facts.filled(50, side=Side.SELL))
    desk.gate.permissions.reducing["drawdown"] = "drawdown above 5 %"
    assert rule_of(desk.ask(facts.request(1, 1, Side.SELL))) == "reducing"
    assert rule_of(desk.ask(facts.request(2, 50))) == "approved"


def test_kill_switch_refuses_all_and_exits_only_when_told(desk: Any, facts: Any) -> None:
    desk.take(facts.filled(50))
    desk.take(KillLatched(ts_event_ns=1, ts_init_ns=1, actor="ann", reason="runaway"))
    desk.take(KillLatched(ts_event_ns=2, ts_init_ns=2, actor="bob", reason="me too"))
    answer = desk.ask(facts.request(1, 10, Side.SELL))
    assert (rule_of(answer), "ann: runaway" in answer.reason.text) == ("kill", True)
    desk.gate.permissions.closing.add(ACCOUNT)
    assert rule_of(desk.ask(facts.request(2, 10))) == "kill"
    assert rule_of(desk.ask(facts.request(3, 10, Side.SELL))) == "approved"
    desk.take(KillReset(ts_event_ns=3, ts_init_ns=3, actor="ann", reason="mended"))
    assert rule_of(desk.ask(facts.request(4, 10))) == "approved"


def test_usage_shows_limits_use_and_refusals(desk: Any, facts: Any) -> None:
    desk.send(facts.request(1, 150))
    desk.send(facts.request(2, 201))
    rows = {row.rule: row for row in desk.gate.usage(desk.now_ns)}
    assert (rows["max_order_qty"].limit, rows["max_order_qty"].refusals, rows["max_order_qty"].used_pct) == (
        "200",
        1,
        75.0,
    )
    assert (rows["max_position"].used_pct, rows["max_gross_exposure"].used_pct) == (50.0, 15.0)
    assert rows["order_rate"].limit == "off"


def test_a_strategy_on_its_way_out_may_only_reduce_at_a_rate_of_its_own(
    desk_with: Callable[..., Any], facts: Any
) -> None:
    desk = desk_with(order_rate_per_s=D(1), order_burst=D(2), account={"order_rate_per_s": D(1), "order_burst": D(2)})
    desk.send(facts.request(1, 100))
    desk.take(facts.filled(100))
    desk.send(facts.request(2, 1))
    assert rule_of(desk.ask(facts.request(3, 100, side=Side.SELL))) == "order_rate", "it has used up what it had"
    desk.gate.permissions.leaving.add(SMA)
    assert rule_of(desk.ask(facts.request(4, 1))) == "reducing"
    assert rule_of(desk.ask(facts.request(5, 101, side=Side.SELL))) == "reducing", "not through zero"
    assert rule_of(desk.ask(facts.request(6, 60, side=Side.SELL))) == "approved"
    assert rule_of(desk.ask(facts.request(7, 40, side=Side.SELL))) == "approved"
    desk.gate.permissions.leaving.discard(SMA)
    assert rule_of(desk.ask(facts.request(8, 1))) == "order_rate"


def test_an_order_of_a_paused_strategy_does_not_leave_any_more(desk: Any, facts: Any) -> None:
    request = facts.request(1, 1)
    assert rule_of(desk.ask(request)) == "approved"
    assert desk.gate.recheck(request) is None
    desk.gate.pause(SMA, "paused")
    assert "sma is paused" in desk.gate.recheck(request).text
    desk.gate.resume(SMA)
    assert desk.gate.recheck(request) is None
