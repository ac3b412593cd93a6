"""A gateway that is nothing but a stopwatch: sends ready-made ticks, stamps them, stamps the orders that come back.

One process, one loop, both stamps by one clock. It answers what clients ask at the start, and every
order in full: openOrder, statuses, execution, commission.
"""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.harness import pin
from ibfloor.sim.gateway.codec import orders, responses
from ibfloor.sim.gateway.codec.table import Table

VERSION = 178
SYMBOLS = tuple(f"S{number:02}" for number in range(10))
LAST_PRICE = "999.99"
ENDS = {"5": b"53\x001\x00", "16": b"53\x001\x00", "61": b"62\x001\x00", "99": b"102\x00"}


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def encoded(table: Table, **values: Any) -> bytes:
    return table.layout(VERSION).encode(values)


def tick(req_id: str, kind: int, px: str, size: int) -> bytes:
    return framed(f"1\x006\x00{req_id}\x00{kind}\x00{px}\x00{size}\x000\x00".encode())


def con_id(symbol: str) -> int:
    return 1000 + SYMBOLS.index(symbol)


class Stopwatch:
    """Everything that is measured. Owner: the server's loop."""

    def __init__(self, line: Connection) -> None:
        self.line = line
        self.subscriptions: dict[str, tuple[asyncio.Transport, str]] = {}
        self.sent_ns: list[int] = []
        self.order_ns: list[int] = []
        self.changed = asyncio.Event()

    async def latency(self, count: int, every_s: float) -> None:
        transport, req_id = await self._subscription(SYMBOLS[0])
        loop = asyncio.get_running_loop()
        transport.write(tick(req_id, 1, "170.00", 1) + tick(req_id, 2, "170.02", 1))
        await asyncio.sleep(0.5)
        frames = [tick(req_id, 4, f"{170 + index * 0.01:.2f}", 100 + index % 7) for index in range(count)]
        due = loop.time()
        for frame in frames:
            due += every_s
            await asyncio.sleep(max(0.0, due - loop.time()))
            self.sent_ns.append(time.perf_counter_ns())
            transport.write(frame)
        async with asyncio.timeout(5):
            while len(self.order_ns) < count:
                self.changed.clear()
                await self.changed.wait()
        pairs = zip(self.sent_ns, self.order_ns, strict=True)
        self.line.send([(order - sent) / 1000 for sent, order in pairs])

    async def blast(self, count: int) -> None:
        everyone = [await self._subscription(symbol) for symbol in SYMBOLS]
        transport = everyone[0][0]
        for _, req_id in everyone:
            transport.write(tick(req_id, 1, "100.00", 1) + tick(req_id, 2, "100.02", 1))
        await asyncio.sleep(0.5)
        frames = []
        for index in range(count - 1):
            _, req_id = everyone[index % len(everyone)]
            frames.append(tick(req_id, (1, 2, 4)[index % 3], f"{100 + index % 5000 * 0.01:.2f}", index + 1))
        frames.append(tick(everyone[0][1], 4, LAST_PRICE, count))
        stream = b"".join(frames)
        transport.write(stream)
        while transport.get_write_buffer_size():  # noqa: ASYNC110 - a transport tells no event
            await asyncio.sleep(0.001)
        self.line.send("sent")

    async def _subscription(self, symbol: str) -> tuple[asyncio.Transport, str]:
        while symbol not in self.subscriptions:
            self.changed.clear()
            async with asyncio.timeout(20):
                await self.changed.wait()
        return self.subscriptions[symbol]


class Link(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch
        self._data = b""
        self._client_id = 0
        self._is_greeted = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=1 << 30)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        now_ns = time.perf_counter_ns()
        self._data += data
        if not self._is_greeted and self._data.startswith(b"API\0"):
            self._data, self._is_greeted = self._data[4:], True
        while len(self._data) >= 4:
            end = 4 + int.from_bytes(self._data[:4], "big")
            if len(self._data) < end:
                return
            body, self._data = self._data[4:end], self._data[end:]
            self._answer(body, now_ns)

    def _answer(self, body: bytes, now_ns: int) -> None:
        fields = body.decode().split("\0")
        write = self._transport.write
        match fields[0]:
            case "3":
                self._watch.order_ns.append(now_ns)
                self._watch.changed.set()
                write(order_life(fields, self._client_id))
            case "49":
                write(framed(b"49\x001\x001382102760\x00"))
            case "71":
                self._client_id = int(fields[2])
                write(framed(b"15\x001\x00DU1\x00") + framed(b"9\x001\x001\x00"))
            case "9":
                write(details(fields[2], fields[4]))
            case "20":
                write(encoded(responses.ERROR, req_id=int(fields[1]), code=162, text="HMDS query returned no data"))
            case "1":
                symbol = fields[4] if fields[4] in SYMBOLS else SYMBOLS[int(fields[3]) - 1000]
                self._watch.subscriptions[symbol] = (self._transport, fields[2])
                self._watch.changed.set()
            case message_id if message_id in ENDS:
                write(framed(ENDS[message_id]))
            case _ if not fields[0].isdigit():
                write(framed(b"178\x0020131018 09:26:00 EST\x00"))


def details(req_id: str, symbol: str) -> bytes:
    values = {"symbol": symbol, "sec_type": "STK", "exchange": "SMART", "currency": "USD", "local_symbol": symbol}
    return encoded(
        responses.CONTRACT_DETAILS,
        req_id=int(req_id),
        con_id=con_id(symbol),
        min_tick=Decimal("0.01"),
        time_zone="US/Eastern",
        **values,
    ) + encoded(responses.CONTRACT_DETAILS_END, req_id=int(req_id))


def order_life(fields: list[str], client_id: int) -> bytes:
    order_id, qty = int(fields[1]), Decimal(fields[17])
    contract = {
        "con_id": int(fields[2]),
        "symbol": fields[3],
        "sec_type": "STK",
        "exchange": "SMART",
        "currency": "USD",
    }
    ours = {"order_id": order_id, "client_id": client_id, "perm_id": 10_000 + order_id, "order_ref": fields[26]}
    order = {**contract, **ours, "action": fields[16], "total_quantity": qty, "order_type": "MKT"}
    exec_id = f"0000e0d5.{order_id:x}.01.01"
    execution = {
        "exec_id": exec_id,
        "time": "20131018 09:31:05 US/Eastern",
        "account": "DU1",
        "exec_exchange": "ARCA",
        "side": "BOT" if fields[16] == "BUY" else "SLD",
        "shares": qty,
        "price": Decimal("170.01"),
        "cum_qty": qty,
        "avg_price": Decimal("170.01"),
    }
    status = {"order_id": order_id, "perm_id": ours["perm_id"], "client_id": client_id}
    return b"".join(
        (
            encoded(orders.OPEN_ORDER, **order, status="Submitted"),
            encoded(responses.ORDER_STATUS, **status, status="Submitted", remaining=qty),
            encoded(responses.EXEC_DETAILS, **contract, **ours, **execution),
            encoded(orders.OPEN_ORDER, **order, status="Filled"),
            encoded(responses.ORDER_STATUS, **status, status="Filled", filled=qty),
            encoded(responses.COMMISSION, exec_id=exec_id, commission=Decimal("0.35"), currency="USD"),
        )
    )


def main(line: Connection, core: int | None) -> None:
    pin(core)
    asyncio.run(_serve(line))


async def _serve(line: Connection) -> None:
    loop = asyncio.get_running_loop()
    watch = Stopwatch(line)
    server = await loop.create_server(lambda: Link(watch), "127.0.0.1", 0)
    line.send(server.sockets[0].getsockname()[1])
    orders_in: asyncio.Queue[Any] = asyncio.Queue()
    loop.add_reader(line.fileno(), lambda: orders_in.put_nowait(line.recv()))
    while (order := await orders_in.get()) != "stop":
        name, *arguments = order
        await getattr(watch, name)(*arguments)
    loop.remove_reader(line.fileno())
