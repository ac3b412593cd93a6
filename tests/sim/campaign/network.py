"""A network in memory: connections with seeded latency, in order each way, that split, stall and break."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import struct
from collections.abc import Callable
from random import Random
from typing import Any

from tests.sim.campaign.virtual_loop import LIFE, Killed, VirtualLoop

STEP_S = 1e-7
"""Between two deliveries on one way: a heap of timers keeps no order among equals."""
_RESET = struct.pack("ii", 1, 0)
FIRST_PORT = 49152


class NetworkWeather:
    """How the network behaves just now; a fault of the campaign changes it."""

    def __init__(self) -> None:
        self.latency_s = (0.0002, 0.003)
        self.split_share = 0.02
        self.held_until_s = 0.0
        """Half-open: bytes written before this time arrive after it."""
        self.refuses_until_s = 0.0


class Network:
    """All connections of one run. ``on_write`` sees the bytes of every client before they leave."""

    def __init__(self, loop: VirtualLoop, seed: str) -> None:
        self.weather = NetworkWeather()
        self.on_write: Callable[[int, bytes], None] = lambda life, data: None
        self.on_reply: Callable[[bytes], object] = lambda data: None
        """Sees what servers write."""
        self.links: list[tuple[_Transport, _Transport]] = []
        self._loop = loop
        self.random = Random(f"{seed}:network")
        self._listeners: dict[int, tuple[Callable[[], Any], contextvars.Context]] = {}
        self._next_port = FIRST_PORT
        loop.connect, loop.listen = self.connect, self.listen

    def listen(self, factory: Callable[[], Any], port: int, sock: socket.socket | None) -> _Server:
        """Take connections on a port."""
        if sock is not None:
            sock.close()  # only its number was needed, and that comes from here
        if port == 0:
            port, self._next_port = self._next_port, self._next_port + 1
        self._listeners[port] = (factory, contextvars.copy_context())
        return _Server(self, port)

    def close_port(self, port: int) -> None:
        """Take no more connections on a port."""
        self._listeners.pop(port, None)

    async def connect(self, factory: Callable[[], Any], port: int) -> tuple[Any, Any]:
        """Connect a client; raises ``ConnectionRefusedError`` where nobody listens."""
        await asyncio.sleep(self.delay_s())
        listener = self._listeners.get(port)
        if listener is None or self._loop.time() < self.weather.refuses_until_s:
            raise ConnectionRefusedError(111, "connection refused")
        make_server, server_context = listener
        client = _Transport(self, factory(), contextvars.copy_context(), is_client=True)
        server = _Transport(self, make_server(), server_context, is_client=False)
        client.peer, server.peer = server, client
        self.links.append((client, server))
        server.context.run(server.protocol.connection_made, server)
        client.protocol.connection_made(client)
        return client, client.protocol

    def cut(self) -> None:
        """Reset every connection, at both ends."""
        for client, server in self.links:
            client.lose(ConnectionResetError(104, "connection reset by peer"))
            server.lose(ConnectionResetError(104, "connection reset by peer"))

    def bury(self, life: int) -> None:
        """Close the sockets of a life that was killed, as the system does: what was sent may arrive, or not."""
        for client, server in self.links:
            if client.life == life and not client.is_over:
                client.is_over = True
                if self.random.random() < 0.5:
                    server.forget_incoming()
                client.send_loss(ConnectionResetError(104, "connection reset by peer"))
        self.links = [link for link in self.links if not (link[0].is_over and link[1].is_over)]

    def delay_s(self) -> float:
        """Return a latency."""
        return self.random.uniform(*self.weather.latency_s)

    def call_at(self, when: float, context: contextvars.Context, call: Callable[..., object], *args: Any) -> None:
        """Have something called at a time, as the owner of a context."""
        self._loop.call_at(when, call, *args, context=context)

    def now_s(self) -> float:
        """Return virtual seconds."""
        return self._loop.time()


class _Transport(asyncio.Transport):
    def __init__(self, network: Network, protocol: Any, context: contextvars.Context, *, is_client: bool) -> None:
        super().__init__({"socket": self})  # its own socket: only the lingering is ever set
        self.protocol = protocol
        self.context = context
        self.life = context.get(LIFE, 0)
        self.peer: _Transport
        self.is_over = False
        self._network = network
        self._is_client = is_client
        self._is_closing = False
        self._resets = False
        self._last_s = 0.0
        self._epoch = 0

    # writing

    def write(self, data: Any) -> None:
        if self._is_closing or self.is_over or not data:
            return
        data = bytes(data)
        network = self._network
        if self._is_client:
            network.on_write(self.life, data)
            if self.is_over:  # killed on its way to the socket
                raise Killed
        else:
            network.on_reply(data)
        if len(data) > 1 and network.random.random() < network.weather.split_share:
            cut = network.random.randrange(1, len(data))
            self._send(self.peer.deliver, self.peer._epoch, data[:cut])
            data = data[cut:]
        self._send(self.peer.deliver, self.peer._epoch, data)

    def write_eof(self) -> None:
        self._send(self.peer.end)

    def close(self) -> None:
        if not self._is_closing and not self.is_over:
            self._is_closing = True
            self._send(self.peer.end)
            self._network.call_at(self._network.now_s(), self.context, self.lose, None)

    def abort(self) -> None:
        if self.is_over:
            return
        self._is_closing = True
        error = ConnectionResetError(104, "connection reset by peer") if self._resets else None
        self.send_loss(error)
        self._network.call_at(self._network.now_s(), self.context, self.lose, None)

    def send_loss(self, error: Exception | None) -> None:
        self._send(self.peer.lose if error else self.peer.end, *([error] if error else []))

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        self._resets = value == _RESET

    def is_closing(self) -> bool:
        return self._is_closing or self.is_over

    def get_write_buffer_size(self) -> int:
        return 0

    def _send(self, call: Callable[..., object], *args: Any) -> None:
        network = self._network
        due_s = max(network.now_s(), network.weather.held_until_s) + network.delay_s()
        self._last_s = max(due_s, self._last_s + STEP_S)
        network.call_at(self._last_s, self.peer.context, call, *args)

    # arriving

    def deliver(self, epoch: int, data: bytes) -> None:
        if not self.is_over and not self._is_closing and epoch == self._epoch:
            self.protocol.data_received(data)

    def end(self) -> None:
        if not self.is_over and not self._is_closing and not self.protocol.eof_received():
            self.close()

    def lose(self, error: Exception | None) -> None:
        # As a real transport: it is closing at once, and its owner hears of it a turn of the loop later.
        if not self.is_over:
            self.is_over = True
            self._network.call_at(self._network.now_s(), self.context, self.protocol.connection_lost, error)

    def forget_incoming(self) -> None:
        self._epoch += 1


class _Server:
    def __init__(self, network: Network, port: int) -> None:
        self._network = network
        self.port = port

    @property
    def sockets(self) -> tuple[_Server]:
        return (self,)

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def close(self) -> None:
        self._network.close_port(self.port)

    async def wait_closed(self) -> None:
        """Return at once: connections end by themselves."""
