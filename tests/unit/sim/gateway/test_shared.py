"""Frames that are encoded once for many clients: the same bytes as if each were encoded alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibfloor.sim.gateway.codec import responses as tell
from ibfloor.sim.gateway.codec.table import Layout, Table
from ibfloor.sim.gateway.wire import FrameReader, split_fields

PRICE = {"type": 1, "price": Decimal("100.50"), "size": Decimal(300)}


def fields(table: Table, values: dict[str, Any], version: int = 178) -> list[str]:
    reader = FrameReader()
    reader.feed(b"API\0")
    (payload,) = reader.feed(table.layout(version).encode(values))
    return split_fields(payload)


def test_each_client_gets_its_own_request_id_and_the_same_rest() -> None:
    for req_id in (7, 1_000_000, 7, 8):
        told = fields(tell.TICK_PRICE, {"req_id": req_id, **PRICE})
        assert told == ["1", "6", str(req_id), "1", "100.5", "300", "0"]


def test_every_field_makes_a_frame_of_its_own() -> None:
    assert fields(tell.TICK_PRICE, {"req_id": 7, **PRICE, "attributes": 1})[-1] == "1"
    assert fields(tell.TICK_PRICE, {"req_id": 7, **PRICE, "type": 2})[3] == "2"
    assert fields(tell.TICK_PRICE, {"req_id": 7, **PRICE, "size": Decimal(0)})[5] == "0"
    assert fields(tell.TICK_PRICE, {"req_id": 7, **PRICE})[-1] == "0"


def test_fields_not_given_take_their_defaults() -> None:
    assert fields(tell.TICK_PRICE, {"req_id": 7}) == ["1", "6", "7", "0", "0", "0", "0"]


@pytest.mark.parametrize("table", [tell.TICK_PRICE, tell.TICK_SIZE, tell.TICK_STRING], ids=lambda table: table.name)
def test_shared_frames_are_those_of_a_plain_table(table: Table) -> None:
    plain = Layout(Table(table.name, table.message_id, *table.items), 178)
    for n in range(6000):  # more than are kept
        text: Any = f"text {n % 5000}" if table is tell.TICK_STRING else None
        values = {"req_id": n, "type": n % 9, "price": Decimal(n), "size": Decimal(n) / 4, "value": text}
        assert table.layout(178).encode(values) == plain.encode(values)
