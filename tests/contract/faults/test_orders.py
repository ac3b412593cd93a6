"""Faults of orders and executions, on the wire and in the gateway's own book."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from ib_async import IB, Contract, LimitOrder, Stock

from ibfloor.sim.faults import Fault, When
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.raw_client import RawClient, Told

Play = Callable[..., str]
ConnectIb = Callable[[GatewayLab, int], Awaitable[IB]]
Until = Callable[[Callable[[], object]], Awaitable[None]]
TIF = do.Remark(code=10349, text="Order TIF was set to DAY based on order preset.")


def fault(what: do.AnyAction, on: str = "", **when: object) -> Fault:
    return Fault(name="f", what=what, when=When(on=on, **when))  # type: ignore[arg-type]


def of(told: list[Told], name: str) -> list[dict[str, object]]:
    return [dict(one.values) for one in told if one.name == name and one.values.get("code") != 2199]


async def started(lab: GatewayLab, client_id: int = 1) -> RawClient:
    client = await RawClient.start(lab.port, client_id)
    await client.drain()
    return client


def test_ib_async_takes_10349_for_the_end_of_an_order_that_fills(
    play: Play, connect_ib: ConnectIb, until: Until
) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        (contract,) = await ib.qualifyContractsAsync(Stock("SPY", "SMART", "USD"))
        assert isinstance(contract, Contract)
        trade = ib.placeOrder(contract, LimitOrder("BUY", 10, 168.01))
        await until(lambda: trade.orderStatus.status == "Cancelled")
        assert trade.log[-1].errorCode == 10349
        lab.trade("SPY", "168.00", 500, after_s=1)
        await until(lambda: trade.fills)
        assert [int(row.qty) for row in lab.book.executions] == [10]
        ib.disconnect()

    play(scene, fault(TIF, "in:place_order"))


@pytest.mark.parametrize(
    ("code", "text"),
    [(201, "Order rejected - reason:margin"), (399, "Order Message: warning"), (10349, TIF.text)],
)
def test_an_order_that_an_error_was_told_of_lives_on_and_fills(play: Play, code: int, text: str) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10, "168.01")
        told = await client.drain()
        assert [(one["req_id"], one["code"]) for one in of(told, "error")] == [(1, code)]
        lab.trade("SPY", "168.00", 500, after_s=1)
        assert len(of(await client.drain(), "exec_details")) == 1
        assert [row.status for row in lab.book.orders] == ["Filled"]
        client.close()

    play(scene, fault(do.Remark(code=code, text=text), "in:place_order"))


def test_a_short_sale_waits_for_a_locate(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10, "168.05", action="SELL")
        told = await client.drain()
        assert of(told, "order_status")[-1]["why_held"] == "locate"
        assert of(told, "error")[-1]["code"] == 404
        assert [row.status for row in lab.book.orders] == ["Submitted"]
        client.close()

    held = do.Remark(code=404, text="Order held while securities are located.", why_held="locate")
    play(scene, fault(held, "in:place_order"))


@pytest.mark.parametrize("code", [103, 104, 105, 106, 110, 200, 321])
def test_an_order_can_be_refused_with_any_code(play: Play, code: int) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10)
        assert [(one["req_id"], one["code"]) for one in of(await client.drain(), "error")] == [(1, code)]
        assert lab.book.orders == []
        client.close()

    play(scene, fault(do.Fail(code=code, text="no"), "in:place_order"))


def test_200_is_told_twice(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.send(ask.REQ_CONTRACT_DETAILS, req_id=4, symbol="SPY", sec_type="STK")
        assert [one["code"] for one in of(await client.drain(), "error")] == [200, 200]
        client.close()

    no = do.Fail(code=200, text="No security definition has been found for the request", copies=2)
    play(scene, fault(no, "in:req_contract_details"))


def test_a_contract_has_a_twin(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.send(ask.REQ_CONTRACT_DETAILS, req_id=4, symbol="SPY", sec_type="STK", currency="USD")
        details = of(await client.drain(), "contract_details")
        assert [(one["symbol"], one["con_id"]) for one in details] == [("SPY", 756733), ("SPY", 99)]
        client.close()

    twin = do.Duplicate(fields={"con_id": 99, "primary_exchange": "LSE"})
    play(scene, fault(twin, "out:contract_details"))


def test_an_accepted_order_without_any_answer_is_found_by_asking(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10, "150.00")
        assert await client.drain() == []
        client.send(ask.REQ_OPEN_ORDERS)
        assert [one["order_id"] for one in of(await client.drain(), "open_order")] == [1]
        client.close()

    silent = [
        Fault(name=name, what=do.Drop(), when=When(on=f"out:{name}", times=2))
        for name in ("open_order", "order_status")
    ]
    play(scene, *silent)


def test_a_correction_changes_price_cash_and_the_last_digits_of_the_id(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10)
        first = of(await client.drain(), "exec_details")[0]
        lab.advance(5)
        (second,) = of(await client.drain(), "exec_details")
        assert str(first["exec_id"]).removesuffix(".01") == str(second["exec_id"]).removesuffix(".02")
        assert (first["price"], second["price"]) == (Decimal("168.02"), Decimal("168.05"))
        book = lab.book
        assert [(row.exec_id, row.px) for row in book.executions] == [(second["exec_id"], Decimal("168.05"))]
        assert book.cash["USD"] == Decimal(1_000_000) - 10 * Decimal("168.05") - book.executions[0].commission
        assert book.orders[0].avg_px == Decimal("168.05")
        client.close()

    play(scene, fault(do.CorrectFill(ticks=3, after_s=5), "event:filled"))


def test_a_bust_moves_only_the_position(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.send(ask.REQ_POSITIONS)
        client.place(1, 10)
        await client.drain()
        lab.advance(60)
        told = await client.drain()
        assert [one["position"] for one in of(told, "position")] == [0]
        assert {one.name for one in told} <= {"position", "error"}
        assert lab.book.executions == []
        assert lab.book.cash["USD"] == 1_000_000
        client.close()

    play(scene, fault(do.BustFill(after_s=60), "event:filled"))


def test_a_canceled_order_fills_all_the_same(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10, "150.00")
        client.send(ask.CANCEL_ORDER, order_id=1)
        told = await client.drain()
        assert [one["code"] for one in of(told, "error")] == [202]
        lab.advance(2)
        told = await client.drain()
        assert [one["shares"] for one in of(told, "exec_details")] == [10]
        assert [row.status for row in lab.book.orders] == ["Filled"]
        client.close()

    play(scene, fault(do.FillAfterCancel(after_s=2), "event:canceled"))


def test_a_fill_wins_the_race_with_a_cancel(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10, "150.00")
        client.send(ask.CANCEL_ORDER, order_id=1)
        told = await client.drain()
        assert len(of(told, "exec_details")) == 1
        assert [one["code"] for one in of(told, "error")] == [10148]
        client.close()

    play(scene, fault(do.FillBeforeCancel(), "in:cancel_order"))


def test_a_cancel_of_a_live_order_can_be_told_that_there_is_none(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10, "150.00")
        client.send(ask.CANCEL_ORDER, order_id=1)
        assert [one["code"] for one in of(await client.drain(), "error")] == [10147]
        assert [row.status for row in lab.book.orders] == ["Submitted"]
        client.close()

    play(scene, fault(do.Fail(code=10147, text="OrderId 1 is not found."), "in:cancel_order"))


def test_a_manual_order_appears_to_client_0_alone(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        master, other = await started(lab, 0), await started(lab, 1)
        manual = do.ManualOrder(symbol="SPY", qty=Decimal(7), limit_px=Decimal("150.00"))
        lab.inject(fault(manual))
        assert {one["order_id"] for one in of(await master.drain(), "open_order")} == {0}
        assert of(await other.drain(), "open_order") == []
        assert [(row.order_id, int(row.qty)) for row in lab.book.orders] == [(0, 7)]
        for one in (master, other):
            one.close()

    play(scene)


def test_a_split_and_an_assignment_move_a_position_without_an_execution(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.send(ask.REQ_POSITIONS)
        client.place(1, 10)
        await client.drain()
        lab.inject(Fault(name="split", what=do.MovePosition(symbol="SPY", ratio=Decimal(4))))
        (moved,) = of(await client.drain(), "position")
        assert moved["position"] == 40
        assert abs(Decimal(str(moved["avg_cost"])) - (Decimal("1680.2") + 1) / 40) < Decimal("0.0001")
        lab.inject(Fault(name="assigned", what=do.MovePosition(symbol="SPY", add=Decimal(-140), px=Decimal(170))))
        (moved,) = of(await client.drain(), "position")
        assert moved["position"] == -100
        assert len(lab.book.executions) == 1
        client.close()

    play(scene)


def test_a_what_if_comes_with_unset_margins(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10, what_if=True)
        (preview,) = of(await client.drain(), "open_order")
        assert preview["what_if"]
        assert preview["init_margin_change"] in (None, "", "1.7976931348623157E308")
        assert lab.book.orders == []
        client.close()

    margins = ("init_margin_change", "maint_margin_change", "equity_with_loan_change")
    play(scene, fault(do.Rewrite(unset=margins), "out:what_if"))


def test_a_permanent_id_is_given_twice(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10, "150.00")
        client.place(2, 10, "150.00")
        told = await client.drain()
        assert {one["perm_id"] for one in of(told, "order_status")} == {77}
        client.close()

    play(scene, fault(do.Rewrite(fields={"perm_id": 77}), "out:order_status", times=0))


def test_execution_times_take_any_shape(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10)
        assert of(await client.drain(), "exec_details")[0]["time"] == "20131007-15:15:00"
        client.close()

    play(scene, fault(do.Rewrite(fields={"time": "20131007-15:15:00"}), "out:exec_details"))


def test_a_session_full_of_faults_leaves_the_same_book_twice_and_adds_up(play: Play) -> None:
    plan = [
        Fault(name="loss", what=do.Drop(), when=When(on="out:order_status", times=0, probability=0.3)),
        Fault(name="twice", what=do.Duplicate(), when=When(on="out:exec_details", times=0, probability=0.2)),
        Fault(name="lost", what=do.Drop(), when=When(on="in:place_order", times=0, probability=0.1)),
        Fault(name="fixed", what=do.CorrectFill(), when=When(on="event:filled", times=0, probability=0.3)),
        Fault(name="late", what=do.FillAfterCancel(), when=When(on="event:canceled", times=0, probability=0.5)),
    ]

    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        for order_id in range(1, 101):
            side = "BUY" if order_id % 3 else "SELL"
            client.place(order_id, 10 + order_id, "" if order_id % 2 else "160.00", action=side)
            if order_id % 4 == 0:
                client.send(ask.CANCEL_ORDER, order_id=order_id)
            await client.drain()
            lab.advance(1)
        await client.drain()
        book = lab.book
        cash = Decimal(1_000_000)
        qty = Decimal(0)
        for row in book.executions:
            cash -= row.side.sign * row.qty * row.px + row.commission
            qty += row.side.sign * row.qty
        assert book.cash["USD"] == cash
        assert [position.qty for position in book.positions] == [qty]
        assert any(row.exec_id.endswith(".02") for row in book.executions)
        client.close()

    first, again, other = (play(scene, *plan, seed=seed) for seed in (11, 11, 12))
    assert first == again != other
