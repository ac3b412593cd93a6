"""The rules beyond sizes and positions: each refuses, says limit, used and asked, and lets exits out."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ibfloor.model.fact import OrderDoubted, OrderRefused, OrderRejected
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.margin import MarginFigure, MarginImpact
from ibfloor.model.market import Halt
from ibfloor.model.money import USD
from ibfloor.model.order import OrdStatus, OrdType, Refused, Side, TimeInForce
from ibfloor.model.risk_fact import Restraint, RestrictionLifted, TradingRestricted
from ibfloor.risk.crossing import check_and_reserve_cross
from ibfloor.risk.figures import MarketFigures
from ibfloor.risk.gate import Approved, PriceReference
from ibfloor.risk.margin import AccountFigures

D = Decimal
SPY = InstrumentId(756733)
SMA = StrategyId("sma")
MakeDesk = Callable[..., Any]
S_NS = 1_000_000_000


def rule_of(answer: Approved | Refused) -> str:
    return answer.reason.rule if isinstance(answer, Refused) else "approved"


def hold(desk: Any, facts: Any, qty: int = 100) -> None:
    desk.take(facts.filled(qty, exec_id="h.01", ref="sma:999"))


def test_collar_by_true_range_refuses_what_a_usual_day_would_not_reach(desk_with: MakeDesk, facts: Any) -> None:
    desk = desk_with(collar_atr=D(2))
    answer = desk.ask(facts.request(1, 10, px="101"))
    assert (rule_of(answer), "not known" in answer.reason.text) == ("collar", True), "no history: no entry"
    desk.gate.figures[SPY] = MarketFigures(true_range=D("0.75"))
    assert rule_of(desk.ask(facts.request(2, 10, px="101.50"))) == "approved"
    answer = desk.ask(facts.request(3, 10, px="101.51"))
    assert (answer.reason.limit, answer.reason.used) == ("1.5000", "1.51")


def test_fat_finger_measures_by_what_the_strategy_usually_sends(desk_with: MakeDesk, facts: Any) -> None:
    desk = desk_with(fat_finger_median=D(3))
    for number in range(1, 11):
        assert rule_of(desk.send(facts.request(number, 2 if number % 2 else 4))) == "approved"
        desk.take(facts.reported(OrdStatus.CANCELED, ref=f"sma:{number}"))
    assert rule_of(desk.ask(facts.request(11, 12))) == "approved"
    answer = desk.ask(facts.request(12, 13))
    assert (rule_of(answer), answer.reason.limit, answer.reason.asked) == ("fat_finger", "12", "13")
    assert "ibfloor limits confirm sma:12" in answer.reason.text
    assert rule_of(desk.ask(facts.request(1, 13, strategy="pair"))) == "approved", "it has no usual size yet"


def test_confirmed_order_passes_once_and_only_at_its_size_within_its_time(desk_with: MakeDesk, facts: Any) -> None:
    desk = desk_with(fat_finger_adv_pct=D(1))
    desk.gate.figures[SPY] = MarketFigures(average_volume=D(5_000))
    assert rule_of(desk.ask(facts.request(1, 50))) == "approved"
    request = facts.request(2, 51)
    answer = desk.ask(request)
    assert rule_of(answer) == "fat_finger"
    assert desk.gate.confirmations.confirm(ClientOrderId("sma:1"), desk.now_ns) is None, "only what was refused"
    assert desk.gate.confirmations.confirm(ClientOrderId("sma:2"), desk.now_ns) == request
    assert rule_of(desk.ask(facts.request(3, 52))) == "fat_finger"
    assert rule_of(desk.ask(facts.request(4, 51, Side.SELL))) == "fat_finger"
    assert rule_of(desk.ask(facts.request(5, 51))) == "approved"
    assert rule_of(desk.ask(facts.request(6, 51))) == "fat_finger", "it was one order"
    desk.gate.confirmations.confirm(ClientOrderId("sma:6"), desk.now_ns)
    desk.now_ns += 301 * S_NS
    desk.reference = PriceReference(D(100), desk.now_ns)
    assert rule_of(desk.ask(facts.request(7, 51))) == "fat_finger", "a confirmation does not wait for ever"
    assert rule_of(desk.ask(facts.request(8, 51))) == "fat_finger"
    desk.now_ns += 301 * S_NS
    assert desk.gate.confirmations.confirm(ClientOrderId("sma:8"), desk.now_ns) is None, "nor does a refusal"


def test_refusals_of_an_earlier_run_are_not_there_to_be_confirmed(desk_with: MakeDesk, facts: Any) -> None:
    desk = desk_with(fat_finger_adv_pct=D(1))
    desk.gate.figures[SPY] = MarketFigures(average_volume=D(5_000))
    answer = desk.ask(facts.request(1, 51))
    journaled = OrderRefused(
        ts_event_ns=desk.now_ns, ts_init_ns=desk.now_ns, request=facts.request(1, 51), reason=answer.reason
    )
    again = desk_with(fat_finger_adv_pct=D(1))
    again.take(journaled)
    assert again.gate.confirmations.confirm(ClientOrderId("sma:1"), desk.now_ns) is None
    desk.take(journaled)
    assert desk.gate.confirmations.confirm(ClientOrderId("sma:1"), desk.now_ns) is not None


def test_same_entry_twice_in_a_moment_is_a_duplicate_and_a_change_or_an_exit_is_not(
    desk_with: MakeDesk, facts: Any
) -> None:
    desk = desk_with(duplicate_window_s=D(2))
    assert rule_of(desk.send(facts.request(1, 10))) == "approved"
    answer = desk.ask(facts.request(2, 10))
    assert (rule_of(answer), answer.reason.limit) == ("duplicate", "2 s")
    assert rule_of(desk.ask(facts.request(3, 11))) == "approved"
    assert rule_of(desk.ask(facts.request(4, 10, px="100.01"))) == "approved"
    assert rule_of(desk.change(facts.request(1, 10))) == "approved"
    desk.now_ns += 2 * S_NS
    assert rule_of(desk.ask(facts.request(5, 10))) == "approved"
    hold(desk, facts)
    assert rule_of(desk.ask(facts.request(6, 5, Side.SELL))) == "approved"
    assert rule_of(desk.ask(facts.request(7, 5, Side.SELL))) == "approved"


def test_cross_of_which_one_side_is_refused_leaves_nothing_behind(desk_with: MakeDesk, facts: Any) -> None:
    desk = desk_with(duplicate_window_s=D(60), repeat_entries_max=D(1), order_rate_per_s=D("0.001"))

    def cross(sell: int) -> str:
        sides = (facts.request(1, 10), facts.request(1, sell, Side.SELL, strategy="pair"))
        refused = check_and_reserve_cross(
            desk.gate, [(each, desk.reference) for each in sides], desk.instrument, desk.now_ns
        )
        return "approved" if refused is None else refused[1].rule

    assert cross(201) == "max_order_qty"
    assert cross(10) == "approved"
    assert cross(10) == "duplicate"


def test_too_many_entries_in_the_window_disable_the_strategy_until_a_person_enables_it(
    desk_with: MakeDesk, facts: Any
) -> None:
    desk = desk_with(repeat_entries_max=D(3), repeat_window_s=D(60))
    for number in range(1, 4):
        assert rule_of(desk.send(facts.request(number, 1))) == "approved"
    answer = desk.ask(facts.request(4, 1))
    assert (rule_of(answer), answer.reason.used) == ("repeated_execution", "3")
    (fact,) = desk.gate.trips
    assert (fact.strategy, fact.restraint, fact.rule) == (SMA, Restraint.DISABLED, "repeated_execution")
    desk.now_ns += 3600 * S_NS
    desk.reference = PriceReference(D(100), desk.now_ns)
    assert "strategy enable sma" in desk.ask(facts.request(5, 1)).reason.text, "time alone mends nothing"
    assert rule_of(desk.ask(facts.request(1, 1, strategy="pair"))) == "approved"
    desk.take(RestrictionLifted(ts_event_ns=1, ts_init_ns=1, strategy=SMA, actor="ann", reason="mended"))
    assert rule_of(desk.ask(facts.request(6, 1))) == "approved"


def test_restraint_of_a_guard_comes_back_from_the_journal(desk: Any, facts: Any) -> None:
    hold(desk, facts)
    fact = TradingRestricted(
        ts_event_ns=1, ts_init_ns=1, strategy=SMA, restraint=Restraint.REDUCING, rule="drawdown", reason="lost 500"
    )
    desk.take(fact)
    assert "lost 500" in desk.ask(facts.request(1, 1)).reason.text
    answer = desk.ask(facts.request(2, 101, Side.SELL))
    assert (rule_of(answer), answer.reason.limit, answer.reason.asked) == ("reducing", "100", "-101"), "never through 0"
    assert rule_of(desk.ask(facts.request(3, 60, Side.SELL))) == "approved"
    assert desk.ask(facts.request(4, 41, Side.SELL)).reason.limit == "40", "what works counts"
    desk.take(replace(fact, restraint=Restraint.DISABLED))
    assert rule_of(desk.ask(facts.request(5, 1, Side.SELL))) == "permission"


def test_rejects_in_a_row_disable_and_an_order_that_is_taken_starts_the_count_anew(
    desk_with: MakeDesk, facts: Any
) -> None:
    desk = desk_with(max_rejects_in_a_row=D(3))

    def reject(number: int) -> None:
        desk.send(facts.request(number, 1))
        ref = ClientOrderId(f"sma:{number}")
        desk.take(OrderRejected(ts_event_ns=1, ts_init_ns=1, cl_ord_id=ref, code=201, text="no"))

    reject(1)
    desk.ask(facts.request(2, 201))  # refused by the gate for what it is
    desk.send(facts.request(3, 1))
    desk.take(facts.reported(OrdStatus.NEW, ref="sma:3"))
    reject(4)
    reject(5)
    assert rule_of(desk.ask(facts.request(6, 201))) == "max_order_qty"
    assert rule_of(desk.ask(facts.request(7, 1))) == "rejects_in_a_row"
    assert desk.gate.trips[-1].rule == "rejects_in_a_row"


def test_refusals_for_what_the_floor_is_like_do_not_count_as_rejects(desk_with: MakeDesk, facts: Any) -> None:
    desk = desk_with(max_rejects_in_a_row=D(2))
    desk.gate.block("start", "not reconciled")
    for number in range(1, 6):
        assert rule_of(desk.ask(facts.request(number, 1))) == "permission"
    desk.gate.unblock("start")
    assert rule_of(desk.ask(facts.request(6, 1))) == "approved"


@pytest.mark.parametrize(
    ("side", "ord_type", "px", "expected"),
    [
        (Side.SELL, OrdType.LIMIT, "100", "self_trade"),
        (Side.SELL, OrdType.LIMIT, "99.99", "self_trade"),
        (Side.SELL, OrdType.LIMIT, "100.01", "approved"),
        (Side.SELL, OrdType.MARKET, None, "self_trade"),
        (Side.SELL, OrdType.STOP, "99", "approved"),
        (Side.BUY, OrdType.LIMIT, "100", "approved"),
    ],
)
def test_order_that_would_trade_with_another_strategy_is_refused(
    desk: Any, facts: Any, side: Side, ord_type: OrdType, px: str | None, expected: str
) -> None:
    desk.send(facts.request(1, 10, strategy="pair"))
    desk.send(facts.request(1, 10, px="99"))
    answer = desk.ask(facts.request(2, 10, side, ord_type=ord_type, px=px))
    assert rule_of(answer) == expected
    if expected != "approved":
        assert answer.reason.used == "pair:1"


def test_own_orders_are_no_self_trade_and_a_done_one_is_none_either(desk: Any, facts: Any) -> None:
    desk.send(facts.request(1, 10, px="102"))
    assert rule_of(desk.ask(facts.request(2, 5, Side.SELL, px="102"))) == "approved"
    desk.send(facts.request(1, 10, strategy="pair", px="101"))
    assert rule_of(desk.ask(facts.request(3, 5, Side.SELL))) == "self_trade"
    desk.take(facts.reported(OrdStatus.CANCELED, ref="pair:1"))
    assert rule_of(desk.ask(facts.request(4, 5, Side.SELL))) == "approved"


def test_change_of_a_price_is_a_self_trade_too_and_both_its_prices_count_until_it_is_answered(
    desk: Any, facts: Any
) -> None:
    desk.send(facts.request(1, 10, Side.SELL, px="101", strategy="pair"))
    desk.send(facts.request(1, 10, px="100"))
    answer = desk.change(facts.request(1, 10, px="101"))
    assert rule_of(answer) == "self_trade"
    assert rule_of(desk.change(facts.request(1, 10, px="100.50"))) == "approved"
    moved = replace(facts.request(1, 10, Side.SELL, px="100.50", strategy="pair"))
    assert rule_of(desk.change(moved)) == "self_trade", "the change of the other is on its way"
    desk.gate.release_replace(ClientOrderId("sma:1"))
    assert rule_of(desk.change(moved)) == "approved"


def test_market_order_meets_only_what_stands_at_the_best_price(desk: Any, facts: Any) -> None:
    desk.send(facts.request(1, 10, px="95", strategy="pair"))
    market = facts.request(1, 10, Side.SELL, ord_type=OrdType.MARKET, px=None)
    assert rule_of(desk.ask(market)) == "approved", "95 is far below the bid of 100"


def test_auction_orders_of_two_strategies_meet_in_the_auction(desk: Any, facts: Any) -> None:
    at_close = replace(facts.request(1, 10, ord_type=OrdType.MARKET, px=None, strategy="pair"))
    desk.send(replace(at_close, ord_type=OrdType.MARKET_ON_CLOSE))
    sell = replace(facts.request(1, 10, Side.SELL, ord_type=OrdType.MARKET, px=None))
    assert rule_of(desk.ask(replace(sell, ord_type=OrdType.MARKET_ON_CLOSE))) == "self_trade"
    at_open = replace(sell, cl_ord_id=ClientOrderId("sma:2"), time_in_force=TimeInForce.AT_OPEN)
    assert rule_of(desk.ask(at_open)) == "approved", "another auction"


def test_self_trades_may_be_allowed_and_a_way_out_always_is(desk: Any, desk_with: MakeDesk, facts: Any) -> None:
    for each in (desk, allowed := desk_with(allow_self_trade=True)):
        hold(each, facts)
        each.send(facts.request(1, 10, strategy="pair"))
    sell = facts.request(1, 10, Side.SELL)
    assert rule_of(desk.ask(sell)) == "self_trade"
    assert rule_of(allowed.ask(sell)) == "approved"
    desk.gate.permissions.leaving.add(SMA)
    assert rule_of(desk.ask(facts.request(2, 10, Side.SELL))) == "approved"


def test_working_orders_of_a_strategy_and_of_the_account_are_counted(desk_with: MakeDesk, facts: Any) -> None:
    desk = desk_with(max_open_orders=D(2), account={"max_open_orders": D(3)})
    for number in (1, 2):
        assert rule_of(desk.send(facts.request(number, 1))) == "approved"
    answer = desk.ask(facts.request(3, 1))
    assert (rule_of(answer), answer.reason.limit, answer.reason.used) == ("max_open_orders", "2", "2")
    assert rule_of(desk.change(facts.request(1, 2))) == "approved"
    assert rule_of(desk.send(facts.request(1, 1, strategy="pair"))) == "approved"
    assert rule_of(desk.send(facts.request(2, 1, strategy="pair"))) == "max_open_orders"
    desk.take(facts.reported(OrdStatus.CANCELED, ref="sma:1"))
    assert rule_of(desk.send(facts.request(4, 1))) == "approved"


def test_net_exposure_counts_longs_less_shorts_with_all_that_works(desk_with: MakeDesk, facts: Any) -> None:
    desk = desk_with(account={"max_net_exposure": D(10_000)})
    other = facts.instrument(instrument_id=2)
    assert rule_of(desk.send(facts.request(1, 100))) == "approved"
    assert rule_of(desk.ask(facts.request(2, 1))) == "max_net_exposure"
    assert rule_of(desk.ask(facts.request(3, 100, Side.SELL, instrument_id=2), other)) == "approved"
    assert rule_of(desk.ask(facts.request(4, 1, Side.SELL, instrument_id=2), other)) == "max_net_exposure"
    desk.take(facts.filled(100))
    answer = desk.ask(facts.request(5, 1))
    assert (answer.reason.limit, answer.reason.asked) == ("10000", "10100.00")


def test_leverage_is_measured_against_equity_and_refused_while_that_is_not_known(
    desk_with: MakeDesk, facts: Any
) -> None:
    desk = desk_with(account={"max_leverage": D(2)})
    assert "equity" in desk.ask(facts.request(1, 1)).reason.text
    desk.gate.margin.take(AccountFigures(equity=D(5_000)))
    assert rule_of(desk.send(facts.request(2, 100))) == "approved"
    answer = desk.ask(facts.request(3, 1))
    assert (rule_of(answer), answer.reason.used, answer.reason.asked) == ("max_leverage", "2.00", "2.02")


def margin(change: str, qty: int, ts_ns: int) -> MarginImpact:
    figure = MarginFigure(before=D(0), change=D(change), after=D(change))
    return MarginImpact(
        instrument_id=SPY,
        side=Side.BUY,
        order_qty=D(qty),
        initial=figure,
        maintenance=figure,
        equity=figure,
        currency=USD,
        ts_ns=ts_ns,
    )


def test_margin_budget_holds_back_what_every_pending_order_may_take(desk_with: MakeDesk, facts: Any) -> None:
    desk = desk_with(margin_pct=D(50), account={"margin_budget_pct": D(50)})
    assert rule_of(desk.ask(facts.request(1, 1))) == "margin", "the broker has told nothing yet"
    desk.gate.margin.take(AccountFigures(equity=D(20_000), initial_margin=D(4_000)))
    assert rule_of(desk.send(facts.request(2, 100))) == "approved"  # 5000 of the 6000 that are left
    answer = desk.ask(facts.request(1, 21, strategy="pair"))
    assert (rule_of(answer), answer.reason.limit) == ("margin", "10000.00")
    assert (answer.reason.used, answer.reason.asked) == ("9000.00", "10050.00"), "other strategies' orders count"
    assert rule_of(desk.ask(facts.request(2, 20, strategy="pair"))) == "approved"
    desk.take(facts.filled(100, ref="sma:2"))
    assert rule_of(desk.ask(facts.request(3, 1, strategy="pair"))) == "margin", "filled, and not reported yet"
    desk.gate.margin.take(AccountFigures(equity=D(20_000), initial_margin=D(6_500)))
    assert rule_of(desk.ask(facts.request(4, 1, strategy="pair"))) == "approved", "the broker asks for less"
    assert rule_of(desk.ask(facts.request(5, 100, Side.SELL, px="101"))) == "approved", "exits take no margin"


def test_margin_of_a_fresh_preview_is_believed_before_an_estimate(desk_with: MakeDesk, facts: Any) -> None:
    desk = desk_with(account={"margin_budget_pct": D(50)})
    desk.gate.margin.take(AccountFigures(equity=D(10_000), initial_margin=D(0)))
    assert rule_of(desk.ask(facts.request(1, 100))) == "margin", "in full, where nobody knows better"
    desk.gate.previews.take(SMA, margin("2500", 100, desk.now_ns))
    assert rule_of(desk.ask(facts.request(2, 100))) == "approved"
    desk.now_ns += 61 * S_NS
    desk.reference = PriceReference(D(100), desk.now_ns)
    assert rule_of(desk.ask(facts.request(3, 100))) == "margin", "the preview is too old"


def test_large_order_needs_a_preview_of_at_least_its_size(desk_with: MakeDesk, facts: Any) -> None:
    desk = desk_with(preview_above=D(5_000))
    assert rule_of(desk.ask(facts.request(1, 50))) == "approved"
    answer = desk.ask(facts.request(2, 51))
    assert (rule_of(answer), "self.preview(order)" in answer.reason.text) == ("margin", True)
    desk.gate.previews.take(SMA, margin("100", 50, desk.now_ns))
    assert rule_of(desk.ask(facts.request(3, 51))) == "margin"
    desk.gate.previews.take(SMA, margin("100", 51, desk.now_ns))
    assert rule_of(desk.ask(facts.request(4, 51))) == "approved"


def test_order_of_unknown_fate_locks_its_instrument_for_entries(desk: Any, facts: Any) -> None:
    hold(desk, facts)
    desk.send(facts.request(1, 10))
    desk.take(OrderDoubted(ts_event_ns=1, ts_init_ns=1, cl_ord_id=ClientOrderId("sma:1"), reason="lost"))
    answer = desk.ask(facts.request(1, 1, strategy="pair"))
    assert (rule_of(answer), "sma:1" in answer.reason.text) == ("lock", True)
    assert rule_of(desk.ask(facts.request(2, 10, Side.SELL, px="101"))) == "approved"
    desk.take(facts.reported(OrdStatus.CANCELED, ref="sma:1"))
    assert rule_of(desk.ask(facts.request(2, 1, strategy="pair"))) == "approved"


def test_restricted_shorts_and_paper_only_refuse_entries(desk_with: MakeDesk, facts: Any) -> None:
    desk = desk_with(restricted=True)
    hold(desk, facts)
    assert rule_of(desk.ask(facts.request(1, 1))) == "restricted"
    assert rule_of(desk.ask(facts.request(2, 100, Side.SELL))) == "approved"

    desk = desk_with(allow_short=False)
    hold(desk, facts)
    answer = desk.ask(facts.request(1, 101, Side.SELL))
    assert (rule_of(answer), "-1" in answer.reason.text, answer.reason.used) == ("restricted", True, "100")
    assert rule_of(desk.ask(facts.request(2, 60, Side.SELL))) == "approved"
    assert rule_of(desk.ask(facts.request(3, 41, Side.SELL))) == "restricted", "with what works already"

    desk = desk_with(paper_only=True)
    assert rule_of(desk.ask(facts.request(1, 1))) == "approved"
    desk.gate._desk.is_live = True
    assert rule_of(desk.ask(facts.request(2, 1))) == "restricted"


def test_session_has_a_rate_of_its_own_that_ways_out_count_in(desk_with: MakeDesk, facts: Any) -> None:
    desk = desk_with(account={"session_rate_per_s": D(1)})
    hold(desk, facts)
    for number in range(1, 51):
        assert rule_of(desk.ask(facts.request(number, 1))) == "approved"
    assert "the session of sma" in desk.ask(facts.request(51, 1)).reason.text
    desk.gate.permissions.leaving.add(SMA)
    assert rule_of(desk.ask(facts.request(52, 100, Side.SELL))) == "order_rate"


@pytest.mark.parametrize("halt", [Halt.GENERAL, Halt.VOLATILITY])
def test_halted_instrument_takes_no_entries_and_exits_pass(desk: Any, facts: Any, halt: Halt) -> None:
    allowed, bac = desk.gate.permissions, facts.instrument(symbol="BAC", instrument_id=10098)
    assert rule_of(desk.send(facts.request(1, 10, px="99"))) == "approved"
    hold(desk, facts, 50)
    allowed.take_halt(SPY, halt)
    answer = desk.ask(facts.request(2, 1))
    assert (rule_of(answer), halt.value in answer.reason.text) == ("halted", True)
    assert rule_of(desk.change(facts.request(1, 11, px="99"))) == "halted"
    assert rule_of(desk.ask(facts.request(3, 51, Side.SELL))) == "halted", "it would flip"
    assert rule_of(desk.ask(facts.request(4, 50, Side.SELL))) == "approved"
    assert rule_of(desk.ask(facts.request(5, 1, instrument_id=10098), bac)) == "approved"
    allowed.take_halt(SPY, Halt.UNKNOWN)
    assert rule_of(desk.ask(facts.request(6, 1))) == "approved", "what nobody knows is no halt"
