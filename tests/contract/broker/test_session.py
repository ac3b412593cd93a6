"""A session against peers of every kind, over real sockets."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import pytest

from ibfloor.model.errors import ConfigError, ConnectivityError
from ibfloor.model.fact import SessionChanged, SessionState
from ibfloor.sim.faults import Fault, When
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.lab import GatewayLab


def is_state(state: SessionState) -> Any:
    return lambda fact: isinstance(fact, SessionChanged) and fact.state is state


def test_session_connects_and_tells_its_round_trip(gateway: Any, run_gateway: Any, floor_at: Any, within: Any) -> None:
    async def test() -> None:
        async with run_gateway(gateway):
            floor = floor_at(gateway.port)
            session = floor.clients.order_session("alpha", 10)
            await session.open()
            assert session.state is SessionState.CONNECTED
            assert session.can_send
            told = floor.facts.of(SessionChanged)
            assert [fact.state for fact in told] == [SessionState.CONNECTING, SessionState.CONNECTED]
            assert 0 < told[-1].round_trip_ms < 1000
            await session.close()
            assert floor.facts.all[-1].state is SessionState.CLOSED
            assert not session.can_send

    within(test)


def test_every_line_of_the_log_about_a_connection_names_whose_it_is(
    gateway: Any, run_gateway: Any, floor_at: Any, within: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with run_gateway(gateway):
            session = floor_at(gateway.port).clients.order_session("alpha", 10)
            with caplog.at_level(logging.INFO, "ib_async"):
                await session.open()
                await session.close()
        lines = [record.getMessage() for record in caplog.records if record.name.startswith("ib_async")]
        assert any("Logged on to server version" in line for line in lines)
        assert [line for line in lines if not line.startswith("alpha, client 10: ")] == []

    within(test)


def test_session_reconnects_by_itself_after_the_peer_drops_it(
    gateway: Any, run_gateway: Any, floor_at: Any, within: Any
) -> None:
    async def test() -> None:
        async with run_gateway(gateway):
            floor = floor_at(gateway.port)
            session = floor.clients.order_session("alpha", 10)
            await session.open()
            seen = len(floor.facts.all)
            gateway.drop()
            await floor.facts.wait(is_state(SessionState.DISCONNECTED), since=seen)
            await floor.facts.wait(is_state(SessionState.CONNECTED), since=seen)
            assert gateway.connections == 2
            await session.close()

    within(test)


def test_mute_peer_is_left_within_interval_plus_deadline(
    gateway: Any, run_gateway: Any, floor_at: Any, within: Any
) -> None:
    async def test() -> None:
        async with run_gateway(gateway):
            floor = floor_at(gateway.port)
            session = floor.clients.order_session("alpha", 10)
            await session.open()
            seen, muted = len(floor.facts.all), time.monotonic()
            gateway.is_mute = True
            lost = await floor.facts.wait(is_state(SessionState.DISCONNECTED), since=seen)
            assert time.monotonic() - muted < 0.2 + 0.3 + 3, "and three for a machine that is busy"
            assert "mute" in lost.detail
            gateway.is_mute = False
            await floor.facts.wait(is_state(SessionState.CONNECTED), since=seen)
            await session.close()

    within(test)


def test_nothing_listening_is_a_connectivity_error_that_says_where(floor_at: Any, within: Any) -> None:
    async def test() -> None:
        server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        floor = floor_at(port, open_timeout_s=0.2)
        session = floor.clients.order_session("alpha", 10)
        with pytest.raises(ConnectivityError, match=f"nothing answers at 127.0.0.1:{port}.*enable its API"):
            await session.open()
        assert session.state is SessionState.FAILED

    within(test)


@pytest.mark.parametrize(
    "words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b"\0\0\0\x06two\0x\0"]
)
def test_peer_that_is_not_ib_is_a_config_error_at_once(
    gateway: Any, run_gateway: Any, floor_at: Any, within: Any, words: bytes
) -> None:
    async def test() -> None:
        gateway.first_words = words
        async with run_gateway(gateway):
            session = floor_at(gateway.port).clients.order_session("alpha", 10)
            with pytest.raises(ConfigError, match="is not TWS or IB Gateway"):
                await session.open()

    within(test)


def test_peer_that_never_speaks_is_a_config_error(gateway: Any, run_gateway: Any, floor_at: Any, within: Any) -> None:
    async def test() -> None:
        gateway.is_mute = True
        async with run_gateway(gateway):
            session = floor_at(gateway.port).clients.order_session("alpha", 10)
            with pytest.raises(ConfigError, match=r"said nothing for 0\.5 s"):
                await session.open()

    within(test)


def test_client_id_in_use_ends_with_326_and_its_owner(
    gateway: Any, run_gateway: Any, floor_at: Any, within: Any
) -> None:
    async def test() -> None:
        gateway.refused_ids.add(10)
        async with run_gateway(gateway):
            session = floor_at(gateway.port).clients.order_session("alpha", 10)
            with pytest.raises(ConfigError, match=r"326.*client id 10 \(alpha\)"):
                await session.open()

    within(test)


def test_client_id_that_is_freed_soon_is_waited_for(gateway: Any, run_gateway: Any, floor_at: Any, within: Any) -> None:
    async def test() -> None:
        gateway.refused_ids.add(10)
        async with run_gateway(gateway):
            session = floor_at(gateway.port, client_id_wait_s=5.0).clients.order_session("alpha", 10)
            opening = asyncio.create_task(session.open())
            await gateway.connected(2)
            gateway.refused_ids.clear()
            await opening
            assert session.client_id == 10
            assert session.can_send
            await session.close()

    within(test)


def test_reserved_client_ids_are_not_for_strategies(floor_at: Any) -> None:
    with pytest.raises(ConfigError, match="reserved"):
        floor_at(1).clients.order_session("alpha", 1)


def test_upstream_loss_shuts_sending_until_ib_is_back_and_asks_for_reconciliation(
    gateway: Any, run_gateway: Any, floor_at: Any, within: Any, frame: Any
) -> None:
    async def test() -> None:
        async with run_gateway(gateway):
            floor = floor_at(gateway.port)
            session = floor.clients.order_session("alpha", 10)
            await session.open()
            seen = len(floor.facts.all)
            gateway.say(frame(4, 2, -1, 1100, "Connectivity between IB and TWS has been lost.", ""))
            await floor.facts.wait(is_state(SessionState.DEGRADED), since=seen)
            assert not session.can_send
            gateway.say(frame(4, 2, -1, 1102, "Connectivity restored - data maintained.", ""))
            back = await floor.facts.wait(is_state(SessionState.CONNECTED), since=seen)
            assert "reconcile: IB 1102" in back.detail
            assert session.can_send
            await session.close()

    within(test)


def test_a_session_that_comes_while_ib_is_away_sends_nothing_until_it_is_back(floor_at: Any, within: Any) -> None:
    async def test() -> None:
        async with GatewayLab() as lab:
            lab.inject(Fault(name="away", what=do.LoseUpstream(for_s=30), when=When()))
            floor = floor_at(lab.port)
            session = floor.clients.order_session("alpha", 10)
            await session.open()
            assert not session.can_send
            lab.advance(30)
            await floor.facts.wait(is_state(SessionState.CONNECTED))
            assert session.can_send
            await session.close()

    within(test)


def test_message_that_cannot_be_handled_degrades_and_asks_for_reconciliation(
    gateway: Any, run_gateway: Any, floor_at: Any, within: Any, frame: Any
) -> None:
    async def test() -> None:
        async with run_gateway(gateway):
            floor = floor_at(gateway.port)
            session = floor.clients.order_session("alpha", 10)
            await session.open()
            seen = len(floor.facts.all)
            gateway.say(frame(11, -1, "not a number"))
            lost = await floor.facts.wait(is_state(SessionState.DEGRADED), since=seen)
            assert "could not be handled" in lost.detail
            back = await floor.facts.wait(is_state(SessionState.CONNECTED), since=seen)
            assert back.detail.startswith("reconcile:")
            await session.close()

    within(test)


def test_absurd_frame_length_drops_the_connection_and_reconnects(
    gateway: Any, run_gateway: Any, floor_at: Any, within: Any
) -> None:
    async def test() -> None:
        async with run_gateway(gateway):
            floor = floor_at(gateway.port)
            session = floor.clients.order_session("alpha", 10)
            await session.open()
            seen = len(floor.facts.all)
            gateway.say(b"\x7f\xff\xff\xff1\x006\x00")
            lost = await floor.facts.wait(is_state(SessionState.DISCONNECTED), since=seen)
            assert "out of step" in lost.detail
            await floor.facts.wait(is_state(SessionState.CONNECTED), since=seen)
            await session.close()

    within(test)


def test_data_session_follows_an_announced_clock(
    gateway: Any, run_gateway: Any, floor_at: Any, within: Any, frame: Any
) -> None:
    async def test() -> None:
        async with run_gateway(gateway):
            floor = floor_at(gateway.port)
            anchors: list[tuple[int, float]] = []
            told = asyncio.Event()

            def on_clock(market_ns: int, speed: float) -> None:
                anchors.append((market_ns, speed))
                told.set()

            session = floor.clients.data_session(lambda batch: None, on_clock=on_clock)
            await session.open()
            text = "Simulated clock: market_ns=1382102760000000000 speed=60.0"
            gateway.say(frame(4, 2, -1, 2199, text, ""))
            async with asyncio.timeout(20):
                await told.wait()
            assert anchors == [(1382102760000000000, 60.0)]
            await session.close()

    within(test)


def test_socket_that_is_closing_and_has_not_said_so_yet_ends_no_session(
    gateway: Any, run_gateway: Any, floor_at: Any, within: Any
) -> None:
    async def test() -> None:
        async with run_gateway(gateway):
            floor = floor_at(gateway.port)
            session = floor.clients.order_session("alpha", 10)
            await session.open()
            seen = len(floor.facts.all)
            session._client.conn.transport.abort()  # the loop tells of it a turn later; a heartbeat comes right now
            assert await session._watch(session._client) == "the connection broke"
            await floor.facts.wait(is_state(SessionState.CONNECTED), since=seen)
            assert SessionState.FAILED not in {fact.state for fact in floor.facts.of(SessionChanged)}
            await session.close()

    within(test)


def test_wrong_length_that_swallows_what_follows_is_noticed_though_bytes_come(
    gateway: Any, run_gateway: Any, floor_at: Any, within: Any
) -> None:
    async def test() -> None:
        async with run_gateway(gateway):
            floor = floor_at(gateway.port)
            session = floor.clients.order_session("alpha", 10)
            await session.open()
            seen = len(floor.facts.all)
            gateway.say((1 << 20).to_bytes(4, "big"))  # the answers to heartbeats are part of this message now
            await floor.facts.wait(is_state(SessionState.DISCONNECTED), since=seen)
            await floor.facts.wait(is_state(SessionState.CONNECTED), since=seen)
            await session.close()

    within(test)
