"""IB's known failures, row by row, by preset and seed: orders, executions, fees and positions.

Each row says what a client receives and what stands in the gateway's own book, and does it twice alike.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from ibfloor.sim.faults.presets import PRESETS, plan_of
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.raw_client import RawClient, Told

Play = Callable[..., str]
Arm = Callable[[], None]
Scene = Callable[[GatewayLab, Arm], Coroutine[Any, Any, None]]


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


def of(told: list[Told], name: str) -> list[dict[str, object]]:
    return [dict(one.values) for one in told if one.name == name]


async def started(lab: GatewayLab, client_id: int = 1) -> RawClient:
    client = await RawClient.start(lab.port, client_id)
    await client.drain()
    return client


def lives_on(code: int, why_held: str = "") -> Scene:
    async def scene(lab: GatewayLab, arm: Arm) -> None:
        client = await started(lab)
        arm()
        client.place(1, 10, "168.01")
        told = await client.drain()
        assert [(one["req_id"], one["code"]) for one in of(told, "error")] == [(1, code)]
        assert of(told, "order_status")[-1]["why_held"] == why_held
        lab.trade("SPY", "168.00", 500, after_s=1)
        told = await client.drain()
        assert [one["shares"] for one in of(told, "exec_details")] == [10]
        assert [(order.status, order.filled_qty) for order in lab.book.orders] == [("Filled", Decimal(10))]
        client.close()

    return scene


row("10349: information, then a fill", "tif-preset")(lives_on(10349))
row("201, then a fill", "reject-then-fill")(lives_on(201))
row("399: a warning", "order-warning")(lives_on(399))
row("404: held for a locate", "held-order")(lives_on(404, "locate"))


def refused(code: int) -> Scene:
    async def scene(lab: GatewayLab, arm: Arm) -> None:
        client = await started(lab)
        arm()
        client.place(1, 10)
        told = await client.drain()
        assert [(one["req_id"], one["code"]) for one in of(told, "error")] == [(1, code)]
        assert count(told, "open_order") == len(lab.book.orders) == 0
        client.place(2, 10)
        assert count(await client.drain(), "exec_details") == len(lab.book.executions) == 1
        client.close()

    return scene


row("103: a new order's id is told used", "duplicate-id")(refused(103))
row("200 answers an order", "order-contract-unknown")(refused(200))


@row("104, 105, 106, 110, 201, 321: a refused change leaves the order", "changes-refused")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.place(1, 10, "150.00")
    assert codes(await client.drain()) == []
    for cents in range(6):
        client.place(1, 10, f"151.{cents:02}")
    assert codes(await client.drain()) == [104, 105, 106, 110, 201, 321]
    assert [(order.status, order.limit_px) for order in lab.book.orders] == [("Submitted", Decimal(150))]
    client.place(1, 10, "152.00")
    assert codes(await client.drain()) == []
    assert lab.book.orders[0].limit_px == 152
    client.close()


@row("135, 161, 10147, 10148: a refused cancel leaves the order", "cancels-refused")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.place(1, 10, "150.00")
    for _ in range(4):
        client.send(ask.CANCEL_ORDER, order_id=1)
    assert codes(await client.drain()) == [135, 161, 10147, 10148]
    assert [order.status for order in lab.book.orders] == ["Submitted"]
    client.send(ask.CANCEL_ORDER, order_id=1)
    assert codes(await client.drain()) == [202]
    assert [order.status for order in lab.book.orders] == ["Cancelled"]
    client.close()


@row("10148: a fill wins against a cancel", "cancel-race")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.place(1, 10, "150.00")
    client.send(ask.CANCEL_ORDER, order_id=1)
    told = await client.drain()
    assert (codes(told), count(told, "exec_details")) == ([10148], 1)
    assert [(order.status, order.filled_qty) for order in lab.book.orders] == [("Filled", Decimal(10))]
    client.close()


@row("202, then a fill", "fill-after-cancel")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.place(1, 10, "150.00")
    client.send(ask.CANCEL_ORDER, order_id=1)
    assert codes(await client.drain()) == [202]
    assert [order.status for order in lab.book.orders] == ["Cancelled"]
    lab.advance(2)
    assert count(await client.drain(), "exec_details") == len(lab.book.executions) == 1
    assert [order.status for order in lab.book.orders] == ["Filled"]
    client.close()


@row("A part fills while the cancel is pending", "fill-in-pending-cancel")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.place(1, 10, "150.00")
    client.send(ask.CANCEL_ORDER, order_id=1)
    told = await client.drain()
    states = [(one["status"], one["filled"], one["remaining"]) for one in of(told, "order_status")]
    assert states[-3:] == [("PendingCancel", 0, 10), ("Submitted", 5, 5), ("Cancelled", 5, 5)]
    assert [one["shares"] for one in of(told, "exec_details")] == [5]
    (order,) = lab.book.orders
    assert (order.status, order.filled_qty) == ("Cancelled", sum(one.qty for one in lab.book.executions))
    client.close()


@row("No reply at all", "no-ack", seed=5)
async def _(lab: GatewayLab, arm: Arm) -> None:
    arm()
    client = await started(lab)
    for order_id in range(1, 101):
        client.place(order_id, 1, "150.00")
    told = await client.drain()
    heard = {one["order_id"] for one in of(told, "open_order")}
    placed = {order.order_id for order in lab.book.orders}
    assert heard == placed
    assert 1 <= 100 - len(placed) <= 12
    states = [one["order_id"] for one in of(told, "order_status")]
    assert any(states.count(order_id) < 2 for order_id in placed)
    client.close()


@row("States come twice, out of order, or not at all", "status-noise", seed=5)
async def _(lab: GatewayLab, arm: Arm) -> None:
    arm()
    client = await started(lab)
    for order_id in range(1, 41):
        client.place(order_id, 1)
    await client.drain()
    lab.advance(10)
    fates = {"drop": 0, "duplicate": 0, "reorder": 0}
    for firing in lab.gateway.faults.engine.firings:
        fates[firing.do] += 1
    assert min(fates.values()) > 0
    sent = [one for one in lab.book.sent if one.message == "order_status"]
    assert 120 - fates["drop"] <= len(sent) <= 120 + fates["duplicate"]
    assert len(sent) != 120
    assert {order.status for order in lab.book.orders} == {"Filled"}
    client.close()


@row("An execution comes before its order", "exec-first", seed=2)
async def _(lab: GatewayLab, arm: Arm) -> None:
    arm()
    client = await started(lab)
    first = 0
    for order_id in range(1, 21):
        client.place(order_id, 1)
        told = [one.name for one in await client.drain()]
        first += "open_order" not in told[: told.index("exec_details")]
    assert 1 <= first <= 15
    assert len(lab.book.executions) == 20
    client.close()


@row("A fee comes late", "late-fees")
async def _(lab: GatewayLab, arm: Arm) -> None:
    arm()
    client = await started(lab)
    client.place(1, 10)
    told = await client.drain()
    assert (count(told, "exec_details"), count(told, "commission")) == (1, 0)
    lab.advance(60)
    (fee,) = of(await client.drain(), "commission")
    assert fee["commission"] == lab.book.executions[0].commission == 1
    client.close()


@row("A fee never comes", "no-fees")
async def _(lab: GatewayLab, arm: Arm) -> None:
    arm()
    client = await started(lab)
    client.place(1, 10)
    lab.advance(3600)
    told = await client.drain()
    assert (count(told, "exec_details"), count(told, "commission")) == (1, 0)
    book = lab.book
    assert book.executions[0].commission == 1
    assert book.cash["USD"] == 1_000_000 - 10 * book.executions[0].px - 1
    client.close()


@row("A fee comes first", "fees-first")
async def _(lab: GatewayLab, arm: Arm) -> None:
    arm()
    client = await started(lab)
    client.place(1, 10)
    told = [one.name for one in await client.drain()]
    assert told.index("commission") < told.index("exec_details")
    assert len(lab.book.executions) == 1
    client.close()


@row("An execution is corrected", "corrections", seed=2)
async def _(lab: GatewayLab, arm: Arm) -> None:
    arm()
    client = await started(lab)
    for order_id in range(1, 21):
        client.place(order_id, 1)
    await client.drain()
    lab.advance(30)
    told = {str(one["exec_id"]): one["price"] for one in of(await client.drain(), "exec_details")}
    assert 1 <= len(told) <= 12
    book = {one.exec_id: one.px for one in lab.book.executions}
    assert {exec_id: px for exec_id, px in book.items() if exec_id.endswith(".02")} == told
    assert set(told.values()) == {Decimal("168.03")}
    paid = sum(one.px + one.commission for one in lab.book.executions)
    assert lab.book.cash["USD"] == 1_000_000 - paid
    client.close()


@row("An execution is taken back", "bust")
async def _(lab: GatewayLab, arm: Arm) -> None:
    arm()
    client = await started(lab)
    client.send(ask.REQ_POSITIONS)
    client.place(1, 10)
    assert count(await client.drain(), "exec_details") == 1
    lab.advance(30)
    told = await client.drain()
    assert [one["position"] for one in of(told, "position")] == [0]
    assert count(told, "exec_details") == 0
    assert lab.book.executions == []
    assert lab.book.cash["USD"] == 1_000_000
    client.close()


@row("A change makes a second order", "fork")
async def _(lab: GatewayLab, arm: Arm) -> None:
    arm()
    client = await started(lab)
    client.place(1, 10, "150.00")
    client.place(1, 10, "168.05")
    told = await client.drain()
    assert {one["order_id"] for one in of(told, "order_status")} == {1}
    assert len({one["perm_id"] for one in of(told, "order_status")}) == 2
    assert [(order.order_id, order.status) for order in lab.book.orders] == [(1, "Submitted"), (1, "Filled")]
    client.close()


@row("An order by hand", "manual-order")
async def _(lab: GatewayLab, arm: Arm) -> None:
    master, other = await started(lab, 0), await started(lab, 1)
    arm()
    assert {one["order_id"] for one in of(await master.drain(), "open_order")} == {0}
    assert of(await other.drain(), "open_order") == []
    assert [(order.client_id, order.order_id, int(order.qty)) for order in lab.book.orders] == [(0, 0, 100)]
    for one in (master, other):
        one.close()


def moves(qty: int) -> Scene:
    async def scene(lab: GatewayLab, arm: Arm) -> None:
        client = await started(lab)
        client.send(ask.REQ_POSITIONS)
        client.place(1, 10)
        await client.drain()
        arm()
        told = await client.drain()
        assert [one["position"] for one in of(told, "position")] == [qty]
        assert count(told, "exec_details") == 0
        book = lab.book
        assert [int(one.qty) for one in book.positions] == [qty]
        assert [int(one.qty) for one in book.executions] == [10]
        assert [int(move.qty) for move in book.accounts[0].moves] == [qty - 10]
        client.close()

    return scene


row("Positions drift: a split", "split")(moves(20))
row("Positions drift: an assignment", "assignment")(moves(-90))


@row("A bracket is cut between its legs", "bracket-cut")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.place(1, 10, "168.05", transmit=False)
    client.place(2, 10, "170.00", action="SELL", parent_id=1, transmit=False)
    client.place(3, 10, action="SELL", parent_id=1, order_type="STP", aux_price="160.00")
    assert await client.is_cut()
    back = await started(lab)
    back.send(ask.REQ_OPEN_ORDERS)
    assert {one["order_id"] for one in of(await back.drain(), "open_order")} == {1}
    assert [order.status for order in lab.book.orders] == ["PreSubmitted"], "held: its last leg never came"
    for one in (client, back):
        one.close()


@row("A what-if without margins", "unset-margins")
async def _(lab: GatewayLab, arm: Arm) -> None:
    arm()
    client = await started(lab)
    client.place(1, 10, what_if=True)
    (preview,) = of(await client.drain(), "open_order")
    assert preview["init_margin_change"] in (None, "", "1.7976931348623157E308")
    assert lab.book.orders == []
    client.close()


@row("Unset numbers everywhere", "unset-numbers")
async def _(lab: GatewayLab, arm: Arm) -> None:
    arm()
    client = await started(lab)
    client.place(1, 10, "168.05")
    raw: dict[str, list[str]] = {}
    while "59" not in raw:
        fields = await client.read_fields()
        raw.setdefault(fields[0], []).extend(fields)
    for message, least in (("5", 5), ("3", 2), ("59", 3)):
        assert raw[message].count("1.7976931348623157E308") >= least, message
    assert [(order.limit_px, order.avg_px) for order in lab.book.orders] == [(Decimal("168.05"), Decimal("168.02"))]
    client.close()


def told_as(text: str) -> Scene:
    async def scene(lab: GatewayLab, arm: Arm) -> None:
        arm()
        client = await started(lab)
        client.place(1, 10)
        assert [one["time"] for one in of(await client.drain(), "exec_details")] == [text]
        assert lab.book.executions[0].ts_ns == lab.start_ns
        client.close()

    return scene


row("Times without a zone", "times-no-zone")(told_as("20131007 10:00:00"))
row("Times with two spaces", "times-two-spaces")(told_as("20131007  10:00:00"))
row("Times in UTC with a dash", "times-utc")(told_as("20131007-14:00:00"))
row("Times in seconds", "times-epoch")(told_as("1381154400"))


@row("321: a read-only API", "read-only")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    client.place(1, 10, "150.00")
    await client.drain()
    arm()
    client.place(1, 20, "150.00")
    client.place(2, 10)
    client.send(ask.CANCEL_ORDER, order_id=1)
    assert codes(await client.drain()) == [321, 321, 321]
    client.send(ask.REQ_OPEN_ORDERS)
    assert count(await client.drain(), "open_order") == 1
    assert [(order.status, int(order.qty)) for order in lab.book.orders] == [("Submitted", 10)]
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
