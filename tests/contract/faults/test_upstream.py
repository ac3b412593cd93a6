"""Faults between the gateway and IB: upstream, farms, restarts, logins, ids, ports."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ibfloor.sim.faults import Fault, When
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec.kinds import Scalar
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.raw_client import RawClient, Told

Play = Callable[..., str]
SPY: dict[str, Scalar] = {"symbol": "SPY", "sec_type": "STK", "exchange": "SMART", "currency": "USD"}


def fault(what: do.AnyAction, on: str = "", **when: object) -> Fault:
    return Fault(name="f", what=what, when=When(on=on, **when))  # type: ignore[arg-type]


def row(told: list[Told]) -> list[str]:
    return [str(one.values["code"]) if one.name == "error" else one.name for one in told if not _is_clock(one)]


def _is_clock(one: Told) -> bool:
    return one.name == "error" and one.values["code"] == 2199


async def started(lab: GatewayLab, client_id: int = 1) -> RawClient:
    client = await RawClient.start(lab.port, client_id)
    await client.drain()
    return client


def ticks(told: list[Told]) -> int:
    return sum(one.name.startswith("tick_") for one in told)


def test_a_client_that_comes_while_ib_is_away_is_told_so_and_not_that_the_farms_are_well(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.inject(fault(do.LoseUpstream(for_s=30, code=2110)))
        client = await RawClient.start(lab.port, 1)
        told = row(await client.drain())
        assert "2110" in told
        assert not {"2104", "2106", "2158"} & set(told)
        lab.advance(30)
        assert "1102" in row(await client.drain())
        client.close()

    play(scene)


def test_an_outage_withholds_orders_and_quotes_and_tells_orders_afterwards(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
        client.place(1, 10, "168.01")
        await client.drain()
        lab.inject(fault(do.LoseUpstream(for_s=30, copies=3)))
        assert row(await client.drain()) == ["1100"] * 3
        lab.trade("SPY", "168.00", 500, after_s=1)
        lab.quote("SPY", "168.10", "168.12", after_s=1)
        client.place(2, 10, "150.00")
        assert row(await client.drain()) == []
        assert [order.status for order in lab.book.orders] == ["Filled"]
        lab.advance(30)
        told = row(await client.drain())
        assert told[0] == "1102"
        assert told[1:5] == ["exec_details", "open_order", "order_status", "commission"]
        assert [order.order_id for order in lab.book.orders] == [1, 2]
        lab.quote("SPY", "168.20", "168.22", after_s=1)
        assert ticks(await client.drain()) > 0
        client.close()

    play(scene)


def test_after_data_was_lost_quotes_stay_away_until_asked_for_again(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
        await client.drain()
        lab.inject(fault(do.LoseUpstream(for_s=10, data_lost=True)))
        lab.advance(10)
        assert row(await client.drain()) == ["1100", "1101"]
        lab.quote("SPY", "168.20", "168.22", after_s=1)
        assert ticks(await client.drain()) == 0
        client.send(ask.REQ_MKT_DATA, req_id=6, **SPY)
        assert ticks(await client.drain()) > 0
        client.close()

    play(scene)


def test_an_outage_falls_into_a_batch_of_fills_whose_rest_only_a_request_tells(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 30, "168.01")
        await client.drain()
        for _ in range(3):
            lab.trade("SPY", "168.00", 10, after_s=1)
        lab.advance(10)
        told = row(await client.drain())
        assert told.count("exec_details") == 1
        assert told.index("exec_details") < told.index("1100") < told.index("1102")
        assert len(lab.book.executions) == 3
        client.send(ask.REQ_EXECUTIONS, req_id=9)
        assert row(await client.drain()).count("exec_details") == 3
        client.close()

    lost = do.LoseUpstream(for_s=5, orders="lost")
    play(scene, fault(lost, "event:filled", nth=2))


def test_fills_can_be_told_in_the_midst_of_an_outage(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10, "168.01")
        await client.drain()
        lab.inject(fault(do.LoseUpstream(code=2110, orders="now")))
        lab.trade("SPY", "168.00", 500, after_s=1)
        told = row(await client.drain())
        assert told[0] == "2110"
        assert "exec_details" in told
        client.close()

    play(scene)


def test_a_change_during_an_outage_forks_the_order_into_two_permanent_ids(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10, "160.00")
        lab_fault = fault(do.LoseUpstream(for_s=10, fork=True))
        await client.drain()
        lab.inject(lab_fault)
        client.place(1, 10, "161.00")
        await client.drain()
        lab.advance(10)
        await client.drain()
        client.send(ask.REQ_ALL_OPEN_ORDERS)
        told = [one.values for one in await client.drain() if one.name == "open_order"]
        assert {values["order_id"] for values in told} == {1}
        assert len({values["perm_id"] for values in told}) == len(lab.book.orders) == 2
        client.close()

    play(scene)


def test_a_fork_needs_no_outage(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10, "160.00")
        client.place(1, 10, "161.00")
        await client.drain()
        assert [order.order_id for order in lab.book.orders] == [1, 1]
        client.close()

    play(scene, fault(do.ForkOrder(), "in:place_order", nth=2))


def test_a_farm_breaks_and_mends(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
        await client.drain()
        told: list[str] = []
        for cents in range(25):
            lab.quote("SPY", f"168.{cents:02d}", "169.00", after_s=1)
            told += row(await client.drain())
        assert [one for one in told if one.isdigit()] == ["2103", "2104", "2103", "2104"]
        down = told[told.index("2103") : told.index("2104")]
        assert down == ["2103"]
        client.close()

    play(scene, fault(do.FarmDown(for_s=5), market_s=2, every_s=10, times=2))


def test_a_broken_history_farm_answers_nothing_but_162(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        lab.inject(fault(do.FarmDown(farm="ushmds", history=True, for_s=5)))
        client.send(
            ask.REQ_HISTORICAL_DATA, req_id=7, **SPY, duration="1 D", bar_size="1 min", what="TRADES", use_rth=True
        )
        lab.advance(5)
        assert row(await client.drain()) == ["2105", "162", "2106"] or row(await client.drain()) == []
        client.close()

    play(scene)


def test_idle_farms_are_a_notice(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        lab.inject(fault(do.Notice(code=2108, text="Market data farm connection is inactive:usfarm")))
        assert row(await client.drain()) == ["2108"]
        client.close()

    play(scene)


def test_the_port_moves_with_a_word(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        old = lab.port
        lab.inject(fault(do.MovePort()))
        (last,) = [one for one in await client.until("error", code=1300) if one.values.get("code") == 1300]
        assert str(last.values["text"]).endswith(f"new port - {lab.port}")
        assert await client.is_cut()
        assert lab.port != old
        (await RawClient.start(lab.port, 1)).close()
        with pytest.raises(ConnectionError):
            await RawClient.start(old, 2)
        client.close()

    play(scene)


def test_an_id_stays_in_use_for_a_while_after_a_crash(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.writer.transport.abort()
        other = await started(lab, 2)
        while 1 in lab.gateway.sessions:
            await other.drain()
        again = await RawClient.open(lab.port)
        again.send(ask.START_API, client_id=1)
        assert row(await again.until("error")) == ["326"]
        assert await again.is_cut()
        lab.advance(60)
        (await RawClient.start(lab.port, 1)).close()
        for one in (again, other):
            one.close()

    play(scene, fault(do.HoldId(for_s=60), "leave", clients=(1,)))


def test_after_a_restart_order_ids_fall_back_and_are_given_again(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        for order_id in range(1, 6):
            client.place(order_id, 10)
        await client.drain()
        lab.inject(fault(do.Restart(for_s=60, rollback=4)))
        assert await client.is_cut()
        with pytest.raises(ConnectionError):
            await RawClient.start(lab.port, 1)
        lab.advance(60)
        again = await RawClient.open(lab.port)
        again.send(ask.START_API, client_id=1)
        told = await again.until("next_valid_id")
        assert told[-1].values["order_id"] == 2
        again.place(2, 7)
        await again.until("commission")
        rows = [(order.order_id, int(order.qty)) for order in lab.book.orders]
        assert rows == [(1, 10), (2, 10), (3, 10), (4, 10), (5, 10), (2, 7)]
        assert len({order.perm_id for order in lab.book.orders}) == 6
        for one in (client, again):
            one.close()

    play(scene)


def test_executions_of_the_nightly_reset_come_late_and_all_at_once(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        lab.inject(fault(do.Withhold(for_s=600)))
        client.place(1, 10)
        client.place(2, 10)
        assert "exec_details" not in row(await client.drain())
        assert len(lab.book.executions) == 2
        lab.advance(600)
        assert row(await client.drain()).count("exec_details") == 2
        client.close()

    play(scene)


def test_a_read_only_api_refuses_orders_cancels_and_changes(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.place(1, 10, "150.00")
        await client.drain()
        lab.inject(fault(do.ReadOnly()))
        client.place(1, 20, "150.00")
        client.place(2, 10)
        client.send(ask.CANCEL_ORDER, order_id=1)
        told = [(one.values["req_id"], one.values["code"]) for one in await client.drain() if not _is_clock(one)]
        assert told == [(1, 321), (2, 321), (1, 321)]
        assert [(order.status, int(order.qty)) for order in lab.book.orders] == [("Submitted", 10)]
        client.close()

    play(scene)
