"""Faults of single messages and of connections, seen by a bare client on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from ibfloor.sim.faults import Fault, When
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.raw_client import RawClient, Told

Play = Callable[..., str]


def fault(what: do.AnyAction, on: str = "", **when: object) -> Fault:
    return Fault(name="f", what=what, when=When(on=on, **when))  # type: ignore[arg-type]


def names(told: list[Told]) -> list[str]:
    return [one.name for one in told if one.name != "error"]


def codes(told: list[Told]) -> list[int]:
    return [int(str(one.values["code"])) for one in told if one.name == "error"]


async def bought(lab: GatewayLab, qty: int = 10) -> list[Told]:
    client = await RawClient.start(lab.port, 1)
    await client.drain()
    client.place(1, qty)
    told = await client.drain()
    client.close()
    return told


SOUND = [
    *("open_order", "order_status"),
    *("open_order", "order_status"),
    *("exec_details", "open_order", "order_status", "commission"),
]


def test_without_a_fault_an_order_is_told_in_ibs_order(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        assert names(await bought(lab)) == SOUND

    play(scene)


def test_a_dropped_status_is_missing_on_the_wire_and_in_the_books_record_of_what_was_sent(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        told = await bought(lab)
        assert [one.values["status"] for one in told if one.name == "order_status"] == ["PreSubmitted", "Filled"]
        assert [row.status for row in lab.book.sent if row.message == "order_status"] == ["PreSubmitted", "Filled"]
        assert [row.status for row in lab.book.orders] == ["Filled"]

    play(scene, fault(do.Drop(), "out:order_status", nth=2))


def test_a_doubled_execution_is_told_twice_and_booked_once(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        told = await bought(lab)
        ids = [one.values["exec_id"] for one in told if one.name == "exec_details"]
        assert len(ids) == 2
        assert len(set(ids)) == 1
        assert len(lab.book.executions) == 1

    play(scene, fault(do.Duplicate(), "out:exec_details"))


def test_an_execution_overtakes_the_order_it_belongs_to(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        told = names(await bought(lab))
        assert told.index("exec_details") < told.index("open_order")

    play(scene, fault(do.Reorder(behind_message="exec_details"), "out:open_order", times=0))


def test_a_commission_comes_before_its_execution(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        told = names(await bought(lab))
        assert told[-2:] == ["commission", "exec_details"]

    play(scene, fault(do.Reorder(behind_message="commission"), "out:exec_details"))


def test_a_reordered_message_whose_follower_never_comes_is_told_in_the_end(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await RawClient.start(lab.port, 1)
        client.place(1, 10)
        assert "exec_details" not in names(await client.drain())
        lab.advance(5)
        assert "exec_details" in names(await client.drain())
        client.close()

    play(scene, fault(do.Reorder(behind_message="tick_price"), "out:exec_details"))


def test_a_commission_is_late_by_market_seconds(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await RawClient.start(lab.port, 1)
        client.place(1, 10)
        assert "commission" not in names(await client.drain())
        lab.advance(29)
        assert "commission" not in names(await client.drain())
        lab.advance(1)
        assert "commission" in names(await client.drain())
        client.close()

    play(scene, fault(do.Delay(seconds=30), "out:commission"))


def test_a_swallowed_order_never_reaches_the_book(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        assert names(await bought(lab)) == []
        assert lab.book.orders == []

    play(scene, fault(do.Drop(), "in:place_order"))


def test_an_order_that_arrives_twice_is_a_change_of_itself(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        assert codes(await bought(lab)) == [104]
        assert len(lab.book.executions) == 1

    play(scene, fault(do.Duplicate(), "in:place_order"))


def test_a_truncated_frame_swallows_the_head_of_the_next(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await RawClient.start(lab.port, 1)
        await client.drain()
        client.place(1, 10)
        first = await client.read_fields()
        assert first[0] == "5"  # the open order, whole
        broken = await client.read_fields()
        assert broken[0] == "3"
        assert len(broken) > 12, "the rest of the status' frame is the next message's head"
        client.close()

    play(scene, fault(do.Truncate(at=20), "out:order_status"))


@pytest.mark.parametrize("at", [1, 3, 4, 5, 12])
def test_a_frame_split_at_any_byte_arrives_whole_once_the_rest_is_sent(play: Play, at: int) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await RawClient.start(lab.port, 1)
        await client.drain()
        client.send(ask.REQ_MARKET_RULE, rule_id=26)
        client.send(ask.REQ_CURRENT_TIME)
        head = await asyncio.wait_for(client.reader.readexactly(at), 5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.readexactly(1), 0.05)
        lab.advance(0.05)
        lab.gateway.flush()
        rest = await asyncio.wait_for(client.reader.readuntil(b"0.01\x00"), 5)
        assert int.from_bytes((head + rest)[:4], "big") == len(head + rest) - 4
        assert names(await client.until("current_time")) == ["current_time"]
        client.close()

    play(scene, fault(do.Split(at=at), "out:market_rule"))


def test_framed_garbage_is_an_unknown_message_between_sound_ones(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        told = await bought(lab)
        assert names(told).count("?") == 1
        assert [name for name in names(told) if name != "?"] == SOUND

    first = play(scene, fault(do.Garbage(size=40), "out:exec_details"), seed=5)
    assert first == play(scene, fault(do.Garbage(size=40), "out:exec_details"), seed=5)


def test_bare_garbage_breaks_the_framing(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await RawClient.start(lab.port, 1)
        await client.drain()
        client.place(1, 10)
        with pytest.raises((TimeoutError, ConnectionError)):
            await asyncio.wait_for(client.until("order_status", status="Filled"), 0.2)
        client.close()

    play(scene, fault(do.Garbage(size=6, framed=False), "out:order_status"))


def test_values_can_be_unset_in_any_message(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        told = await bought(lab)
        (report,) = (one for one in told if one.name == "commission")
        assert report.values["commission"] == 0
        assert report.values["realized_pnl"] is None
        assert lab.book.executions[0].commission == Decimal(1)

    play(scene, fault(do.Rewrite(unset=("commission",)), "out:commission"))


def test_a_connection_mute_outwards_hears_and_tells_late(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await RawClient.start(lab.port, 1)
        await client.drain()
        lab.inject(Fault(name="mute", what=do.Mute(way="out", for_s=60)))
        client.place(1, 10)
        other = await RawClient.start(lab.port, 2)
        while not lab.book.executions:
            await other.drain()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.readexactly(1), 0.05)
        lab.advance(60)
        assert names(await client.drain()) == SOUND
        client.close()
        other.close()

    play(scene)


def test_a_connection_deaf_inwards_takes_nothing_until_it_hears_again(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await RawClient.start(lab.port, 1)
        await client.drain()
        lab.inject(Fault(name="deaf", what=do.Mute(way="in")))
        client.place(1, 10)
        other = await RawClient.start(lab.port, 2)
        await other.drain()
        assert lab.book.orders == []
        lab.clear("deaf")
        await client.until("commission")
        assert len(lab.book.executions) == 1
        client.close()
        other.close()

    play(scene)


def test_a_slow_reader_is_dropped_when_its_buffer_is_full(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await RawClient.start(lab.port, 1)
        sessions = lab.gateway.sessions
        lab.inject(fault(do.CapBuffer(size=1)))
        while 1 in lab.gateway.sessions:
            for _ in range(200):
                sessions[1].fail(-1, 2100, "x" * 1000)
            lab.advance(1)
            await asyncio.sleep(0)
        assert await client.is_cut()
        client.close()

    play(scene)


def test_a_connection_is_reset_after_so_many_bytes(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await RawClient.start(lab.port, 1)
        await client.drain()
        lab.inject(fault(do.Reset(after_bytes=100)))
        client.place(1, 10)
        with pytest.raises(ConnectionError):
            await client.until("commission")
        assert len(lab.book.executions) == 1
        client.close()

    play(scene)


@pytest.mark.parametrize("how", ["closed", "greeted"])
def test_connections_are_refused_for_a_while(play: Play, how: str) -> None:
    async def scene(lab: GatewayLab) -> None:
        with pytest.raises(ConnectionError):
            await RawClient.start(lab.port, 1)
        lab.advance(6 * 3600)
        (await RawClient.start(lab.port, 1)).close()

    play(scene, fault(do.Refuse(how=how, for_s=6 * 3600), "connect"))  # type: ignore[arg-type]


def test_a_gateway_that_waits_for_a_login_takes_connections_and_says_nothing(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(RawClient.start(lab.port, 1), 0.1)

    play(scene, fault(do.Refuse(how="silent"), "connect"))


def test_an_order_in_flight_when_the_gateway_restarts_vanishes(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await RawClient.start(lab.port, 1)
        client.place(7, 10)
        with pytest.raises(ConnectionError):
            await client.until("order_status")
        assert lab.book.orders == []
        client.close()

    play(scene, fault(do.Reset(), "in:place_order"))


def test_the_same_seed_goes_wrong_the_same_way_and_another_seed_another_way(play: Play) -> None:
    lossy = fault(do.Drop(), "out:order_status", times=0, probability=0.5)

    async def scene(lab: GatewayLab) -> None:
        client = await RawClient.start(lab.port, 1)
        for order_id in range(1, 21):
            client.place(order_id, 10)
        await client.drain()
        client.close()

    hashes = [play(scene, lossy, seed=seed) for seed in (3, 3, 4)]
    assert hashes[0] == hashes[1] != hashes[2]
