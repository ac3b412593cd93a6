"""The loop and the network that the campaign stands on."""

from __future__ import annotations

import asyncio
import contextvars
import time
from typing import Any

import pytest
from tests.sim.campaign.network import Network
from tests.sim.campaign.virtual_loop import LIFE, Stuck, VirtualLoop, virtual_loop


class _Ear(asyncio.Protocol):
    def __init__(self) -> None:
        self.heard = b""
        self.pieces = 0
        self.lost: list[Exception | None] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.pieces += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


async def _listen(loop: VirtualLoop) -> list[_Ear]:
    servers: list[_Ear] = []

    def serve() -> _Ear:
        servers.append(_Ear())
        return servers[-1]

    await loop.create_server(serve, "127.0.0.1", 4002)
    return servers


async def _call(loop: VirtualLoop) -> _Ear:
    _, client = await loop.create_connection(_Ear, "127.0.0.1", 4002)
    assert isinstance(client, _Ear)
    return client


async def _pair(loop: VirtualLoop) -> tuple[_Ear, _Ear]:
    servers = await _listen(loop)
    return await _call(loop), servers[-1]


def test_an_hour_passes_in_no_time_and_in_order() -> None:
    rung: list[float] = []
    began_s = time.monotonic()
    with virtual_loop() as loop:
        start_s = loop.time()
        for after_s in (3600.0, 1.0, 60.0):
            loop.call_later(after_s, lambda: rung.append(loop.time() - start_s))
        loop.run_until_complete(asyncio.sleep(4000))
    assert rung == pytest.approx([1.0, 60.0, 3600.0])
    assert time.monotonic() - began_s < 5.0


def test_waiting_for_what_cannot_come_is_told() -> None:
    with virtual_loop() as loop, pytest.raises(Stuck):
        loop.run_until_complete(loop.create_future())


def test_bytes_arrive_whole_in_order_and_late() -> None:
    with virtual_loop() as loop:
        network = Network(loop, "seed")
        network.weather.split_share = 1.0
        network.weather.latency_s = (0.1, 0.4)

        async def talk() -> tuple[_Ear, float]:
            client, server = await _pair(loop)
            sent_s = loop.time()
            for number in range(50):
                client.transport.write(b"message %02d;" % number)
            await asyncio.sleep(0.05)
            assert server.heard == b""
            while len(server.heard) < 50 * 11:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            return server, loop.time() - sent_s

        server, _ = loop.run_until_complete(talk())
    assert server.heard == b"".join(b"message %02d;" % number for number in range(50))
    assert server.pieces == 100


def test_half_open_connection_hears_everything_when_it_ends() -> None:
    with virtual_loop() as loop:
        network = Network(loop, "seed")

        async def talk() -> _Ear:
            client, server = await _pair(loop)
            network.weather.held_until_s = loop.time() + 10.0
            client.transport.write(b"late")
            await asyncio.sleep(9.9)
            assert server.heard == b""
            await asyncio.sleep(0.2)
            return server

        assert loop.run_until_complete(talk()).heard == b"late"


def test_nobody_listens_is_a_refused_connection() -> None:
    with virtual_loop() as loop:
        Network(loop, "seed")
        with pytest.raises(ConnectionRefusedError):
            loop.run_until_complete(loop.create_connection(_Ear, "127.0.0.1", 4999))


def test_killed_life_does_nothing_any_more_and_its_peer_sees_a_reset() -> None:
    done: list[str] = []

    async def tick(name: str) -> None:
        try:
            while True:
                await asyncio.sleep(1.0)
                done.append(name)
        finally:
            done.append(f"{name} closed")

    with virtual_loop() as loop:
        network = Network(loop, "seed")

        async def story() -> _Ear:
            await asyncio.sleep(0)
            living = contextvars.copy_context()
            living.run(LIFE.set, 7)
            kept = [loop.create_task(tick("dead"), context=living), loop.create_task(tick("alive"))]
            servers = await _listen(loop)
            await loop.create_task(_call(loop), context=living)
            await asyncio.sleep(2.5)
            loop.kill(7)
            network.bury(7)
            await asyncio.sleep(2.0)
            kept[1].cancel()
            assert (done.count("dead"), done.count("alive")) == (2, 4)
            assert loop.tasks_of(7) == [kept[0]]
            kept[0].cancel()  # a dead task is not even canceled
            await asyncio.sleep(1.0)
            assert "dead closed" not in done
            return servers[-1]

        server = loop.run_until_complete(story())
    assert [type(each) for each in server.lost] == [ConnectionResetError]
