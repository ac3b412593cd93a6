"""Corrections, busts and forced fills: ids stay unique, legs and children follow, nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ibfloor.sim.faults import Fault, When
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec.kinds import Scalar, Values
from ibfloor.sim.gateway.codec.orders import PLACE_ORDER
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.raw_client import RawClient

Play = Callable[..., str]


async def started(lab: GatewayLab) -> RawClient:
    client = await RawClient.start(lab.port, 1)
    await client.drain()
    return client


def test_the_id_of_a_busted_execution_is_never_given_again(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        ids: list[object] = []
        for order_id in range(1, 5):
            client.place(order_id, 10)
            ids += [one.values["exec_id"] for one in await client.drain() if one.name == "exec_details"]
            lab.advance(1)
        assert len(set(ids)) == 4
        assert [row.exec_id for row in lab.book.executions] == [ids[0], *ids[2:]]
        client.close()

    play(scene, Fault(name="bust", what=do.BustFill(), when=When(on="event:filled", nth=2)))


def test_an_execution_that_was_taken_back_is_not_corrected_and_a_corrected_one_is_taken_back(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10)
        client.place(2, 10)
        await client.drain()
        lab.advance(10)
        told = [one.values["exec_id"] for one in await client.drain() if one.name == "exec_details"]
        assert len(told) == 1, "the second was corrected, the first no more"
        assert lab.book.executions == []
        assert lab.book.cash["USD"] == 1_000_000
        client.close()

    filled = "event:filled"
    play(
        scene,
        Fault(name="early-bust", what=do.BustFill(after_s=1), when=When(on=filled)),
        Fault(name="correction", what=do.CorrectFill(after_s=5), when=When(on=filled, times=2)),
        Fault(name="late-bust", what=do.BustFill(after_s=9), when=When(on=filled, nth=2)),
    )


def test_a_leg_of_a_combination_can_be_taken_back(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        lab.quote("QQQ", "80.00", "80.02", size=10_000)
        legs: list[Values] = [
            {"con_id": int(lab.instrument(symbol).instrument_id), **leg}
            for symbol, leg in (("SPY", _leg("BUY")), ("QQQ", _leg("SELL")))
        ]
        contract: dict[str, Scalar] = {"symbol": "SPY,QQQ", "sec_type": "BAG", "exchange": "SMART", "currency": "USD"}
        order: dict[str, Scalar] = {"action": "BUY", "total_qty": 10, "order_type": "MKT", "tif": "DAY"}
        client.send(PLACE_ORDER, order_id=1, **contract, **order, transmit=True, combo_legs=legs)
        assert len([one for one in await client.drain() if one.name == "exec_details"]) == 3
        lab.advance(1)
        assert [row.symbol for row in lab.book.executions] == ["QQQ"]
        assert {row.symbol: int(row.qty) for row in lab.book.positions} == {"SPY": 0, "QQQ": -10}
        client.close()

    play(scene, Fault(name="bust", what=do.BustFill(), when=When(on="event:filled")))


def _leg(action: str) -> dict[str, Scalar]:
    return {"ratio": 1, "action": action, "exchange": "SMART"}


def test_a_parent_that_fills_before_its_cancel_lets_its_children_work(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10, "150.00", transmit=False)
        client.place(2, 10, "190.00", action="SELL", parent_id=1)
        client.send(ask.CANCEL_ORDER, order_id=1)
        await client.drain()
        assert [(row.status, row.filled_qty) for row in lab.book.orders] == [
            ("Filled", Decimal(10)),
            ("Submitted", Decimal(0)),
        ]
        lab.quote("SPY", "191.00", "191.02", after_s=1)
        assert [row.status for row in lab.book.orders] == ["Filled", "Filled"]
        client.close()

    play(scene, Fault(name="race", what=do.FillBeforeCancel(), when=When(on="in:cancel_order")))
