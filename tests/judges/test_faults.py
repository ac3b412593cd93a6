"""Faults seen by real clients: what they were told is what the gateway's own book holds, and they read all of it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ib_async import IB, Fill, LimitOrder, MarketOrder, Stock, Trade

from ibfloor.sim.faults.presets import plan_of
from ibfloor.sim.gateway.lab import GatewayLab

pytestmark = pytest.mark.slow
WATCH = Path(__file__).with_name("watch.py")
BUILDS = ("9.81.1.post1", "10.37.2")
_TOLD = re.compile(r"^(Error|Warning) \d+, reqId|^Peer closed|^Disconnected|canceled|cancelled", re.IGNORECASE)


class Eyes:
    """A client of some make, and all it was told of orders."""

    def __init__(self) -> None:
        self.executions: dict[str, tuple[int, Decimal, Decimal]] = {}
        self.told: list[str] = []
        """The id of every execution, as often as it was told."""
        self.fees: dict[str, Decimal] = {}
        self.states: list[tuple[int, str]] = []
        self.codes: list[int] = []
        self.log: list[str] = []
        self.is_alive = True

    async def do(self, *wishes: list[Any]) -> None:
        """Ask for something, and return when all that came of it has been told."""
        raise NotImplementedError  # each client does it its own way

    def newest(self) -> dict[str, tuple[int, Decimal, Decimal]]:
        """Return every execution in its newest revision."""
        by_root = {exec_id.rpartition(".")[0]: exec_id for exec_id in sorted(self.executions)}
        return {exec_id: self.executions[exec_id] for exec_id in by_root.values()}


class Official(Eyes):
    """A build of the official client, in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        super().__init__()
        self._process = process

    async def do(self, *wishes: list[Any]) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wishes).encode() + b"\n")
        answer = json.loads(await self._process.stdout.readline())
        self.log, self.is_alive = answer["log"] + answer["failures"], answer["alive"]
        for event in answer["events"]:
            match event:
                case ["exec", exec_id, order_id, shares, px]:
                    self.executions[exec_id] = order_id, Decimal(shares), Decimal(px)
                    self.told.append(exec_id)
                case ["fee", exec_id, amount]:
                    self.fees[exec_id] = Decimal(amount)
                case ["status", order_id, status, _]:
                    self.states.append((order_id, status))
                case ["error", _, code]:
                    self.codes.append(code)


class IbAsync(Eyes):
    """ib_async's own IB class."""

    def __init__(self, ib: IB) -> None:
        super().__init__()
        self.ib = ib
        self._trades: dict[int, Trade] = {}
        ib.errorEvent += lambda _req_id, code, *_: self.codes.append(code)
        ib.orderStatusEvent += lambda trade: self.states.append((trade.order.orderId, trade.orderStatus.status))
        ib.execDetailsEvent += lambda _trade, fill: self._keep(fill)

    async def do(self, *wishes: list[Any]) -> None:
        wire: Any = self.ib.client
        for wish in wishes:
            match wish:
                case ["place", order_id, qty, limit]:
                    order = LimitOrder("BUY", qty, float(limit)) if limit else MarketOrder("BUY", qty)
                    order.orderId, order.tif = order_id, "DAY"
                    self._trades[order_id] = self.ib.placeOrder(Stock("SPY", "SMART", "USD"), order)
                case ["cancel", order_id]:
                    wire.cancelOrder(order_id, "")
                case ["executions"]:
                    for fill in await self.ib.reqExecutionsAsync():
                        self._keep(fill)
        await asyncio.wait_for(self.ib.reqCurrentTimeAsync(), 8)
        self.is_alive = self.ib.isConnected()
        for fill in self.ib.fills():
            if fill.commissionReport.execId:
                self.fees[fill.commissionReport.execId] = Decimal(str(fill.commissionReport.commission))

    def _keep(self, fill: Fill) -> None:
        execution = fill.execution
        self.executions[execution.execId] = (
            execution.orderId,
            Decimal(str(execution.shares)),
            Decimal(str(execution.price)),
        )
        self.told.append(execution.execId)


Open = Callable[[GatewayLab], AbstractAsyncContextManager[Eyes]]
Scene = Callable[[GatewayLab, Eyes, Callable[[], None]], Coroutine[Any, Any, None]]


def official(build: str, env: dict[str, str]) -> Open:
    @asynccontextmanager
    async def opened(lab: GatewayLab) -> AsyncIterator[Eyes]:
        command = (sys.executable, "-W", "ignore", str(WATCH), str(lab.port))
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, env=env, stdin=pipe, stdout=pipe)
        try:
            yield Official(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    return opened


@asynccontextmanager
async def ib_async_eyes(lab: GatewayLab) -> AsyncIterator[Eyes]:
    ib = IB()
    await ib.connectAsync("127.0.0.1", lab.port, clientId=7, timeout=8)
    eyes = IbAsync(ib)
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: eyes.log.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("ib_async").addHandler(handler)
    try:
        yield eyes
    finally:
        logging.getLogger("ib_async").removeHandler(handler)
        ib.disconnect()


@pytest.fixture(params=[*BUILDS, "ib_async"])
def eyes(
    request: pytest.FixtureRequest, version_of: dict[str, int], judge_env: Callable[[str], dict[str, str]]
) -> Open:
    """One make of client; the test is skipped, and said so, where it is absent."""
    if request.param == "ib_async":
        return ib_async_eyes
    assert request.param in version_of
    env = judge_env(request.param)
    if not (Path(env["PYTHONPATH"]) / "ibapi").is_dir():
        pytest.skip(f"ibapi {request.param} is not installed: run make judges")
    return official(request.param, env)


@pytest.fixture
def see(eyes: Open) -> Callable[[Scene, str, int], None]:
    """Play a scene under a preset; at its end client and book must agree."""

    def play(scene: Scene, preset: str, seed: int) -> None:
        async def within() -> None:
            async with GatewayLab(seed=seed) as lab:
                lab.quote("SPY", "168.00", "168.02", size=100_000)

                def arm() -> None:
                    for fault in plan_of(preset).faults:
                        lab.inject(fault)

                async with eyes(lab) as client:
                    await client.do()
                    await asyncio.wait_for(scene(lab, client, arm), 40)
                    agree(lab, client)

        asyncio.run(within())

    return play


def agree(lab: GatewayLab, client: Eyes) -> None:
    book = lab.book
    assert client.newest() == {row.exec_id: (row.order_id, row.qty, row.px) for row in book.executions}
    assert [text for text in client.log if not _TOLD.search(text)] == []
    assert client.is_alive


def fees_of(lab: GatewayLab) -> dict[str, Decimal]:
    return {row.exec_id: row.commission for row in lab.book.executions}


def buy(*order_ids: int) -> list[list[Any]]:
    return [["place", order_id, 10, ""] for order_id in order_ids]


See = Callable[[Scene, str, int], None]


@pytest.mark.parametrize(
    ("preset", "codes"),
    [("outage", [1100, 1102]), ("outage-data-lost", [1100, 1101]), ("server-broken", [2110, 1102])],
)
def test_orders_of_an_outage_are_told_after_it(see: See, preset: str, codes: list[int]) -> None:
    async def scene(lab: GatewayLab, client: Eyes, arm: Callable[[], None]) -> None:
        arm()
        await client.do(*buy(1, 2))
        assert client.executions == {}
        lab.advance(30)
        await client.do()
        assert [code for code in client.codes if code in (1100, 1101, 1102, 2110)] == codes
        assert len(client.executions) == 2

    see(scene, preset, 1)


def test_executions_that_an_outage_lost_are_there_when_asked_for(see: See) -> None:
    async def scene(lab: GatewayLab, client: Eyes, arm: Callable[[], None]) -> None:
        arm()
        await client.do(["place", 1, 30, "168.01"])
        for _ in range(3):
            lab.trade("SPY", "168.00", 10, after_s=1)
        lab.advance(10)
        await client.do()
        assert len(client.executions) == 1
        await client.do(["executions"])

    see(scene, "outage-in-fills", 1)


def test_an_execution_before_its_order_is_taken(see: See) -> None:
    async def scene(lab: GatewayLab, client: Eyes, arm: Callable[[], None]) -> None:
        arm()
        await client.do(*buy(*range(1, 9)))
        lab.advance(1)
        await client.do()
        assert any(row.fired for row in lab.gateway.faults.rows())
        assert client.fees == fees_of(lab)

    see(scene, "exec-first", 2)


def test_a_correction_is_the_same_execution_under_its_next_revision(see: See) -> None:
    async def scene(lab: GatewayLab, client: Eyes, arm: Callable[[], None]) -> None:
        arm()
        await client.do(*buy(*range(1, 9)))
        lab.advance(30)
        await client.do()
        assert len(client.executions) > len(lab.book.executions) == 8
        assert {exec_id for exec_id in client.newest() if exec_id.endswith(".02")}

    see(scene, "corrections", 2)


def test_states_may_come_twice_out_of_order_or_never(see: See) -> None:
    async def scene(lab: GatewayLab, client: Eyes, arm: Callable[[], None]) -> None:
        arm()
        await client.do(*buy(*range(1, 13)))
        lab.advance(10)
        await client.do()
        assert client.fees == fees_of(lab)
        assert {row.do for row in lab.gateway.faults.rows() if row.fired} == {"drop", "duplicate", "reorder"}

    see(scene, "status-noise", 5)


def test_10349_is_told_and_the_order_fills(see: See) -> None:
    async def scene(lab: GatewayLab, client: Eyes, arm: Callable[[], None]) -> None:
        arm()
        await client.do(["place", 1, 10, "168.01"])
        assert 10349 in client.codes
        lab.trade("SPY", "168.00", 500, after_s=1)
        await client.do()
        assert len(client.executions) == 1

    see(scene, "tif-preset", 1)


def test_fees_come_a_minute_late(see: See) -> None:
    async def scene(lab: GatewayLab, client: Eyes, arm: Callable[[], None]) -> None:
        arm()
        await client.do(*buy(1, 2, 3))
        assert (len(client.executions), client.fees) == (3, {})
        lab.advance(60)
        await client.do()
        assert client.fees == fees_of(lab)

    see(scene, "late-fees", 1)


def test_a_canceled_order_that_fills_all_the_same_is_told_both(see: See) -> None:
    async def scene(lab: GatewayLab, client: Eyes, arm: Callable[[], None]) -> None:
        arm()
        await client.do(["place", 1, 10, "150.00"])
        await client.do(["cancel", 1])
        assert 202 in client.codes
        lab.advance(2)
        await client.do()
        assert len(client.executions) == 1

    see(scene, "fill-after-cancel", 1)


def test_messages_in_pieces_are_read_whole(see: See) -> None:
    async def scene(lab: GatewayLab, client: Eyes, arm: Callable[[], None]) -> None:
        arm()
        asked = asyncio.ensure_future(client.do(*buy(*range(1, 31))))
        while not (await asyncio.wait({asked}, timeout=0.02))[0]:
            lab.advance(0.05)  # the rest of a torn message comes with time
        asked.result()
        assert any(row.fired for row in lab.gateway.faults.rows())
        assert client.fees == fees_of(lab)
        assert len(client.told) == len(set(client.told)) == 30

    see(scene, "torn-frames", 3)


@pytest.mark.parametrize("build", BUILDS)
def test_a_length_that_is_none_ends_the_session_and_the_next_one_finds_the_execution(
    build: str, judge_env: Callable[[str], dict[str, str]]
) -> None:
    env = judge_env(build)
    if not (Path(env["PYTHONPATH"]) / "ibapi").is_dir():
        pytest.skip(f"ibapi {build} is not installed: run make judges")

    async def within() -> None:
        async with GatewayLab(seed=1) as lab:
            lab.quote("SPY", "168.00", "168.02", size=100_000)
            async with official(build, env)(lab) as client:
                await client.do()
                for fault in plan_of("bad-length").faults:
                    lab.inject(fault)
                await client.do(*buy(1))
                assert client.log, "it cannot have read on"
                assert client.executions == {}
                assert len(lab.book.executions) == 1
            lab.cut_connections()
            async with official(build, env)(lab) as again:
                await again.do(["executions"])
                agree(lab, again)

    asyncio.run(within())
