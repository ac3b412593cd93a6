"""The tables: what they write they read back, in every version, and ib_async reads the same."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ib_async import Contract, Order
from ib_async.client import Client
from ib_async.decoder import Decoder

from ibfloor.sim.gateway.codec import requests, research_requests, research_responses, responses
from ibfloor.sim.gateway.codec.kinds import AMOUNT, BOOL, COUNT, INT, LOUD_NUMBER, TEXT, FieldError, Values, number_text
from ibfloor.sim.gateway.codec.orders import COMPLETED_ORDER, OPEN_ORDER, PLACE_ORDER
from ibfloor.sim.gateway.codec.requests import REQUESTS
from ibfloor.sim.gateway.codec.responses import RESPONSES
from ibfloor.sim.gateway.codec.table import Block, DecodeError, Field, Item, Rows, Table
from ibfloor.sim.gateway.wire import split_fields

VERSIONS = (157, 176, 178, 187, 200)
TABLES = (*RESPONSES.values(), *REQUESTS.values())

_TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=8)


def _value(field: Field, random: Random) -> Any:
    if field.name == "kind" and field.kind is COUNT:
        return random.choice([1, 3, 4, 5, 6, 7])
    if field.kind is TEXT:
        return random.choice(["", "SPY", "PEG BENCH", "PEG BEST", "PEG MID", "IBKRATS", "BAG", "a b", "ü;=", "0", "-"])
    if field.kind is BOOL:
        return random.random() < 0.5
    if field.kind in (INT, COUNT):
        whole = random.choice([0, 1, -1, random.randrange(-(2**31) + 1, 2**31 - 1)])
        return None if field.kind is INT and random.random() < 0.2 else whole
    if field.kind.default is None and random.random() < 0.3:
        return None
    return Decimal(random.randrange(-(10**9), 10**9)).scaleb(-random.randrange(5)).normalize()


def _values(items: Sequence[Item], random: Random) -> dict[str, Any]:
    """Values for every field there may be; what a version leaves out is not written."""
    values: dict[str, Any] = {}
    for item in items:
        if isinstance(item, Rows):
            values[item.name] = [_values(item.items, random) for _ in range(random.randrange(3))]
        elif isinstance(item, Block):
            if item.when(values):
                values.update(_values(item.items, random))
        elif not item.constant:
            values.setdefault(item.name, _value(item, random))
    return values


def _written(items: Sequence[Item], values: Values, version: int) -> dict[str, Any]:
    """What of the values is on the wire in a version."""
    written: dict[str, Any] = {}
    for item in items:
        if not item.since <= version <= item.until:
            continue
        if isinstance(item, Field):
            if not item.constant:
                written[item.name] = values[item.name]
        elif isinstance(item, Rows):
            rows = values[item.name]
            assert isinstance(rows, list)
            written[item.name] = [_written(item.items, row, version) for row in rows]
        elif isinstance(item, Block) and item.when(values):
            written.update(_written(item.items, values, version))
    return written


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_message_reads_back_what_it_wrote_in_every_version(table: Table, seed: int) -> None:
    values = _values(table.items, Random(seed))
    for version in VERSIONS:
        layout = table.layout(version)
        fields = split_fields(layout.encode(values)[4:])
        got, rest = layout.decode(fields)
        assert fields[0] == str(table.message_id)
        assert (got, rest) == (_written(table.items, values, version), [])


def test_message_ids_are_unique_in_each_direction() -> None:
    for tables, modules in ((RESPONSES, (responses, research_responses)), (REQUESTS, (requests, research_requests))):
        named = {table for module in modules for table in vars(module).values() if isinstance(table, Table)}
        assert named <= set(tables.values())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("100.00"), "100"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.00005"), "0.00005"),
        (168.02, "168.02"),
        (5, "5"),
        (Decimal("Infinity"), "Infinite"),
        (None, ""),
        (Decimal("-0.50"), "-0.5"),
        (0.0, "0"),
    ],
)
def test_numbers_are_written_plainly(value: Decimal | float | None, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize("text", ["1.7976931348623157e+308", "1.7976931348623157E308", ""])
def test_unset_numbers_are_read_as_nothing(text: str) -> None:
    assert LOUD_NUMBER.decode(text) is None
    assert INT.decode("2147483647") is None


@pytest.mark.parametrize("text", ["1e300", "-1e-300", "1e99999999", "9" * 5000, "nan", "seven"])
def test_a_number_no_trader_means_is_refused_before_it_is_computed_with(text: str) -> None:
    for kind in (AMOUNT, COUNT):
        with pytest.raises(FieldError):
            kind.decode(text if kind is AMOUNT else text.replace("-1e-300", "1e300"))


def test_a_zero_of_any_exponent_is_zero() -> None:
    assert number_text(AMOUNT.decode("0e-99999999")) == "0"


def test_a_message_that_ends_early_names_the_missing_field() -> None:
    with pytest.raises(DecodeError, match="'exchange'") as caught:
        REQUESTS[1].layout(178).decode(["1", "11", "9", "0", "SPY", "STK", "", "0.0", "", ""])
    assert caught.value.values["req_id"] == 9


def test_a_field_that_is_no_number_is_named() -> None:
    with pytest.raises(DecodeError, match="'order_id'"):
        REQUESTS[4].layout(157).decode(["4", "1", "seven"])


class _Capture(Client):
    """ib_async's client, its messages caught before the socket."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.fields: list[str] = []

    def serverVersion(self) -> int:  # noqa: N802 - ib_async's name
        return self.version

    def isConnected(self) -> bool:  # noqa: N802
        return True

    def sendMsg(self, msg: str) -> None:  # noqa: N802
        self.fields = msg.split("\0")[:-1]


_SPY = Contract(secType="STK", conId=756733, symbol="SPY", exchange="SMART", currency="USD")
_PLACED = st.builds(
    Order,
    action=st.sampled_from(["BUY", "SELL"]),
    totalQuantity=st.integers(1, 10**6).map(float),
    orderType=st.sampled_from(["MKT", "LMT", "STP", "PEG MID", "PEG BEST", "PEG BENCH", "VOL"]),
    lmtPrice=st.integers(1, 10**7).map(lambda cents: cents / 100),
    tif=st.sampled_from(["DAY", "GTC", ""]),
    orderRef=_TEXTS,
    account=st.just("DU1"),
    hedgeType=st.sampled_from(["", "D"]),
    hedgeParam=st.just("1"),
    algoStrategy=st.sampled_from(["", "Vwap"]),
    outsideRth=st.booleans(),
    transmit=st.booleans(),
    minQty=st.integers(1, 100),
    scalePriceIncrement=st.sampled_from([1.7976931348623157e308, 0.05]),
    deltaNeutralOrderType=st.sampled_from(["", "MKT"]),
)


@settings(max_examples=40, deadline=None)
@given(order=_PLACED, version=st.sampled_from([157, 176, 178]))
def test_an_order_as_ib_async_sends_it_comes_back_to_ib_async_as_it_was(order: Order, version: int) -> None:
    client: Any = _Capture(version)
    client.placeOrder(7, _SPY, order)
    placed, rest = PLACE_ORDER.layout(version).decode(client.fields)
    assert rest == []
    assert placed["total_qty"] == Decimal(repr(order.totalQuantity))

    heard: list[tuple[int, Contract, Order, Any]] = []
    shown = {**placed, "client_id": 3, "perm_id": 1480000001, "status": "Submitted"}
    decoder: Any = Decoder(_Wrapper(heard), version)  # type: ignore[arg-type]  # only what is called is there
    decoder.handlers[5](split_fields(OPEN_ORDER.layout(version).encode(shown)[4:]))
    ((order_id, contract, back, state),) = heard
    assert (order_id, contract, state.status) == (7, _SPY, "Submitted")
    names = (
        *("action", "totalQuantity", "orderType", "lmtPrice", "tif", "orderRef", "account", "outsideRth", "minQty"),
        *("hedgeType", "algoStrategy", "scalePriceIncrement", "deltaNeutralOrderType"),
    )
    sent = {name: getattr(order, name) for name in names}
    got = {name: getattr(back, name) for name in names}
    assert got == sent
    assert (back.permId, back.clientId) == (1480000001, 3)


@settings(max_examples=20, deadline=None)
@given(qty=st.integers(1, 10**6), px=st.integers(1, 10**7), version=st.sampled_from([157, 176, 178]))
def test_ib_async_reads_executions_positions_and_completed_orders(qty: int, px: int, version: int) -> None:
    heard: list[Any] = []
    decoder: Any = Decoder(_Wrapper(heard), version)  # type: ignore[arg-type]
    price = Decimal(px) / 100
    contract: dict[str, Any] = {"con_id": 756733, "symbol": "SPY", "sec_type": "STK", "strike": Decimal(0)}
    contract |= {"exchange": "SMART", "currency": "USD"}
    execution = contract | {"exec_id": "0000e0d5.1.01.01", "time": "20131007 10:00:00 US/Eastern", "side": "BOT"}
    execution |= {
        "shares": Decimal(qty),
        "price": price,
        "perm_id": 5,
        "client_id": 3,
        "order_id": 7,
        "order_ref": "a:1",
    }
    decoder.handlers[11](split_fields(responses.EXEC_DETAILS.layout(version).encode(execution)[4:]))
    position = contract | {"account": "DU1", "position": Decimal(-qty), "avg_cost": price}
    decoder.handlers[61](split_fields(responses.POSITION.layout(version).encode(position)[4:]))
    done = contract | {
        "action": "BUY",
        "order_type": "LMT",
        "total_qty": Decimal(qty),
        "lmt_price": price,
        "perm_id": 5,
    }
    done |= {"filled_qty": Decimal(qty), "status": "Filled", "completed_status": "Filled Size: 1"}
    decoder.handlers[101](split_fields(COMPLETED_ORDER.layout(version).encode(done)[4:]))
    (_, spy, ex), (account, _, held, cost), (_, order, state) = heard
    assert (spy.conId, ex.shares, ex.price, ex.orderId, ex.orderRef) == (756733, qty, float(price), 7, "a:1")
    assert (account, held, cost) == ("DU1", -qty, float(price))
    assert (order.permId, order.filledQuantity, state.status) == (5, qty, "Filled")
    assert state.completedStatus == "Filled Size: 1"


class _Wrapper:
    """Stands where ib_async's wrapper stands; its methods keep what they are called with."""

    class _Ib:
        TimezoneTWS = ""

    def __init__(self, heard: list[Any]) -> None:
        from datetime import UTC

        self.ib = self._Ib()
        self.defaultTimezone = UTC
        self._heard = heard

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self._heard.append(args)
