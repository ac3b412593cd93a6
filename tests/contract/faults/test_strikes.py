"""Faults that name the clients they strike: those notice, and nobody else does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from ibfloor.model.errors import ConfigError
from ibfloor.sim.faults import Fault, When
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec.kinds import Scalar
from ibfloor.sim.gateway.faults.points import check_points
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.raw_client import RawClient, Told

Play = Callable[..., str]
SPY: dict[str, Scalar] = {"symbol": "SPY", "sec_type": "STK", "exchange": "SMART", "currency": "USD"}


def fault(what: do.AnyAction, *strikes: int, on: str = "", **when: object) -> Fault:
    return Fault(name="f", what=what, when=When(on=on, **when), strikes=strikes)  # type: ignore[arg-type]


def codes(told: list[Told]) -> list[int]:
    found = [int(str(one.values["code"])) for one in told if one.name == "error"]
    return [code for code in found if code != 2199]


def names(told: list[Told]) -> set[str]:
    return {one.name for one in told if one.name != "error"}


async def pair(lab: GatewayLab) -> tuple[RawClient, RawClient]:
    first, second = await RawClient.start(lab.port, 1), await RawClient.start(lab.port, 2)
    for client in (first, second):
        client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
        await client.drain()
    return first, second


def moved(lab: GatewayLab, cents: int = 10) -> None:
    lab.quote("SPY", f"168.{cents}", f"168.{cents + 2}", after_s=1)


@pytest.mark.parametrize(
    ("what", "begin", "end"),
    [
        (do.Notice(code=2108, text="idle"), [2108], []),
        (do.LoseUpstream(), [1100], [1102]),
        (do.LoseUpstream(code=2110, data_lost=True), [2110], [1101]),
        (do.FarmDown(), [2103], [2104]),
        (do.FarmDown(history=True), [2105], [2106]),
        (do.Compete(), [10197], []),
        (do.LoseStreams(streams="quotes"), [10182], []),
    ],
)
def test_a_trouble_of_one_client_is_told_to_that_one_alone(
    play: Play, what: do.AnyAction, begin: list[int], end: list[int]
) -> None:
    async def scene(lab: GatewayLab) -> None:
        first, second = await pair(lab)
        lab.inject(fault(what, 2))
        moved(lab)
        struck, spared = await second.drain(), await first.drain()
        assert (codes(struck), codes(spared)) == (begin, [])
        assert "tick_price" in names(spared)
        assert ("tick_price" in names(struck)) is (isinstance(what, do.Notice) or "history=True" in repr(what))
        lab.clear("f")
        assert (codes(await second.drain()), codes(await first.drain())) == (end, [])
        for one in (first, second):
            one.close()

    play(scene)


def test_orders_of_a_struck_client_wait_and_those_of_others_do_not(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        first, second = await pair(lab)
        lab.inject(fault(do.LoseUpstream(for_s=30), 2))
        for client in (first, second):
            client.place(1, 10)
        assert "exec_details" in names(await first.drain())
        assert names(await second.drain()) == set()
        assert [row.client_id for row in lab.book.orders] == [1]
        lab.advance(30)
        assert "exec_details" in names(await second.drain())
        assert [row.client_id for row in lab.book.executions] == [1, 2]
        for one in (first, second):
            one.close()

    play(scene)


def test_executions_are_withheld_from_one_session_while_the_master_sees_them(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        master, own = await RawClient.start(lab.port, 0), await RawClient.start(lab.port, 1)
        lab.inject(fault(do.Withhold(for_s=600), 1))
        own.place(1, 10)
        assert "exec_details" not in names(await own.drain())
        assert "exec_details" in names(await master.drain())
        lab.advance(600)
        assert "exec_details" in names(await own.drain())
        assert "exec_details" not in names(await master.drain()), "nobody hears it twice"
        for one in (master, own):
            one.close()

    play(scene)


def test_one_client_is_read_only_and_one_without_permission(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        first, second = await pair(lab)
        lab.inject(fault(do.ReadOnly(), 1))
        lab.inject(Fault(name="g", what=do.NoPermission(), strikes=(2,)))
        for client in (first, second):
            client.place(1, 10)
            client.send(ask.REQ_MKT_DATA, req_id=6, **SPY)
        assert codes(await first.drain()) == [321]
        assert codes(await second.drain()) == [354]
        assert [row.client_id for row in lab.book.orders] == [2]
        for one in (first, second):
            one.close()

    play(scene)


def test_one_connection_is_reset_or_muted_by_an_event_of_another(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        first, second = await pair(lab)
        third = await RawClient.start(lab.port, 3)
        first.place(1, 10)
        await first.drain()
        assert await second.is_cut()
        third.send(ask.REQ_CURRENT_TIME)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(third.until("current_time"), 0.05)
        assert sorted(lab.gateway.sessions) == [1, 3]
        for one in (first, second, third):
            one.close()

    filled = When(on="event:filled", clients=(1,))
    play(
        scene,
        Fault(name="reset", what=do.Reset(), when=filled, strikes=(2,)),
        Fault(name="mute", what=do.Mute(), when=filled, strikes=(3,)),
    )


def test_an_event_of_a_client_that_has_gone_resets_nobody(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        first, second = await pair(lab)
        first.place(1, 10, "168.01")
        await first.drain()
        first.close()
        while 1 in lab.gateway.sessions:
            await second.drain()
        lab.trade("SPY", "168.00", 100, after_s=1)
        await second.drain()
        assert len(lab.book.executions) == 1
        second.close()

    play(scene, fault(do.Reset(), on="event:filled"))


def test_a_fault_at_the_start_names_its_client(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        first = await RawClient.start(lab.port, 1)
        second = await RawClient.open(lab.port)
        second.send(ask.START_API, client_id=2)
        assert await second.is_cut()
        await first.drain()
        for one in (first, second):
            one.close()

    play(scene, fault(do.Reset(), on="start", clients=(2,)))


def test_one_client_is_refused_after_the_greeting(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        with pytest.raises(ConnectionError):
            await RawClient.start(lab.port, 2)
        (await RawClient.start(lab.port, 1)).close()
        lab.clear("f")
        (await RawClient.start(lab.port, 2)).close()

    play(scene, fault(do.Refuse(how="greeted"), 2))


def test_the_id_of_one_client_is_held_when_it_goes(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        first, second = await pair(lab)
        third = await RawClient.start(lab.port, 3)
        lab.inject(fault(do.HoldId(for_s=60), 2))
        for one in (first, second):
            one.close()
        while set(lab.gateway.sessions) != {3}:
            await third.drain()
        (await RawClient.start(lab.port, 1)).close()
        again = await RawClient.open(lab.port)
        again.send(ask.START_API, client_id=2)
        assert codes(await again.until("error")) == [326]
        for one in (again, third):
            one.close()

    play(scene)


def test_a_cap_of_one_client_drops_no_other_and_ends_when_it_is_cleared(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        first, second = await pair(lab)
        sessions = lab.gateway.sessions
        lab.inject(fault(do.CapBuffer(size=1), 2))
        while 2 in lab.gateway.sessions:
            for session in lab.gateway.sessions.values():
                session.fail(-1, 2100, "x" * 200_000)
            lab.advance(1)
            await asyncio.sleep(0)
        assert await second.is_cut()
        assert 1 in lab.gateway.sessions
        assert lab.gateway.faults.unread_max(sessions[2]) == 1
        lab.clear("f")
        assert lab.gateway.faults.unread_max(sessions[2]) > 1_000_000
        for one in (first, second):
            one.close()

    play(scene)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (fault(do.Compete(), clients=(1,)), "name the clients it is to hit in strikes"),
        (fault(do.Reset(), on="connect", clients=(1,)), "take on = 'start'"),
        (fault(do.Drop(), 1, on="out:error"), "name it in when.clients"),
        (fault(do.CorrectFill(), 1, on="event:filled"), "name it in when.clients"),
        (fault(do.ManualOrder(symbol="SPY", qty=Decimal(1), limit_px=Decimal(1)), 1), "name it in when.clients"),
        (fault(do.Restart(), 1), "hits the whole gateway"),
        (fault(do.MovePort(), 1), "hits the whole gateway"),
        (fault(do.Refuse(how="closed"), 1), "hits the whole gateway"),
        (fault(do.Compete(), accounts=("DU1",)), "accounts are of events and messages"),
        (fault(do.Reset(), on="start", accounts=("DU1",)), "accounts are of events and messages"),
    ],
)
def test_a_fault_that_strikes_nobody_it_could_is_refused(play: Play, wrong: Fault, says: str) -> None:
    async def scene(lab: GatewayLab) -> None:
        with pytest.raises(ConfigError, match=says):
            lab.inject(wrong)

    play(scene)


def test_a_message_without_an_account_cannot_be_picked_by_it() -> None:
    check_points(fault(do.Drop(), on="out:exec_details", accounts=("DU1",)))
    check_points(fault(do.Drop(), on="in:place_order", accounts=("DU1",)))
    with pytest.raises(ConfigError, match="'out:order_status' names no account"):
        check_points(fault(do.Drop(), on="out:order_status", accounts=("DU1",)))
