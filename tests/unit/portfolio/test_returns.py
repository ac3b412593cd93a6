from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibfloor.model.arrival import Arrival
from ibfloor.model.capital import CapitalAllocated
from ibfloor.model.fact import AnyFact, CashMoved, FeeReported, InstrumentDefined, OrderFilled, OrderSubmitted
from ibfloor.model.ids import UNASSIGNED, ClientOrderId, ExecId, InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.marking import BooksMarked, MarkTaken
from ibfloor.model.money import USD, Money
from ibfloor.model.order import OrderRequest, OrdType, Side
from ibfloor.portfolio.chronicle import chronicle, day_bounds
from ibfloor.portfolio.figures import Figure
from ibfloor.portfolio.returns import (
    NO_BASE,
    Stretch,
    by_day,
    chained,
    investor_flows,
    time_weighted,
    worst_drawdown,
)
from ibfloor.portfolio.statement import StatementError
from ibfloor.portfolio.track import Track, tracks
from ibfloor.portfolio.worth import ACCOUNT

NEW_YORK = ZoneInfo("America/New_York")
MONDAY, TUESDAY, WEDNESDAY = ("2026-03-02", "2026-03-03", "2026-03-04")
NOON = 12 * 3600 * 10**9
SPY = InstrumentId(1)
ALPHA = StrategyId("alpha")


def at(day: str, ns: int = NOON) -> int:
    return day_bounds(day, NEW_YORK)[0] + ns


def figure(text: str | int) -> Figure:
    return Figure(Decimal(text))


def stretch(day: str, base: str, pnl: str, inflow: str = "0") -> Stretch:
    start_ns, end_ns = day_bounds(day, NEW_YORK)
    return Stretch(start_ns=start_ns, end_ns=end_ns, base=figure(base), inflow=figure(inflow), pnl=figure(pnl))


def cash(ts_ns: int, amount: str, strategy: StrategyId = UNASSIGNED) -> CashMoved:
    money = Money(Decimal(amount), USD)
    return CashMoved(ts_event_ns=ts_ns, ts_init_ns=ts_ns, strategy=strategy, amount=money, reason="deposit")


def marked(ts_ns: int, px: str) -> BooksMarked:
    return BooksMarked(
        ts_event_ns=ts_ns, ts_init_ns=ts_ns, base=USD, marks=(MarkTaken(SPY, Decimal(px), ts_ns, "mid"),)
    )


def bought(ts_ns: int, qty: str, px: str, fee: str = "0", arrival: str | None = None) -> list[AnyFact]:
    name, signed = f"x{ts_ns}", Decimal(qty)
    side, order_id = Side.BUY if signed > 0 else Side.SELL, ClientOrderId(f"alpha:{ts_ns}")
    request = OrderRequest(
        cl_ord_id=order_id,
        strategy=ALPHA,
        instrument_id=SPY,
        side=side,
        order_qty=abs(signed),
        ord_type=OrdType.MARKET,
    )
    return [
        OrderSubmitted(
            ts_event_ns=ts_ns - 1,
            ts_init_ns=ts_ns - 1,
            request=request,
            client_id=10,
            order_id=1,
            arrival=None if arrival is None else Arrival(Decimal(arrival), ts_ns, "mid"),
        ),
        OrderFilled(
            ts_event_ns=ts_ns,
            ts_init_ns=ts_ns,
            exec_id=ExecId(f"{name}.01"),
            cl_ord_id=order_id,
            strategy=ALPHA,
            instrument_id=SPY,
            side=side,
            last_qty=abs(signed),
            last_px=Decimal(px),
            currency=USD,
        ),
        FeeReported(ts_event_ns=ts_ns, ts_init_ns=ts_ns, exec_id=ExecId(f"{name}.01"), fee=Money(Decimal(fee), USD)),
    ]


def capital(ts_ns: int, amount: str) -> CapitalAllocated:
    return CapitalAllocated(
        ts_event_ns=ts_ns, ts_init_ns=ts_ns, strategy=ALPHA, amount=Decimal(amount), currency=USD, reason="fixed"
    )


def tracked(facts: Sequence[AnyFact], **bounds: str) -> dict[StrategyId, Track]:
    spy = Instrument(instrument_id=SPY, contract=Stock("SPY"), local_symbol="SPY", currency=USD)
    first = InstrumentDefined(ts_event_ns=1, ts_init_ns=1, instrument=spy)
    return tracks(chronicle([first, *facts], NEW_YORK), NEW_YORK, **bounds)


def test_time_weighted_return_chains_and_a_deposit_is_no_profit() -> None:
    # 1000 grows by 10 %, then 900 come in and the 2000 lose 5 %: 1.10 x 0.95 - 1.
    parts = [stretch(MONDAY, "1000", "100"), stretch(TUESDAY, "2000", "-100", inflow="900")]
    assert time_weighted(parts) == figure("0.045")
    assert parts[1].end == figure(1900)
    assert [day.growth for day in by_day(parts, NEW_YORK)] == [figure("0.1"), figure("-0.05")]


def test_return_without_a_base_is_not_known_and_says_why() -> None:
    assert stretch(MONDAY, "0", "5").growth == Figure(None, NO_BASE)
    assert stretch(MONDAY, "-10", "5").growth == Figure(None, NO_BASE)
    assert stretch(MONDAY, "0", "0").growth == figure(0)
    assert time_weighted([stretch(MONDAY, "100", "5"), stretch(TUESDAY, "0", "5")]) == Figure(None, NO_BASE)


def test_investor_pays_at_the_start_and_at_every_deposit_and_gets_the_end() -> None:
    parts = [stretch(MONDAY, "1000", "100"), stretch(TUESDAY, "2000", "-100", inflow="900")]
    flows = [amount.value for _, amount in investor_flows(parts)]
    assert flows == [Decimal(-1000), Decimal(-900), Decimal(1900)]


def test_worst_drawdown_is_from_the_highest_peak_before_it() -> None:
    # 1.1, 0.88, 1.32, 1.188: down 20 % first, then 10 %.
    assert worst_drawdown([figure("0.1"), figure("-0.2"), figure("0.5"), figure("-0.1")]) == figure("-0.2")
    assert worst_drawdown([figure("0.1")]) == figure(0)


growths = st.lists(st.decimals("-0.3", "0.4", places=4), min_size=1, max_size=8)


@given(growths)
@settings(max_examples=50)
def test_product_of_the_days_is_the_whole(steps: list[Decimal]) -> None:
    level, parts = Decimal(1000), []
    for number, step in enumerate(steps):
        parts.append(stretch(f"2026-03-{number + 1:02}", str(level), str(level * step)))
        level += level * step
    days = by_day(parts, NEW_YORK)
    whole, start = time_weighted(parts).value, parts[0].base.value
    assert whole is not None
    assert start is not None
    assert chained(day.growth for day in days).value == whole
    assert abs(whole - (level / start - 1)) < Decimal("1e-20")


def test_record_of_an_account_with_a_deposit_at_noon_by_hand() -> None:
    made = tracked(
        [
            cash(at(MONDAY), "10000"),
            marked(at(MONDAY) + 1, "100"),
            *bought(at(MONDAY) + 5, "50", "100", fee="2", arrival="99.90"),
            marked(at(MONDAY, 2 * NOON - 9), "104"),
            marked(at(TUESDAY) - 9, "106"),
            cash(at(TUESDAY), "5000"),
            marked(at(TUESDAY, 2 * NOON - 9), "110"),
        ]
    )[ACCOUNT]
    # Monday 10000 -> 10198; Tuesday to 10298 by noon, then 15298 -> 15498.
    monday, tuesday = Decimal(10198) / 10000, Decimal(10298) / 10198 * Decimal(15498) / 15298
    assert [day.day for day in made.days] == [MONDAY, TUESDAY]
    assert [day.pnl.value for day in made.days] == [Decimal(198), Decimal(300)]
    assert [day.inflow.value for day in made.days] == [Decimal(0), Decimal(5000)]
    assert made.time_weighted.value == pytest.approx(monday * tuesday - 1)
    assert (made.bridge.opening.value, made.bridge.closing.value) == (Decimal(10000), Decimal(15498))
    assert made.bridge.result == figure(498)
    assert [(line.name, line.result.value) for line in made.instruments] == [("SPY", Decimal(498))]
    costs = made.costs
    assert (costs.executions, costs.traded.value, costs.fees.value) == (1, Decimal(5000), Decimal(2))
    assert (costs.fees_bps.value, costs.fee_per_share.value) == (Decimal(4), Decimal("0.04"))
    assert (costs.slippage.value, costs.slippage_bps.value) == (Decimal(5), Decimal(10))
    assert made.turnover.value == Decimal(5000) / ((Decimal(10000) + Decimal(10198)) / 2)
    assert not made.is_on_capital


def test_strategy_without_cash_is_measured_on_its_capital() -> None:
    facts = [
        cash(at(MONDAY), "10000"),
        marked(at(MONDAY) + 1, "100"),
        *bought(at(MONDAY) + 5, "10", "100"),
        marked(at(MONDAY, 2 * NOON - 9), "110"),
        marked(at(TUESDAY), "121"),
    ]
    assert tracked(facts)[ALPHA].time_weighted == Figure(None, NO_BASE)
    made = tracked([capital(at(MONDAY), "1000"), *facts])[ALPHA]
    assert made.is_on_capital
    assert [day.growth.value for day in made.days] == [Decimal("0.1"), Decimal("0.1")]
    assert made.time_weighted == figure("0.21")


def test_change_of_capital_is_a_flow_and_no_result() -> None:
    made = tracked(
        [
            cash(at(MONDAY), "10000"),
            capital(at(MONDAY), "1000"),
            marked(at(MONDAY) + 1, "100"),
            *bought(at(MONDAY) + 5, "10", "100"),
            marked(at(MONDAY, 2 * NOON - 9), "110"),
            capital(at(TUESDAY), "2000"),
            marked(at(TUESDAY) + 9, "120"),
        ]
    )[ALPHA]
    assert [amount.value for _, amount in investor_flows(made.stretches)] == [-1000, -900, 2100]
    assert made.time_weighted.value == Decimal("1.1") * Decimal("1.05") - 1


def test_execution_without_an_arrival_price_is_counted_and_left_out_of_slippage() -> None:
    made = tracked(
        [
            cash(at(MONDAY), "10000"),
            marked(at(MONDAY) + 1, "100"),
            *bought(at(MONDAY) + 5, "10", "100", arrival="100"),
            *bought(at(MONDAY) + 9, "-10", "90"),
            marked(at(MONDAY) + 99, "100"),
        ]
    )[ALPHA]
    assert (made.costs.slippage.value, made.costs.slippage_bps.value, made.costs.without_arrival) == (
        Decimal(0),
        Decimal(0),
        1,
    )
    assert made.costs.traded == figure(1900)


def test_time_with_one_valuation_has_no_return() -> None:
    facts: list[AnyFact] = [
        cash(at(MONDAY), "10000"),
        marked(at(MONDAY) + 1, "100"),
        marked(at(WEDNESDAY), "100"),
    ]
    assert tracked(facts, since=TUESDAY)[ACCOUNT].time_weighted == figure(0)
    with pytest.raises(StatementError, match="not valued twice"):
        tracked(facts, until=MONDAY)
