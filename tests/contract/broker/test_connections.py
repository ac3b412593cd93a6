"""Connections against the simulated gateway and its faults: its own record says what happened."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from ibfloor.broker.ib.client import ClientIdTaken
from ibfloor.broker.ib.link_states import EDGES
from ibfloor.model.fact import SessionChanged, SessionState
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.instrument import Stock
from ibfloor.model.market import MarketEvent, Quote
from ibfloor.model.order import OrderRequest, OrdType, Side
from ibfloor.sim.faults import Fault
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.lab import GatewayLab

pytestmark = pytest.mark.timeout(40)


def states(floor: Any, session: str) -> list[SessionState]:
    return [fact.state for fact in floor.facts.of(SessionChanged) if fact.session == session]


async def until(condition: Callable[[], Any], within_s: float = 12.0) -> Any:
    async with asyncio.timeout(within_s):
        while not (found := condition()):  # noqa: ASYNC110 - the gateway tells by its state
            await asyncio.sleep(0.005)
    return found


@pytest.fixture
def in_lab(floor_at: Any) -> Callable[..., None]:
    """Run a test with a lab and a floor's clients on it."""

    def run(test: Callable[[GatewayLab, Any], Awaitable[None]], **settings: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(35), GatewayLab() as lab:
                await test(lab, floor_at(lab.port, **settings))

        asyncio.run(bounded())

    return run


@pytest.mark.slow
@pytest.mark.parametrize("way", ["both", "out", "in"])
def test_a_half_open_connection_is_known_within_eight_seconds_and_left(in_lab: Any, way: Any) -> None:
    async def test(lab: GatewayLab, floor: Any) -> None:
        session = floor.clients.order_session("alpha", 10)
        await session.open()
        lab.inject(Fault(name="mute", what=do.Mute(way=way)))
        began = time.monotonic()
        await until(lambda: SessionState.DISCONNECTED in states(floor, "alpha"))
        assert time.monotonic() - began < 8 + 3, "and three for a machine that is busy"
        lab.clear("mute")
        await until(lambda: session.can_send)
        await session.close()

    # The real probe: every 5 s, with 3 s to answer.
    in_lab(test, heartbeat_s=5.0, heartbeat_deadline_s=3.0)


def test_a_broken_farm_leaves_every_session_as_it_is(in_lab: Any) -> None:
    async def test(lab: GatewayLab, floor: Any) -> None:
        sessions = (floor.clients.order_session("alpha", 10), floor.clients.data_session(lambda batch: None))
        for session in sessions:
            await session.open()
        told = len(floor.facts.of(SessionChanged))
        lab.inject(Fault(name="farm", what=do.FarmDown()))
        await until(lambda: all(session.farms_broken for session in sessions))
        assert [session.state for session in sessions] == [SessionState.CONNECTED] * 2
        assert sessions[0].can_send
        lab.clear("farm")
        await until(lambda: not any(session.farms_broken for session in sessions))
        assert len(floor.facts.of(SessionChanged)) == told
        for session in sessions:
            await session.close()

    in_lab(test, heartbeat_s=30.0)


def test_market_data_taken_by_another_session_comes_back_by_itself(in_lab: Any) -> None:
    async def test(lab: GatewayLab, floor: Any) -> None:
        ticks: list[MarketEvent] = []
        data = floor.clients.data_session(ticks.extend)
        orders = floor.clients.order_session("alpha", 10)
        await data.open()
        await orders.open()
        data.subscribe(await data.resolve(Stock("SPY")))
        lab.quote("SPY", "168.00", "168.02", after_s=1)
        await until(lambda: any(isinstance(tick, Quote) for tick in ticks))
        lab.inject(Fault(name="compete", what=do.Compete(for_s=0)))
        await asyncio.sleep(0.3)  # several tries in vain
        assert orders.can_send
        lab.clear("compete")
        ticks.clear()

        def comes_again() -> bool:
            lab.quote("SPY", "168.10", "168.12", after_s=1)
            return any(isinstance(tick, Quote) and tick.bid_px == 168.10 for tick in ticks)

        await until(comes_again)
        for session in (orders, data):
            await session.close()

    in_lab(test, resubscribe_first_s=0.02, resubscribe_max_s=0.1)


@pytest.mark.parametrize("is_allowed", [True, False])
def test_a_gateway_that_moves_is_followed_to_an_allowed_port_alone(
    in_lab: Any, unused_port: int, is_allowed: bool
) -> None:
    async def test(lab: GatewayLab, floor: Any) -> None:
        session = floor.clients.order_session("alpha", 10)
        await session.open()
        lab.inject(Fault(name="move", what=do.MovePort(port=unused_port)))
        if is_allowed:
            await until(
                lambda: states(floor, "alpha")[-1] is SessionState.CONNECTED and len(states(floor, "alpha")) > 2
            )
            another = floor.clients.order_session("beta", 11)  # whoever comes later is told, too
            await another.open()
            await another.close()
        else:
            await until(lambda: states(floor, "alpha")[-1] is SessionState.CONNECTING)
            await asyncio.sleep(0.3)
            assert not session.can_send
        await session.close()

    in_lab(test, moved_ports=(unused_port,) if is_allowed else (unused_port + 1,))


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_an_id_in_use_is_asked_for_again_and_never_answered_with_another(in_lab: Any) -> None:
    async def test(lab: GatewayLab, floor: Any) -> None:
        first = floor.clients.order_session("alpha", 10)
        await first.open()
        lab.inject(Fault(name="hold", what=do.HoldId(for_s=0)))
        second = floor.clients.order_session("alpha", 10)
        with pytest.raises(ClientIdTaken, match="client id 10"):
            await second.open()
        lab.cut_connections()  # the first is cut, and the gateway keeps its id in use
        await until(lambda: any("326" in fact.detail for fact in floor.facts.of(SessionChanged)))
        lab.clear("hold")
        await until(lambda: first.can_send)
        assert {fact.client_id for fact in floor.facts.of(SessionChanged)} == {10}
        await first.close()

    in_lab(test)


def test_an_api_that_may_only_read_is_told_at_every_connect(in_lab: Any) -> None:
    async def test(lab: GatewayLab, floor: Any) -> None:
        told: list[bool] = []
        master = floor.clients.master_session(lambda report: None, on_read_only=told.append)
        await master.open()
        await until(lambda: told == [False])
        lab.inject(Fault(name="read-only", what=do.ReadOnly()))
        lab.cut_connections()
        await until(lambda: told == [False, True])
        lab.clear("read-only")
        lab.cut_connections()
        await until(lambda: told == [False, True, False])
        assert (await master.snapshot()).open_orders == ()
        assert lab.book.orders == []
        await master.close()

    in_lab(test)


@pytest.mark.slow
def test_all_sessions_together_keep_the_accounts_budget_and_cancels_have_room_in_it(in_lab: Any, spy: Any) -> None:
    async def test(lab: GatewayLab, floor: Any) -> None:
        lab.quote("SPY", "168.00", "168.02", after_s=1)
        sessions = [floor.clients.order_session(StrategyId(f"s{n}"), 10 + n) for n in range(4)]
        for session in sessions:
            await session.open()
        await asyncio.sleep(1.1)  # the handshakes are over
        came: deque[tuple[float, str]] = deque()
        receive = lab.gateway.route

        def counted(session: Any, request: Any, values: Any) -> None:
            came.append((time.monotonic(), request.name))
            receive(session, request, values)

        lab.gateway.route = counted  # type: ignore[method-assign]
        stalls = [0.0]
        measuring = asyncio.create_task(_measure_stalls(stalls))
        ids = [(session, session.next_order_id()) for session in sessions for _ in range(30)]
        for number, (session, order_id) in enumerate(ids):
            session.submit(_resting(session, number), lab.instrument("SPY"), order_id)
        await until(lambda: sum(request == "place_order" for _, request in came) >= 12)
        asked = time.monotonic()
        for session, order_id in ids[:8]:
            session.cancel(order_id)
        await until(lambda: sum(request == "cancel_order" for _, request in came) >= 8)
        assert time.monotonic() - asked < 0.5 + 2 * max(stalls), "cancels wait behind no order"
        await until(lambda: sum(request == "place_order" for _, request in came) >= 120)
        measuring.cancel()
        # Bytes wait in the socket while this loop stands still: that much closer they may come than they left.
        span_s = max(0.05, 0.98 - 2 * max(stalls))
        for first, _ in came:
            in_second = [(at, request) for at, request in came if first <= at < first + span_s]
            assert len(in_second) <= 40
            assert sum(request == "place_order" for _, request in in_second) <= 30
        for session in sessions:
            await session.close()

    in_lab(test, heartbeat_s=60.0)


async def _measure_stalls(stalls: list[float]) -> None:
    while True:
        before = time.monotonic()
        await asyncio.sleep(0.005)
        stalls.append(time.monotonic() - before - 0.005)


def _resting(session: Any, number: int) -> OrderRequest:
    return OrderRequest(
        cl_ord_id=ClientOrderId(f"s{session.client_id - 10}:{number + 1}"),
        strategy=StrategyId(f"s{session.client_id - 10}"),
        instrument_id=InstrumentId(756733),
        side=Side.BUY,
        order_qty=Decimal(1),
        ord_type=OrdType.LIMIT,
        limit_px=Decimal("150.00"),
    )


def test_every_state_can_be_left_and_reached_and_nothing_leads_out_of_the_end_but_opening() -> None:
    every = set(SessionState)
    assert {start for start, _ in EDGES} == every
    assert {end for _, end in EDGES} | {SessionState.DISCONNECTED} == every
    for over in (SessionState.CLOSED, SessionState.FAILED):
        assert {end for start, end in EDGES if start is over} == {SessionState.CONNECTING}
