"""The day's result over a restart: it begins where the last day ended, as far as anybody knows."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.fact import DayOpened, Reconciled
from ibfloor.model.money import USD, Currency, Money
from ibfloor.portfolio.performance import advance, resumed
from ibfloor.portfolio.valuation import Rates


def opened(equity: int, flows: int = 0) -> DayOpened:
    return DayOpened(
        ts_event_ns=0, ts_init_ns=0, day="2026-03-02", equity=Decimal(equity), flows=Decimal(flows), currency=USD
    )


def valued(equity: int, peak: int, flows: int = 0) -> Reconciled:
    return Reconciled(
        ts_event_ns=1,
        ts_init_ns=1,
        positions=0,
        breaks=0,
        unknown_orders=0,
        equity=Decimal(equity),
        peak=Decimal(peak),
        flows=Decimal(flows),
    )


def test_restart_over_a_day_change_begins_the_day_at_the_last_equity_known() -> None:
    curve = advance(resumed(opened(1000), valued(1100, 1200)), "2026-03-03", Decimal(1090), {}, Rates(USD))
    assert curve is not None
    assert (curve.day, curve.anchor, curve.day_pnl, curve.peak) == (
        "2026-03-03",
        Decimal(1100),
        Decimal(-10),
        Decimal(1200),
    )


def test_restart_within_the_day_keeps_its_opening_its_peak_and_its_deposits() -> None:
    curve = advance(
        resumed(opened(1000), valued(1600, 1650, flows=500)),
        "2026-03-02",
        Decimal(1590),
        {USD: Decimal(500)},
        Rates(USD),
    )
    assert curve is not None
    assert (curve.anchor, curve.day_pnl, curve.peak) == (Decimal(1500), Decimal(90), Decimal(1650))


def test_ledger_without_a_valuation_knows_the_opening_alone() -> None:
    curve = resumed(opened(1000), None)
    assert (curve.anchor, curve.equity, curve.peak) == (Decimal(1000),) * 3


def test_what_rates_do_to_a_deposit_of_another_currency_is_a_result() -> None:
    eur, day, came = Currency("EUR"), "2026-03-02", {Currency("EUR"): Decimal(1000)}
    curve = advance(None, day, Decimal(5000), {}, Rates(USD))
    curve = advance(curve, day, Decimal(6100), came, Rates(USD, {eur: Decimal("1.10")}))
    assert curve is not None
    assert (curve.day_pnl, curve.flows) == (Decimal(0), Decimal(1100))
    curve = advance(curve, day, Decimal(6050), came, Rates(USD, {eur: Decimal("1.05")}))
    assert curve is not None
    assert (curve.day_pnl, curve.drawdown, curve.flows) == (Decimal(-50), Decimal(50), Decimal(1100))
    told = Reconciled(
        ts_event_ns=1,
        ts_init_ns=1,
        positions=0,
        breaks=0,
        unknown_orders=0,
        equity=curve.equity,
        peak=curve.peak,
        flows=curve.flows,
        flows_by=curve.moneys,
    )
    again = advance(resumed(opened(5000), told), day, Decimal(6040), came, Rates(USD, {eur: Decimal("1.04")}))
    assert again is not None
    assert (again.day_pnl, again.peak, told.flows_by) == (Decimal(-60), Decimal(6100), (Money(Decimal(1000), eur),))


def test_flow_at_an_unknown_rate_waits_for_it() -> None:
    day, came = "2026-03-02", {Currency("EUR"): Decimal(1000)}
    curve = advance(None, day, Decimal(5000), {}, Rates(USD))
    assert advance(curve, day, Decimal(6100), came, Rates(USD)) is curve
