"""Losses against limits: from marks that the journal knows, over restarts and days, and what they set off."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs
from tests.unit.unlimited import limits_but

from ibfloor.manager.account_board import AccountBoard
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.loss_guard import ACTOR, LossGuard, OnValued
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.entry import BookEntry, CashLeg, EntryKind, undone
from ibfloor.model.fact import AnyFact, KillLatched, KillReset
from ibfloor.model.highs import Booked, begin
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.money import USD, Money
from ibfloor.model.risk_fact import PeakReached, Restraint, RestrictionLifted, TradingRestricted
from ibfloor.portfolio.entry_effects import booked_since
from ibfloor.portfolio.performance import Performance
from ibfloor.portfolio.position import Position, Settlement
from ibfloor.portfolio.valuation import Mark, PositionValue, Rates, Valuation
from ibfloor.risk.gate import RiskGate
from ibfloor.risk.limits import AccountLimits

D = Decimal
SMA = StrategyId("sma")
SPY = InstrumentId(756733)
S_NS = 1_000_000_000
DAY_NS = 86_400 * S_NS
LIMITS = limits_but(
    AccountLimits(max_gross_exposure=None, day_loss_max=D(1_000), drawdown_max_pct=D(2)),
    day_loss_max=D(100),
    drawdown_max=D(150),
)


class Clock:
    speed = 1.0

    def __init__(self) -> None:
        self.ns = 20_000 * DAY_NS

    def now_ns(self) -> int:
        return self.ns

    def wall_delay_s(self, until_ns: int) -> float:
        return 0.0


class Watch:
    """A guard with everything it sets off, and a journal that can be replayed into another."""

    def __init__(self, clock: Clock, journal: list[AnyFact] | None = None) -> None:
        self.clock = clock
        self.journal: list[AnyFact] = journal or []
        self.stopped: list[StrategyId] = []
        self.killed: list[str] = []
        self.state = FloorState()
        self.core = RiskGate(LIMITS)
        self.performance: Performance | None = None
        self.on_valued: OnValued = lambda books, account: None
        self.doubts: dict[InstrumentId, str] = {}
        for fact in self.journal:
            self.core.apply(fact)
            self.state.apply(fact)
        self.gate = SharedGate(self.core, lambda _: None, clock)
        self.guard = LossGuard(self.state, self.gate, AccountBoard(), clock, self, self._put, tz=UTC)
        self.guard.acts = self

    def doubt(self, instrument_id: InstrumentId) -> str:
        return self.doubts.get(instrument_id, "")

    def booked(self, strategy: StrategyId | None, seen: int) -> Booked:
        return booked_since(self.state.books, strategy, seen, {}, Rates(USD))

    def stop(self, name: StrategyId) -> None:
        self.stopped.append(name)

    def kill(self, text: str) -> None:
        self.killed.append(text)
        self.take(KillLatched(ts_event_ns=1, ts_init_ns=1, actor=ACTOR, reason=text))

    def take(self, fact: AnyFact) -> None:
        self._put(fact)

    def look(
        self,
        *,
        pnl: str | None = "0",
        equity: str | None = "100000",
        flows: str = "0",
        held: tuple[PositionValue, ...] = (),
        problems: tuple[str, ...] = (),
    ) -> None:
        if equity is not None:
            highs = begin("", D(equity) - D(flows), 0)
            self.performance = Performance(
                day="", anchor=D(0), peak=D(0), equity=D(equity), flows=D(flows), flows_by={}, highs=highs
            )
        account = replace(value("ACCOUNT", "0", equity), positions=tuple(each for each in held if each.mark))
        self.on_valued({SMA: replace(value("sma", pnl, "0"), positions=held, problems=problems)}, account)

    def _put(self, fact: AnyFact) -> None:
        self.journal.append(fact)
        self.gate.apply(fact, None)
        self.guard.observe(self.state.apply(fact))

    def of(self, kind: type[Any]) -> list[Any]:
        return [fact for fact in self.journal if isinstance(fact, kind)]


def value(name: str, pnl: str | None, equity: str | None) -> Valuation:
    nothing = D(0)
    return Valuation(
        strategy=StrategyId(name),
        base=USD,
        positions=(),
        cash=nothing,
        realised=None if pnl is None else D(pnl),
        fees=nothing,
        income=nothing,
        flows=nothing,
        flows_by={},
        unrealised=nothing,
        gross_exposure=nothing,
        net_exposure=nothing,
        equity=None if equity is None else D(equity),
    )


def position(*, has_mark: bool = True, settlement: Settlement = Settlement.PAID) -> PositionValue:
    return PositionValue(
        position=Position(instrument_id=SPY, currency=USD, qty=D(10), settlement=settlement),
        mark=Mark(D(100), 0, "mid") if has_mark else None,
        unrealised=D(0),
        exposure=D(1_000),
        equity=D(1_000),
    )


@pytest.fixture
def watch() -> Watch:
    return Watch(Clock())


def test_loss_of_a_day_leaves_a_strategy_only_the_way_out_and_stops_it_once(watch: Watch) -> None:
    watch.look(pnl="50")
    watch.look(pnl="-49.99")
    assert watch.stopped == []
    watch.look(pnl="-50")
    watch.look(pnl="-60")
    assert watch.stopped == [SMA]
    (fact,) = watch.of(TradingRestricted)
    assert (fact.restraint, fact.rule) == (Restraint.REDUCING, "day_loss")
    assert "lost 100.00 today" in watch.core.permissions.reducing_strategies[SMA]


def test_new_day_begins_with_the_last_result_and_the_peak_stays(watch: Watch) -> None:
    watch.look(pnl="0")
    watch.look(pnl="-80")
    watch.clock.ns += DAY_NS
    watch.look(pnl="-120")
    assert watch.stopped == [], "40 today, and 120 from the best"
    watch.look(pnl="-150")
    assert watch.of(TradingRestricted)[0].rule == "drawdown"


def test_peak_survives_a_restart(watch: Watch) -> None:
    for pnl in ("0", "500", "503", "400"):
        watch.look(pnl=pnl)
    watch.clock.ns += DAY_NS
    watch.look(pnl="400")
    again = Watch(watch.clock, watch.journal)
    again.look(pnl="354")
    assert again.stopped == []
    again.look(pnl="353")
    assert again.stopped == [SMA], "from the 503 that the journal knows, not from where it came up"


def test_marks_are_journaled_as_they_move_not_at_every_look(watch: Watch) -> None:
    for cent in range(1_000):
        watch.look(pnl=f"{cent / 100:.2f}")
    assert len([fact for fact in watch.of(PeakReached) if fact.strategy == SMA]) <= 4


def test_person_who_enables_a_strategy_has_its_losses_measured_anew(watch: Watch) -> None:
    watch.look(pnl="0")
    watch.look(pnl="-100")
    watch.take(RestrictionLifted(ts_event_ns=1, ts_init_ns=1, strategy=SMA, actor="ann", reason="a bad print"))
    assert watch.core.permissions.reducing_strategies == {}
    watch.look(pnl="-100")
    watch.look(pnl="-199")
    assert watch.stopped == [SMA]
    again = Watch(watch.clock, watch.journal)
    again.look(pnl="-200")
    assert again.stopped == [SMA], "and the new mark is in the journal"


def disabled(rule: str = "rejects_in_a_row") -> TradingRestricted:
    return TradingRestricted(
        ts_event_ns=1, ts_init_ns=1, strategy=SMA, restraint=Restraint.DISABLED, rule=rule, reason="3 rejects"
    )


def lifted() -> RestrictionLifted:
    return RestrictionLifted(ts_event_ns=1, ts_init_ns=1, strategy=SMA, actor="ann", reason="seen")


def test_disabled_strategy_that_goes_on_losing_is_stopped_once_over_restarts_too(watch: Watch) -> None:
    watch.look(pnl="0")
    watch.take(disabled())
    watch.look(pnl="-99")
    assert watch.stopped == []
    watch.look(pnl="-100")
    watch.take(disabled("repeated_execution"))
    watch.look(pnl="-120")
    assert watch.stopped == [SMA]
    assert watch.of(TradingRestricted)[1].rule == "day_loss"
    allowed = watch.core.permissions
    assert (SMA in allowed.disabled, SMA in allowed.reducing_strategies) == (True, True), "the stricter one stays"
    again = Watch(watch.clock, watch.journal)
    again.look(pnl="-120")
    assert again.stopped == [], "it was stopped for that loss"


def test_enabling_a_strategy_that_no_loss_had_stopped_forgives_none(watch: Watch) -> None:
    watch.look(pnl="0")
    watch.look(pnl="-80")
    watch.take(disabled())
    watch.take(lifted())
    watch.look(pnl="-99")
    assert watch.stopped == []
    watch.look(pnl="-100")
    assert watch.stopped == [SMA]
    again = Watch(watch.clock, [*watch.journal, disabled()])
    again.take(lifted())
    again.look(pnl="-198")
    assert again.stopped == [], "that one came from a loss, though it was not the newest restraint"
    again.look(pnl="-200")
    assert again.stopped == [SMA]


def test_opening_a_kill_switch_that_somebody_else_closed_forgives_the_account_nothing(watch: Watch) -> None:
    watch.look(equity="100000")
    watch.look(equity="99200")
    watch.take(KillLatched(ts_event_ns=1, ts_init_ns=1, actor="ann", reason="drill"))
    watch.look(equity="98900")
    assert watch.killed == [], "it is killed already"
    watch.take(KillReset(ts_event_ns=1, ts_init_ns=1, actor="ann", reason="seen"))
    watch.look(equity="99100")
    assert watch.killed == []
    watch.look(equity="99000")
    assert len(watch.killed) == 1
    again = Watch(watch.clock, watch.journal)
    again.take(KillReset(ts_event_ns=1, ts_init_ns=1, actor="ann", reason="seen"))
    again.look(equity="98100")
    assert again.killed == [], "this one was the guard's, and a restart does not forget it"


def test_account_is_killed_by_the_loss_of_a_day_and_a_deposit_is_no_gain(watch: Watch) -> None:
    watch.look(equity="100000")
    watch.look(equity="150000", flows="50000")
    watch.look(equity="149000.01", flows="50000")
    assert watch.killed == []
    watch.look(equity="149000", flows="50000")
    watch.look(equity="148000", flows="50000")
    assert len(watch.killed) == 1
    assert "lost 1000.00 today" in watch.killed[0]


def test_withdrawal_is_no_loss(watch: Watch) -> None:
    watch.look(equity="100000")
    watch.look(equity="40000", flows="-60000")
    assert watch.killed == []


def test_account_is_killed_by_its_fall_from_a_peak_of_days_ago_also_after_a_restart(watch: Watch) -> None:
    watch.look(equity="100000")
    watch.look(equity="99200")
    watch.clock.ns += DAY_NS
    watch.look(equity="99200")
    again = Watch(watch.clock, watch.journal)
    again.look(equity="98400")
    assert again.killed == []
    again.clock.ns += DAY_NS
    again.look(equity="98000")
    assert "fell 2000.00" in again.killed[0]


def test_reset_of_the_kill_switch_measures_the_account_anew(watch: Watch) -> None:
    watch.look(equity="100000")
    watch.look(equity="99000")
    watch.take(KillReset(ts_event_ns=1, ts_init_ns=1, actor="ann", reason="seen"))
    watch.look(equity="99000")
    watch.look(equity="98100")
    assert len(watch.killed) == 1
    watch.look(equity="98000")
    assert len(watch.killed) == 2


def slip(kind: EntryKind, amount: str) -> tuple[BookEntry, BookEntry]:
    """Return a wrong booking of cash, and what takes it out of the books."""
    leg = CashLeg(strategy=SMA, amount=Money(D(amount), USD))
    wrong = BookEntry(ts_event_ns=1, ts_init_ns=1, entry_id="e1", kind=kind, legs=(leg,), reason="slip", actor="ann")
    return wrong, replace(wrong, entry_id="e2", legs=undone(wrong.legs), reverses="e1")


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("days", [0, 1])
def test_undoing_a_wrong_dividend_is_no_loss(watch: Watch, days: int, is_restarted: bool) -> None:
    wrong, back = slip(EntryKind.DIVIDEND, "5000")
    watch.look(pnl="0", equity="100000")
    watch.take(wrong)
    watch.look(pnl="5000", equity="105000")
    watch.clock.ns += days * DAY_NS
    watch.look(pnl="5010", equity="105010")
    if is_restarted:
        watch = Watch(watch.clock, watch.journal)
    watch.take(back)
    watch.look(pnl="0", equity="100000")
    assert (watch.stopped, watch.killed) == ([], [])
    watch.look(pnl="-89", equity="99011")
    assert (watch.stopped, watch.killed) == ([], [])
    watch.look(pnl="-100", equity="99011")
    assert watch.stopped == [SMA]
    assert watch.killed == []
    watch.look(pnl="-100", equity="99000")
    assert len(watch.killed) == 1, "a real loss is one"


def test_wrong_charge_stops_a_strategy_and_undoing_it_is_no_gain_to_lose_again(watch: Watch) -> None:
    wrong, back = slip(EntryKind.CHARGE, "-500")
    watch.look(pnl="0")
    watch.take(wrong)
    watch.look(pnl="-500")
    assert watch.stopped == [SMA]
    watch.take(lifted())
    watch.look(pnl="-500")
    watch.take(back)
    watch.look(pnl="0")
    watch.look(pnl="-99")
    assert watch.stopped == [SMA]
    watch.look(pnl="-100")
    assert watch.stopped == [SMA, SMA]


def test_account_whose_worth_is_not_known_for_long_may_not_enter(watch: Watch) -> None:
    watch.look()
    watch.look(equity=None)
    assert watch.core.permissions.reducing == {}
    watch.clock.ns += 10 * S_NS
    watch.look(equity=None)
    assert "not known" in watch.core.permissions.reducing["losses"]
    watch.look()
    assert watch.core.permissions.reducing == {}


def test_strategy_whose_result_is_not_known_for_long_may_not_enter_and_hears_which_figure_is_missing(
    watch: Watch,
) -> None:
    reducing, missing = watch.core.permissions.reducing_strategies, position(has_mark=False)
    watch.look()
    with capture_logs() as lines:
        for after_s in (0, 9, 1, 1, 1):
            watch.clock.ns += after_s * S_NS
            watch.look(pnl=None, held=(missing,))
            assert (SMA in reducing) is (after_s == 1)
    assert [line["event"] for line in lines] == ["entries are held"], "once"
    assert reducing[SMA] == "what it has lost is not known: 756733: there is no price"
    assert watch.core.permissions.shut_reason is None, "others go on"
    watch.look(pnl=None, problems=("no rate of EUR is known",))
    assert "no rate of EUR is known" in reducing[SMA]
    watch.look()
    assert reducing == {}
    watch.look(pnl=None)
    assert reducing == {}, "it has its seconds again"


def test_price_in_doubt_is_no_price_for_the_guards(watch: Watch) -> None:
    allowed, held = watch.core.permissions, (position(),)
    watch.look(held=held)
    watch.doubts[SPY] = "the market-data session is down"
    watch.look(pnl="-500", equity="50000", held=held)
    assert (watch.stopped, watch.killed) == ([], []), "nobody judges by it, either way"
    watch.clock.ns += 10 * S_NS
    watch.look(held=held)
    for text in (allowed.reducing_strategies[SMA], allowed.reducing["losses"]):
        assert "756733: the market-data session is down" in text
    watch.doubts.clear()
    watch.look(held=held)
    assert (allowed.reducing_strategies, allowed.reducing) == ({}, {})
    watch.look(pnl="-100", held=held)
    assert watch.stopped == [SMA]


def test_account_is_worth_its_cash_whatever_the_price_of_a_currency_pair(watch: Watch) -> None:
    pair = position(settlement=Settlement.EXCHANGED)
    watch.doubts[SPY] = "the market-data session is down"
    for _ in range(2):
        watch.look(held=(pair,))
        watch.clock.ns += 10 * S_NS
    assert watch.core.permissions.reducing == {}
    assert SMA in watch.core.permissions.reducing_strategies, "the strategy's result is made of that price"


def test_account_that_could_never_be_valued_may_not_enter(watch: Watch) -> None:
    watch.look(equity=None)
    watch.clock.ns += 10 * S_NS
    watch.look(equity=None)
    assert "not known" in watch.core.permissions.reducing["losses"]
    watch.look()
    assert watch.core.permissions.reducing == {}


def test_hold_of_entries_and_a_restraint_are_lifted_each_by_its_own(watch: Watch) -> None:
    reducing = watch.core.permissions.reducing_strategies
    lost = replace(disabled("day_loss"), restraint=Restraint.REDUCING, reason="lost 500")
    watch.gate.hold("a", "no price", SMA, is_for_entries=True)
    watch.gate.hold("b", "no rate", SMA, is_for_entries=True)
    assert (reducing, watch.core.permissions.reducing) == ({SMA: "no price; no rate"}, {})
    watch.take(lost)
    assert reducing == {SMA: "lost 500"}
    watch.gate.lift("b", SMA)
    watch.take(lifted())
    assert reducing == {SMA: "no price"}
    watch.take(lost)
    watch.gate.lift("a", SMA)
    assert reducing == {SMA: "lost 500"}
    watch.take(lifted())
    assert reducing == {}


def test_book_without_limits_of_losses_is_not_measured(watch: Watch) -> None:
    watch.core.in_force.now = watch.core.limits = replace(
        LIMITS, strategy=replace(LIMITS.strategy, day_loss_max=None, drawdown_max=None)
    )
    watch.look(pnl="0")
    watch.look(pnl="-100000")
    assert (watch.stopped, [fact for fact in watch.of(PeakReached) if fact.strategy == SMA]) == ([], [])
