"""One run: build a world, trouble it, let it trade, heal it, let it come to rest, judge it."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import structlog
from tests.sim.campaign.endings import stale_feeds
from tests.sim.campaign.invariants import Evidence, Violation, judge, recovery_s
from tests.sim.campaign.troubles import TROUBLES, Trouble
from tests.sim.campaign.virtual_loop import VirtualLoop, virtual_loop
from tests.sim.campaign.world import COVER_S, SETTLE_MAX_S, TRADING_S, World

from ibfloor.execution.order_table import OrderTable
from ibfloor.ledger.replay import recover
from ibfloor.manager.floor_state import FloorState
from ibfloor.model.fact import AnyFact
from ibfloor.sim.gateway.book import book_hash

TROUBLE_S = (6.0, 16.0)
SECOND_S = 6.0
SAMPLE_S = 0.1
QUIET_S = 5.0
RAM = Path("/dev/shm")
_SEEN_ONLY = ("message lost", "strategy failed")


class Outcome(msgspec.Struct, frozen=True):
    """What one run came to: a plain value, so that it can cross processes."""

    tier: str
    faults: str
    seed: int
    violations: tuple[Violation, ...]
    trace: str
    """A digest of all that the gateway recorded and the floor journaled."""
    recovery_s: float | None
    orders: int
    fills: int
    cpu_s: float
    fired: int = 0
    """How often the faults happened; deeds count once."""

    @property
    def replay(self) -> str:
        """Return the one command that runs it again."""
        return f'make campaign ARGS="--tier {self.tier} --fault {self.faults} --seed {self.seed}"'


class Watchman:
    """Keeps what the floor logs of the kind that must not happen; everything else is dropped at once."""

    def __init__(self) -> None:
        self.bad: list[str] = []

    def __call__(self, _logger: object, _method: str, event: Any) -> Any:
        if event.get("exc_info") or event.get("event") in ("session failed",):
            error = event.get("exc_info")
            told = "".join(traceback.format_exception(sys.exc_info()[1])[-3:]) if error is True else repr(error)
            self.bad.append(f"logged: {event.get('event')}: {event.get('error', '')} {told}")
        raise structlog.DropEvent


def run_one(tier: str, names: str, seed: int) -> Outcome:
    """Run one seed under the troubles of some names, with plus signs between."""
    troubles = tuple(TROUBLES[name] for name in names.split("+"))
    log = Watchman()
    structlog.configure(processors=[log], cache_logger_on_first_use=False)
    began = time.process_time()
    home = Path(tempfile.mkdtemp(prefix="campaign-", dir=RAM if RAM.is_dir() else None))
    try:
        with virtual_loop() as loop:
            world = World(loop, f"{names}:{seed}", home / "home")
            found = loop.run_until_complete(_course(world, troubles, log))
            violations = judge(found)
            trace = trace_of(found)
            recovered_s = recovery_s(found)
        world.bury()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return Outcome(
        tier=tier,
        faults=names,
        seed=seed,
        violations=tuple(violations),
        trace=trace,
        recovery_s=recovered_s,
        orders=len(found.report.orders),
        fills=len(found.report.executions),
        cpu_s=time.process_time() - began,
        fired=len(world.gateway.faults.engine.firings) + sum(trouble.deed is not None for trouble in troubles),
    )


async def _course(world: World, troubles: tuple[Trouble, ...], log: Watchman) -> Evidence:
    opens: list[tuple[float, bool]] = []
    async with world.server:
        world.loop.create_task(_sample(world, opens))
        at_s = world.random.uniform(*TROUBLE_S)
        for n, trouble in enumerate(troubles):
            due_s = at_s + n * SECOND_S * world.random.random()
            world.loop.create_task(_trouble(world, trouble, 0.0 if trouble.from_start else due_s))
        world.start_floor()
        await world.until(TRADING_S)
        world.heal()
        await world.until(TRADING_S + COVER_S - 1.0)
        world.check_cover()
        return await gather(world, troubles, log, opens, at_s)


async def gather(
    world: World,
    troubles: tuple[Trouble, ...],
    log: Watchman,
    opens: list[tuple[float, bool]] | None = None,
    troubled_s: float = 0.0,
) -> Evidence:
    """Let a healed world come to rest, end the floor, and return all there is to judge by."""
    await _rest(world)
    stale = tuple(stale_feeds(world))
    live = await _live_digest(world)
    await world.end_floor()
    await asyncio.sleep(0.1)
    stuck = [task.get_name() for task in world.loop.tasks_of(world.life)]
    facts, state, replays = _replay(world)
    return Evidence(
        world=world,
        troubles=troubles,
        report=world.book,
        facts=facts,
        state=state,
        replays=(live, *replays),
        opens_s=tuple(opens or ()),
        troubled_s=troubled_s,
        stuck=tuple(f"task {name} never ended" for name in stuck),
        logged=tuple(log.bad),
        stale=stale,
    )


async def _trouble(world: World, trouble: Trouble, at_s: float) -> None:
    await world.until(at_s)
    world.inject(*trouble.faults)
    if trouble.deed is not None:
        trouble.deed(world)


async def _sample(world: World, opens: list[tuple[float, bool]]) -> None:
    was: bool | None = None
    while True:
        if (is_open := world.is_open) != was:
            opens.append((world.now_s(), is_open))
            was = is_open
        await asyncio.sleep(SAMPLE_S)


async def _rest(world: World) -> None:
    quiet_s = 0.0
    while world.now_s() < world.trading_s + SETTLE_MAX_S and quiet_s < QUIET_S:
        await asyncio.sleep(1.0)
        quiet_s = quiet_s + 1.0 if await world.is_at_rest() else 0.0


async def _live_digest(world: World) -> str:
    return "no floor" if world.floor is None else await world.ask(_digest)


def _replay(world: World) -> tuple[tuple[AnyFact, ...], FloorState, tuple[str, ...]]:
    digests = []
    facts: tuple[AnyFact, ...] = ()
    state = FloorState()
    for _ in range(2):
        state = FloorState()
        with recover(world.home) as recovered:
            facts = tuple(fact for _, fact in recovered.facts())
        for fact in facts[: world.facts_at_digest]:
            state.apply(fact)
        digests.append(_digest(state))
    for fact in facts[world.facts_at_digest :]:
        state.apply(fact)
    return facts, state, tuple(digests)


def _digest(state: FloorState) -> str:
    parts = [list(_orders(state.orders)), sorted(state.breaks)]
    for name in sorted(state.books.strategies()):
        book = state.books.book(name)
        parts.append([name, sorted(book.cash.items()), sorted(book.positions.items())])
    return hashlib.sha256(msgspec.json.encode(parts, enc_hook=str)).hexdigest()[:16]


def _orders(table: OrderTable) -> Iterator[Any]:
    for order in sorted(table, key=lambda order: order.cl_ord_id):
        yield order.cl_ord_id, order.status, order.order_id, order.perm_ids, order.cum_qty, order.avg_px


def trace_of(found: Evidence) -> str:
    """Return a digest of all that the gateway recorded and the floor journaled."""
    digest = hashlib.sha256(book_hash(found.report).encode())
    for fact in found.facts:
        digest.update(msgspec.json.encode(fact))
    return digest.hexdigest()[:16]


__all__ = ["Outcome", "VirtualLoop", "run_one"]
