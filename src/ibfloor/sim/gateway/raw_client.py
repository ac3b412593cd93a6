"""A bare client for tests and trials: it sends what it is told, and shows every message as it came."""

from __future__ import annotations

import asyncio
import struct

import msgspec

from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec import research_responses as found
from ibfloor.sim.gateway.codec import responses as tell
from ibfloor.sim.gateway.codec.kinds import Scalar, Values
from ibfloor.sim.gateway.codec.orders import COMPLETED_ORDER, OPEN_ORDER, PLACE_ORDER
from ibfloor.sim.gateway.codec.table import DecodeError, Table
from ibfloor.sim.gateway.wire import PREAMBLE, split_fields

_TABLES = {
    table.message_id: table
    for table in (*vars(tell).values(), *vars(found).values(), OPEN_ORDER, COMPLETED_ORDER)
    if isinstance(table, Table)
}
_READ_LIMIT = 64 * 1024


class Told(msgspec.Struct, frozen=True):
    """A message from the gateway; what is no message of the codec is named ``?``."""

    name: str
    values: Values

    def fits(self, name: str, wanted: Values) -> bool:
        """Tell whether this is a message of a name, with these values."""
        return self.name == name and all(self.values.get(key) == value for key, value in wanted.items())


class RawClient:
    """One connection. Every read ends within ``patience_s``, or raises ``TimeoutError``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience_s: float = 5.0) -> None:
        self.reader = reader
        self.writer = writer
        self.version = 0
        self._patience_s = patience_s

    @classmethod
    async def open(cls, port: int, version: int = 178) -> RawClient:
        """Connect and agree on a version; raise ``ConnectionError`` when refused."""
        client = cls(*await asyncio.open_connection("127.0.0.1", port, limit=_READ_LIMIT))
        hello = f"v157..{version}".encode()
        client.write(PREAMBLE + struct.pack(">I", len(hello)) + hello)
        try:
            client.version = int((await client.read_fields())[0])
        except BaseException:
            client.close()
            raise
        return client

    @classmethod
    async def start(cls, port: int, client_id: int, version: int = 178) -> RawClient:
        """Connect, start the API, and read up to the next valid id."""
        client = await cls.open(port, version)
        client.send(ask.START_API, client_id=client_id)
        try:
            await client.until("next_valid_id")
        except BaseException:
            client.close()
            raise
        return client

    def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(data)

    def send(self, request: Table, **values: Scalar | list[Values]) -> None:
        """Send a request."""
        self.write(request.layout(self.version).encode(values))

    def place(self, order_id: int, qty: int, limit_px: str = "", **more: Scalar) -> None:
        """Send an order for SPY: a buy, at market unless a limit is given."""
        values: dict[str, Scalar] = {
            "order_id": order_id,
            "symbol": "SPY",
            "sec_type": "STK",
            "exchange": "SMART",
            "currency": "USD",
            "action": "BUY",
            "total_qty": qty,
            "order_type": "LMT" if limit_px else "MKT",
            "lmt_price": limit_px or None,
            "tif": "DAY",
            "transmit": True,
            **more,
        }
        self.send(PLACE_ORDER, **values)

    async def read_fields(self) -> list[str]:
        """Read one frame; raise ``ConnectionError`` at the end of the stream."""
        async with asyncio.timeout(self._patience_s):
            try:
                (length,) = struct.unpack(">I", await self.reader.readexactly(4))
                return split_fields(await self.reader.readexactly(length))
            except asyncio.IncompleteReadError as error:
                raise ConnectionResetError("the gateway closed the connection") from error

    async def read(self) -> Told:
        """Read one message."""
        fields = await self.read_fields()
        table = _TABLES.get(int(fields[0])) if fields and fields[0].isdigit() else None
        if table is None:
            return Told("?", {"fields": "|".join(fields)})
        try:
            values, _ = table.layout(self.version).decode(fields)
        except DecodeError:
            return Told("?", {"fields": "|".join(fields)})
        return Told(table.name, values)

    async def until(self, name: str, **wanted: Scalar) -> list[Told]:
        """Read up to a message of a name with these values; return all up to it."""
        told: list[Told] = []
        while not told or not told[-1].fits(name, wanted):
            told.append(await self.read())
        return told

    async def drain(self) -> list[Told]:
        """Return everything the gateway has told by now; it is asked the time to know."""
        self.send(ask.REQ_CURRENT_TIME)
        return (await self.until("current_time"))[:-1]

    async def is_cut(self) -> bool:
        """Read to the end of the connection; raise ``TimeoutError`` when it does not end."""
        try:
            while True:
                await self.read_fields()
        except ConnectionError:
            return True

    def close(self) -> None:
        """Close the connection."""
        self.writer.close()
