"""IB's known failures, row by row, by preset and seed: market data, history and contracts.

Each row says what a client receives and what stands in the gateway's own book, and does it twice alike.
"""

from __future__ import annotations

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


def ask_history(client: RawClient, req_id: int, *, keep: bool = False) -> None:
    wanted: dict[str, Scalar] = {"duration": "1 D", "bar_size": "1 min", "what": "TRADES", "use_rth": False}
    client.send(ask.REQ_HISTORICAL_DATA, req_id=req_id, **SPY, **wanted, keep_up_to_date=keep)


def give_history(lab: GatewayLab, *more: str) -> None:
    lab.market.give_history("SPY", lab.start_ns - 120_000_000_000, 60_000_000_000, ["167.9", "168", *more])


def texts(told: list[Told], code: int) -> list[str]:
    return [str(one.values["text"]) for one in told if one.name == "error" and one.values["code"] == code]


def history_refused(word: str) -> Scene:
    async def scene(lab: GatewayLab, arm: Arm) -> None:
        give_history(lab)
        client = await started(lab)
        arm()
        ask_history(client, 7)
        told = await client.drain()
        assert [word in text for text in texts(told, 162)] == [True]
        assert count(told, "historical_data") == 0
        assert [one.text for one in lab.book.sent if one.code == 162] == texts(told, 162)
        client.close()

    return scene


row("162: too many requests", "pacing")(history_refused("pacing violation"))
row("162: there is no data", "history-empty")(history_refused("no data"))
row("162: an invalid step", "history-invalid")(history_refused("Invalid step"))


@row("10314 and 2174: the time zone", "history-zone")
async def _(lab: GatewayLab, arm: Arm) -> None:
    give_history(lab)
    client = await started(lab)
    arm()
    ask_history(client, 7)
    told = await client.drain()
    assert (codes(told), count(told, "historical_data")) == ([10314], 0)
    ask_history(client, 8)
    told = await client.drain()
    assert (codes(told), count(told, "historical_data")) == ([2174], 1)
    assert [(one.order_id, one.code) for one in lab.book.sent if one.code in (10314, 2174)] == [(7, 10314), (8, 2174)]
    client.close()


@row("165 is information: the stream goes on", "history-info")
async def _(lab: GatewayLab, arm: Arm) -> None:
    give_history(lab)
    client = await started(lab)
    arm()
    ask_history(client, 7, keep=True)
    told = await client.drain()
    assert (codes(told), count(told, "historical_data")) == ([165], 1)
    give_history(lab, "168.1")
    lab.advance(5)
    lab.advance(5)
    assert count(await client.drain(), "historical_update") > 0
    assert [one.code for one in lab.book.sent if one.code == 165] == [165]
    client.close()


@row("366: the historical request is no more", "history-lost")
async def _(lab: GatewayLab, arm: Arm) -> None:
    give_history(lab)
    client = await started(lab)
    ask_history(client, 7, keep=True)
    await client.drain()
    arm()
    give_history(lab, "168.1")
    lab.advance(5)
    lab.advance(5)
    told = await client.drain()
    assert (codes(told), count(told, "historical_update")) == ([366], 0)
    assert [(one.order_id, one.code) for one in lab.book.sent if one.code == 366] == [(7, 366)]
    client.close()


def bars_end(code: int) -> Scene:
    async def scene(lab: GatewayLab, arm: Arm) -> None:
        client = await started(lab)
        client.send(ask.REQ_REAL_TIME_BARS, req_id=7, **SPY, bar_size=5, what="TRADES", use_rth=False)
        lab.trade("SPY", "168.05", 100, after_s=5)
        lab.advance(5)
        await client.drain()
        arm()
        for _ in range(3):
            lab.trade("SPY", "168.05", 100, after_s=5)
        told = await client.drain()
        assert codes(told) == [code]
        assert count(told, "real_time_bar") == 0
        client.send(ask.REQ_REAL_TIME_BARS, req_id=8, **SPY, bar_size=5, what="TRADES", use_rth=False)
        await client.drain()
        for _ in range(3):
            lab.trade("SPY", "168.05", 100, after_s=5)
        assert count(await client.drain(), "real_time_bar") > 0
        assert [(one.order_id, one.code) for one in lab.book.sent if one.code == code] == [(7, code)]
        client.close()

    return scene


row("10182: streams are lost", "streams-lost")(bars_end(10182))
row("10225: a bust ends the bars", "bust-event")(bars_end(10225))


def not_permitted(code: int) -> Scene:
    async def scene(lab: GatewayLab, arm: Arm) -> None:
        lab.quote("QQQ", "80.00", "80.02")
        client = await started(lab)
        arm()
        client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
        client.place(1, 10)
        told = await client.drain()
        assert (codes(told), count(told, "tick_price")) == ([code], 0)
        assert count(told, "exec_details") == len(lab.book.executions) == 1, "trading needs no data"
        client.close()

    return scene


row("10168: no permission, no delayed data", "no-permission")(not_permitted(10168))
row("10089: another subscription is needed", "subscription-missing")(not_permitted(10089))


@row("10090: per symbol", "part-permission")
async def _(lab: GatewayLab, arm: Arm) -> None:
    lab.quote("QQQ", "80.00", "80.02")
    client = await started(lab)
    arm()
    client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
    client.send(ask.REQ_MKT_DATA, req_id=6, **{**SPY, "symbol": "QQQ"})
    told = await client.drain()
    assert codes(told) == [10090]
    assert {one.values["req_id"] for one in told if one.name == "tick_price"} == {6}
    assert [(one.order_id, one.code) for one in lab.book.sent if one.code == 10090] == [(5, 10090)]
    client.close()


def halted(value: int) -> Scene:
    async def scene(lab: GatewayLab, arm: Arm) -> None:
        client = await started(lab)
        client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
        await client.drain()
        arm()
        client.place(1, 10)
        lab.advance(59)
        assert lab.book.executions == []
        lab.advance(2)
        told = [one.values for one in await client.drain() if one.name == "tick_generic"]
        assert [(one["type"], one["value"]) for one in told] == [(49, value), (49, 0)]
        assert len(lab.book.executions) == 1
        client.close()

    return scene


row("tick 49: a halt", "halt")(halted(1))
row("tick 49: a pause for volatility", "volatility-pause")(halted(2))


@row("354, or 10167 and delayed data", "delayed-data")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
    assert codes(await client.drain()) == [354]
    client.send(ask.REQ_MARKET_DATA_TYPE, type=3)
    client.send(ask.REQ_MKT_DATA, req_id=6, **SPY)
    told = await client.drain()
    assert codes(told) == [10167]
    assert {one.values["type"] for one in told if one.name == "tick_price"} >= {66, 67}
    assert [one.code for one in lab.book.sent if one.code in (354, 10167)] == [354, 10167]
    client.close()


@row("200: a contract that is not there", "unknown-contract")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.send(ask.REQ_CONTRACT_DETAILS, req_id=4, **SPY)
    told = await client.drain()
    assert (codes(told), count(told, "contract_details")) == ([200, 200], 0)
    client.send(ask.REQ_CONTRACT_DETAILS, req_id=5, **SPY)
    assert count(await client.drain(), "contract_details") == 1
    assert [(one.order_id, one.code) for one in lab.book.sent if one.code == 200] == [(4, 200)] * 2
    client.close()


@row("200: two contracts match", "contract-twin")
async def _(lab: GatewayLab, arm: Arm) -> None:
    client = await started(lab)
    arm()
    client.send(ask.REQ_CONTRACT_DETAILS, req_id=4, **SPY)
    found = [one.values for one in await client.drain() if one.name == "contract_details"]
    assert [(one["con_id"], one["primary_exchange"]) for one in found] == [(756733, "ARCA"), (99, "LSE")]
    client.place(1, 10)
    await client.drain()
    assert [one.con_id for one in lab.book.executions] == [756733]
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
