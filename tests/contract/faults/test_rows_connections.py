"""IB's known failures, row by row, by preset and seed: connections, and what the gateway has of IB.

Each row says what a client receives and what stands in the gateway's own book, and does it twice alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import pytest

from ibfloor.sim.faults.presets import PRESETS, plan_of
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec.kinds import Scalar
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.raw_client import RawClient, Told

Play = Callable[..., str]
Arm = Callable[[], None]
Scene = Callable[[GatewayLab, Arm], Coroutine[Any, Any, None]]
SPY: dict[str, Scalar] = {"symbol": "SPY", "sec_type": "STK", "exchange": "SMART", "currency": "USD"}


class Row(NamedTuple):
    name: str
    preset: str
    seed: int
    scene: Scene


ROWS: list[Row] = []


def row(name: str, preset: str, seed: int = 1) -> Callable[[Scene], Scene]:
    def keep(scene: Scene) -> Scene:
        ROWS.append(Row(name, preset, seed, scene))
        return scene

    return keep


def codes(told: list[Told]) -> list[int]:
    found = [int(str(one.values["code"])) for one in told if one.name == "error"]
    return [code for code in found if code != 2199]


def count(told: list[Told], name: str) -> int:
    return sum(one.name == name for one in told)


async def started(lab: GatewayLab, client_id: int = 1) -> RawClient:
    client = await RawClient.start(lab.port, client_id)
    await client.drain()
    return client


async def is_silent(client: RawClient) -> bool:
    client.send(ask.REQ_CURRENT_TIME)
    try:
        await asyncio.wait_for(client.reader.readexactly(1), 0.05)
    except TimeoutError:
        return True
    return False


@row("1100 and 1102: orders wait and are told afterwards", "outage")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.place(1, 10)
    assert codes(await client.drain()) == [1100]
    assert lab.book.orders == []
    lab.advance(30)
    told = await client.drain()
    assert codes(told) == [1102]
    assert count(told, "exec_details") == len(lab.book.executions) == 1
    client.close()


@row("1101: subscriptions are gone", "outage-data-lost")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
    await client.drain()
    arm()
    lab.advance(30)
    assert codes(await client.drain()) == [1100, 1101]
    lab.quote("SPY", "168.10", "168.12", after_s=1)
    assert count(await client.drain(), "tick_price") == 0
    assert [one.code for one in lab.book.sent if one.code in (1100, 1101)] == [1100, 1101]
    client.close()


@row("1100 inside a batch of fills", "outage-in-fills")
async def _(lab: GatewayLab, arm: Arm) -> None:
    arm()
    client = await started(lab)
    client.place(1, 30, "168.01")
    await client.drain()
    for _ in range(3):
        lab.trade("SPY", "168.00", 10, after_s=1)
    lab.advance(10)
    told = await client.drain()
    assert count(told, "exec_details") == 1
    assert codes(told) == [1100, 1102]
    assert len(lab.book.executions) == 3
    client.send(ask.REQ_EXECUTIONS, req_id=9)
    assert count(await client.drain(), "exec_details") == 3
    client.close()


@row("A change during an outage makes two live permanent ids", "outage-fork")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    client.place(1, 10, "160.00")
    await client.drain()
    arm()
    client.place(1, 10, "161.00")
    await client.drain()
    lab.advance(30)
    await client.drain()
    client.send(ask.REQ_ALL_OPEN_ORDERS)
    shown = [one.values for one in await client.drain() if one.name == "open_order"]
    assert {one["order_id"] for one in shown} == {1}
    assert {one["perm_id"] for one in shown} == {order.perm_id for order in lab.book.orders}
    assert [order.status for order in lab.book.orders] == ["Submitted", "Submitted"]
    client.close()


@row("2110: TWS and its server apart", "server-broken")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.place(1, 10)
    assert codes(await client.drain()) == [2110]
    assert lab.book.executions == []
    lab.advance(30)
    assert codes(await client.drain()) == [1102]
    assert len(lab.book.executions) == 1
    client.close()


@row("2103 and 2104: a farm flaps, orders go on", "farm-flap")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
    await client.drain()
    arm()
    lab.quote("SPY", "168.10", "168.12", after_s=1)
    client.place(1, 10)
    told = await client.drain()
    assert codes(told) == [2103]
    assert (count(told, "tick_price"), count(told, "exec_details")) == (0, 1)
    for _ in range(12):
        lab.advance(5)
    assert codes(await client.drain()) == [2104, 2103]
    assert len(lab.book.executions) == 1
    client.close()


@row("2105 and 2106: no history for a while", "history-farm-down")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.send(ask.REQ_HISTORICAL_DATA, req_id=7, **SPY, duration="1 D", bar_size="1 min", what="TRADES")
    client.place(1, 10)
    told = await client.drain()
    assert codes(told) == [2105, 162]
    lab.advance(60)
    assert codes(await client.drain()) == [2106]
    assert len(lab.book.executions) == 1, "orders do not need history"
    client.close()


@row("2107 and 2108: idle farms are no trouble", "farms-idle")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
    await client.drain()
    arm()
    lab.quote("SPY", "168.10", "168.12", after_s=1)
    told = await client.drain()
    assert sorted(codes(told)) == [2107, 2108]
    assert count(told, "tick_price") > 0
    assert {one.code for one in lab.book.sent} >= {2107, 2108}
    client.close()


async def refused(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    client.place(1, 10, "150.00")
    await client.drain()
    arm()
    with pytest.raises((ConnectionError, TimeoutError)):
        await asyncio.wait_for(RawClient.start(lab.port, 2), 0.3)
    lab.advance(60)
    (await RawClient.start(lab.port, 3)).close()
    assert [order.status for order in lab.book.orders] == ["Submitted"]
    client.close()


row("502: refused", "refused")(refused)
row("504: closed in the handshake", "cut-greeting")(refused)
row("504: connected and never greeted", "no-greeting")(refused)


@row("507: a length that is none", "bad-length")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.place(1, 10)
    with pytest.raises((TimeoutError, ConnectionError)):
        await asyncio.wait_for(client.until("order_status", status="Filled"), 0.2)
    assert [order.status for order in lab.book.orders] == ["Filled"]
    client.close()


@row("507: a frame that ends too early", "cut-frame")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.place(1, 10)
    assert (await client.read()).name == "open_order"
    with pytest.raises((TimeoutError, ConnectionError)):
        await asyncio.wait_for(client.until("order_status", status="PreSubmitted"), 0.2)
    assert len(lab.book.executions) == 1
    client.close()


@row("Bytes arrive in pieces", "torn-frames", seed=3)
async def _(lab: GatewayLab, arm: Arm) -> None:
    arm()
    client = await started(lab)
    for order_id in range(1, 41):
        client.place(order_id, 1)
    torn = 0
    while torn < len(lab.gateway.faults.engine.firings) or not lab.book.executions:
        torn = len(lab.gateway.faults.engine.firings)
        other = await RawClient.start(lab.port, 2)
        other.close()
        lab.advance(1)
    for _ in range(20):
        lab.advance(1)
    told = await client.drain()
    assert torn > 0
    assert count(told, "exec_details") == len(lab.book.executions) == 40
    assert count(told, "?") == 0
    client.close()


@row("Frames of garbage between sound ones", "garbage", seed=3)
async def _(lab: GatewayLab, arm: Arm) -> None:
    arm()
    client = await started(lab)
    for order_id in range(1, 21):
        client.place(order_id, 1)
    told = await client.drain()
    assert count(told, "?") == len(lab.gateway.faults.engine.firings) > 0
    assert count(told, "exec_details") == len(lab.book.executions) == 20
    client.close()


@row("326: the id is still in use", "id-held")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client, other = await started(lab), await started(lab, 2)
    client.place(1, 10, "150.00")
    await client.drain()
    arm()
    client.writer.transport.abort()
    while 1 in lab.gateway.sessions:
        await other.drain()
    again = await RawClient.open(lab.port)
    again.send(ask.START_API, client_id=1)
    assert codes(await again.until("error")) == [326]
    assert await again.is_cut()
    lab.advance(60)
    back = await started(lab)
    back.send(ask.REQ_OPEN_ORDERS)
    assert count(await back.drain(), "open_order") == 1
    assert [order.status for order in lab.book.orders] == ["Submitted"]
    for one in (client, other, again, back):
        one.close()


@row("1300: the port moves", "port-moves")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    client.place(1, 10, "150.00")
    await client.drain()
    arm()
    assert codes(await client.until("error", code=1300)) == [1300]
    assert await client.is_cut()
    back = await started(lab)
    back.send(ask.REQ_OPEN_ORDERS)
    assert count(await back.drain(), "open_order") == len(lab.book.orders) == 1
    lab.gateway.book.sent.clear()  # a free port is the system's choice
    for one in (client, back):
        one.close()


@row("Half-open: no byte passes either way", "half-open")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.place(1, 10)
    assert await is_silent(client)
    assert lab.book.orders == []
    lab.advance(60)
    await client.until("commission")
    assert len(lab.book.executions) == 1
    client.close()


@row("Half-open: heard, but never answered", "mute")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.place(1, 10)
    assert await is_silent(client)
    assert len(lab.book.executions) == 1, "the order is filled, and nobody knows"
    lab.advance(60)
    await client.until("commission")
    client.close()


@row("Half-open: told, but never heard", "deaf")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
    await client.drain()
    arm()
    client.place(1, 10)
    lab.quote("SPY", "168.10", "168.12", after_s=1)
    await client.until("tick_price")
    assert lab.book.orders == []
    lab.advance(60)
    await client.until("commission")
    assert len(lab.book.executions) == 1
    client.close()


@row("A slow reader is dropped", "slow-reader")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    client.place(1, 10, "150.00")
    await client.drain()
    session = lab.gateway.sessions[1]
    arm()
    while 1 in lab.gateway.sessions:
        for _ in range(500):
            session.fail(-1, 2100, "x" * 1000)
        lab.advance(1)
        await asyncio.sleep(0)
    assert await client.is_cut()
    assert [order.status for order in lab.book.orders] == ["Submitted"]
    lab.gateway.book.sent.clear()  # how many were written is the socket's secret
    client.close()


@row("The nightly reset holds executions back", "nightly-reset")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.place(1, 10)
    client.place(2, 20)
    assert count(await client.drain(), "exec_details") == 0
    assert len(lab.book.executions) == 2
    lab.advance(600)
    assert count(await client.drain(), "exec_details") == 2
    client.close()


@row("An auto-restart: ids fall back and are given again", "auto-restart")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    for order_id in range(1, 8):
        client.place(order_id, 10)
    await client.drain()
    arm()
    assert await client.is_cut()
    with pytest.raises(ConnectionError):
        await RawClient.start(lab.port, 1)
    lab.advance(60)
    again = await RawClient.open(lab.port)
    again.send(ask.START_API, client_id=1)
    assert (await again.until("next_valid_id"))[-1].values["order_id"] == 3
    again.place(3, 5)
    await again.until("commission")
    orders = lab.book.orders
    assert [order.order_id for order in orders] == [1, 2, 3, 4, 5, 6, 7, 3]
    assert len({order.perm_id for order in orders}) == 8
    for one in (client, again):
        one.close()


@row("An order in flight at a reset never was", "order-in-flight")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.place(1, 10)
    assert await client.is_cut()
    back = await started(lab)
    back.send(ask.REQ_ALL_OPEN_ORDERS)
    assert count(await back.drain(), "open_order") == len(lab.book.orders) == 0
    for one in (client, back):
        one.close()


@row("A reset in the middle of the answer: the order is there", "reset-in-answer")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.place(1, 10)
    with pytest.raises(ConnectionError):
        await client.until("exec_details")
    back = await started(lab)
    back.send(ask.REQ_EXECUTIONS, req_id=1)
    assert count(await back.drain(), "exec_details") == len(lab.book.executions) == 1
    for one in (client, back):
        one.close()


@row("Sunday: no login for six hours", "sunday-login")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    client.place(1, 10, "150.00", tif="GTC")
    await client.drain()
    arm()
    assert await client.is_cut()
    for hours in range(6):
        with pytest.raises(ConnectionError):
            await RawClient.start(lab.port, 1)
        assert hours < 6
        lab.advance(3600)
    (await RawClient.start(lab.port, 1)).close()
    assert [order.status for order in lab.book.orders] == ["Submitted"]
    client.close()


@row("10197: another session has the data", "competing-session")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
    await client.drain()
    arm()
    client.send(ask.REQ_MKT_DATA, req_id=6, **SPY)
    client.place(1, 10)
    told = await client.drain()
    assert codes(told) == [10197, 10197]
    assert count(told, "exec_details") == len(lab.book.executions) == 1
    lab.advance(30)
    client.send(ask.REQ_MKT_DATA, req_id=7, **SPY)
    assert count(await client.drain(), "tick_price") > 0
    client.close()


@pytest.mark.parametrize("one", ROWS, ids=lambda one: one.name)
def test_a_row_happens_by_its_preset_and_seed_on_the_wire_and_in_the_book(play: Play, one: Row) -> None:
    async def scene(lab: GatewayLab) -> None:
        def arm() -> None:
            for fault in plan_of(one.preset).faults:
                lab.inject(fault)

        await one.scene(lab, arm)
        assert any(line.fired for line in lab.gateway.faults.rows())

    assert one.preset in PRESETS
    assert play(scene, seed=one.seed) == play(scene, seed=one.seed)
