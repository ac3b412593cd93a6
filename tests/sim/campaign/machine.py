"""Tier C: hypothesis plays the trader, the operator and the weather, step by step, against a real floor."""

from __future__ import annotations

import contextvars
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from tests.sim.campaign.invariants import Violation, judge
from tests.sim.campaign.run import RAM, Outcome, Watchman, gather, trace_of
from tests.sim.campaign.troubles import TROUBLES
from tests.sim.campaign.virtual_loop import LIFE, VirtualLoop
from tests.sim.campaign.world import World

from ibfloor import Stock
from ibfloor.model.order import Side

STEPS = 60
RUNS_PER_SEED = 10
SYMBOLS = st.sampled_from(("SPY", "QQQ"))
QTYS = st.integers(1, 60)
AWAY = st.integers(-80, 80).map(lambda cents: cents / 100)
MENDABLE = tuple(
    name
    for name, trouble in TROUBLES.items()
    if trouble.deed is None and not (trouble.breaks or trouble.lies or trouble.from_start) and trouble.faults
)
PUPPET = "alpha"


class Violated(AssertionError):
    """An invariant did not hold in a run that hypothesis chose."""


class CampaignMachine(RuleBasedStateMachine):
    """One run: sixty steps, then everything is healed, comes to rest, and is judged."""

    runs: list[Outcome] = []
    batch = 0

    def __init__(self) -> None:
        super().__init__()
        self._began = time.process_time()
        self._folder = Path(tempfile.mkdtemp(prefix="campaign-", dir=RAM if RAM.is_dir() else None))
        self._log = Watchman()
        structlog.configure(processors=[self._log], cache_logger_on_first_use=False)
        self.loop = VirtualLoop()
        self._injected: list[str] = []
        self.world: World = self._run(self._open())

    async def _open(self) -> World:
        world = World(self.loop, f"machine:{self.batch}", self._folder / "home", machine=True)
        await world.server.__aenter__()
        world.start_floor()
        await world.until(1.0)
        return world

    @property
    def has_orders(self) -> bool:
        """Tell whether the puppet has an order to cancel or change."""
        puppet = self.world.strategy(PUPPET)
        return puppet is not None and bool(puppet.orders)

    # what a trader does

    @rule(symbol=SYMBOLS, side=st.sampled_from(Side), qty=QTYS)
    def trade_at_market(self, symbol: str, side: Side, qty: int) -> None:
        self._act(lambda puppet: (puppet.buy if side is Side.BUY else puppet.sell)(Stock(symbol), qty))

    @rule(symbol=SYMBOLS, side=st.sampled_from(Side), qty=QTYS, away=AWAY)
    def place_limit(self, symbol: str, side: Side, qty: int, away: float) -> None:
        self._act(lambda puppet: puppet.place(Stock(symbol), side, qty, limit_away=away))

    @rule(symbol=SYMBOLS, side=st.sampled_from(Side), qty=QTYS, away=AWAY)
    def place_stop(self, symbol: str, side: Side, qty: int, away: float) -> None:
        self._act(lambda puppet: puppet.place(Stock(symbol), side, qty, stop_away=away))

    @rule(symbol=SYMBOLS, qty=QTYS, gain=st.integers(5, 80), loss=st.integers(5, 80))
    def place_bracket(self, symbol: str, qty: int, gain: int, loss: int) -> None:
        self._act(lambda puppet: puppet.place_bracket(Stock(symbol), qty, gain / 100, loss / 100))

    @precondition(lambda self: self.has_orders)
    @rule(which=st.integers(0, 9))
    def cancel(self, which: int) -> None:
        self._act(lambda puppet: puppet.orders and puppet.cancel(puppet.orders[which % len(puppet.orders)]))

    @precondition(lambda self: self.has_orders)
    @rule(which=st.integers(0, 9), qty=QTYS)
    def change(self, which: int, qty: int) -> None:
        self._act(lambda puppet: puppet.orders and puppet.replace(puppet.orders[which % len(puppet.orders)], qty=qty))

    # what the world does

    @rule(seconds=st.sampled_from((0.0005, 0.01, 0.3, 2.0, 6.0)))
    def let_time_pass(self, seconds: float) -> None:
        self._run(self.world.until(self.world.now_s() + seconds))

    @rule(name=st.sampled_from(MENDABLE))
    def trouble(self, name: str) -> None:
        if name not in self._injected and len(self._injected) < 4:
            self._injected.append(name)
            self.world.inject(*TROUBLES[name].faults)

    @rule()
    def heal(self) -> None:
        self.world.heal()
        self._injected.clear()

    @rule()
    def cut_connections(self) -> None:
        self.world.network.cut()

    @rule(seconds=st.sampled_from((0.0, 0.0007, 0.004)))
    def kill_the_floor(self, seconds: float) -> None:
        if self.world.floor is not None and len(self.world.crashes_s) < 4:
            self._run(self.world.until(self.world.now_s() + seconds))
            self.world.crash()

    def teardown(self) -> None:
        try:
            self.world.heal()
            found = self._run(gather(self.world, tuple(TROUBLES[name] for name in MENDABLE), self._log))
            violations = tuple(each for each in judge(found) if each.invariant != "I12")
            self._note(violations, trace_of(found), len(found.report.orders), len(found.report.executions))
        finally:
            self.loop.close()
            self.world.bury()
            shutil.rmtree(self._folder, ignore_errors=True)
        if violations:
            raise Violated("; ".join(f"{each.invariant}: {each.text}" for each in violations[:5]))

    def _note(self, violations: tuple[Violation, ...], trace: str, orders: int, fills: int) -> None:
        spent_s = time.process_time() - self._began
        self.runs.append(
            Outcome(
                tier="C",
                faults="machine",
                seed=self.batch,
                violations=violations,
                trace=trace,
                recovery_s=None,
                orders=orders,
                fills=fills,
                cpu_s=spent_s,
            )
        )

    def _act(self, act: Callable[[Any], object]) -> None:
        puppet = self.world.strategy(PUPPET)
        if puppet is not None:
            context = contextvars.copy_context()
            context.run(LIFE.set, self.world.life)
            self.loop.call_soon(act, puppet, context=context)
            self._run(self.world.until(self.world.now_s() + 0.0002))

    def _run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)


def run_batch(batch: int, runs: int = RUNS_PER_SEED, *, shrinks: bool = False) -> list[Outcome]:
    """Let hypothesis choose some runs from a seed; the outcome of every one, violated or not.

    With ``shrinks`` a violation is made as small as can be, and its steps are printed.
    """

    class Machine(CampaignMachine):
        pass

    Machine.runs, Machine.batch = [], batch
    phases = (Phase.generate, Phase.shrink) if shrinks else (Phase.generate,)
    how = settings(
        max_examples=runs,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    try:
        run_state_machine_as_test(seed(batch)(Machine), settings=how)
    except Violated as error:
        if shrinks:
            print(*getattr(error, "__notes__", ()), error, sep="\n")
    return Machine.runs
