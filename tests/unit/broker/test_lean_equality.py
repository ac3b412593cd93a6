"""The lean path and the library's decoder read the same messages alike."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.broker.ib.convert import STATUSES, number, to_multiplier, to_side, to_status
from ibfloor.broker.ib.decoder import LoudDecoder
from ibfloor.broker.ib.order_messages import read_fee, read_fill, read_open_order, read_status
from ibfloor.broker.ib.ticks import TickBook, TickReader
from ibfloor.broker.ib.wrapper import EVERY_MESSAGE, IbWrapper
from ibfloor.model.ids import UNASSIGNED, ClientOrderId, ExecId, InstrumentId, owner_of
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.market import Quote, Trade
from ibfloor.model.moment import from_datetime
from ibfloor.model.money import USD
from ibfloor.sim.gateway.codec import orders, responses
from ibfloor.sim.gateway.codec.table import Table

SPY = Instrument(instrument_id=InstrumentId(1), contract=Stock("SPY"), local_symbol="SPY", currency=USD)
VERSIONS = st.sampled_from([157, 160, 166, 170, 176, 177, 178])
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
IDS = st.integers(0, 2**31 - 2)
QUANTITIES = st.decimals(0, 10**7, places=2, allow_nan=False)
PRICES = st.decimals("0.0001", "99999", places=4, allow_nan=False)
REFS = st.one_of(TEXTS, st.builds("{}:{}".format, st.sampled_from(["alpha", "mean-rev-2"]), IDS))
TIMES = st.sampled_from(
    ["20131018 09:30:05 US/Eastern", "20131018 15:59:59 America/Chicago", "20240310 03:00:01 US/Eastern"]
)


def library(frame: bytes, version: int) -> list[tuple[str, tuple[Any, ...]]]:
    """Return what ib_async's decoder makes of a frame."""
    calls: list[tuple[str, tuple[Any, ...]]] = []

    def keep(name: str) -> Any:
        return lambda *args: calls.append((name, args))

    def fail(error: Exception, message: str) -> None:
        raise AssertionError(message) from error

    decoder = LoudDecoder(IbWrapper({name: keep(name) for name in EVERY_MESSAGE}, naive_zone="UTC"), fail)
    decoder.serverVersion = version
    fields = frame[4:].decode().split("\0")
    decoder.interpret(fields[:-1])
    return calls


def lean(frame: bytes) -> list[bytes]:
    return frame[4:].split(b"\0")


def encoded(table: Table, version: int, **values: Any) -> bytes:
    return table.layout(version).encode(values)


@given(
    version=VERSIONS,
    order_id=IDS,
    status=st.sampled_from([*STATUSES, "Inactive", "Odd"]),
    filled=QUANTITIES,
    remaining=QUANTITIES,
    perm_id=IDS,
    client_id=st.integers(0, 99),
    why_held=st.sampled_from(["", "locate"]),
)
def test_order_status(version: int, **values: Any) -> None:
    frame = encoded(responses.ORDER_STATUS, version, **values)
    ((name, args),) = library(frame, version)
    assert name == "orderStatus"
    order_id, word, filled, remaining, _, perm_id, _, _, client_id, held, _ = args
    message = read_status(lean(frame))
    assert message[:3] == (order_id, client_id, perm_id)
    assert (message.cum_qty, message.leaves_qty) == (number(filled), number(remaining))
    assert message.status is to_status(word, number(filled) or Decimal(0), number(remaining))
    assert held in message.text


@given(
    version=VERSIONS,
    req_id=st.just(-1),
    order_id=IDS,
    con_id=IDS.filter(bool),
    symbol=TEXTS,
    sec_type=st.just("STK"),
    multiplier=st.sampled_from(["", "1", "50", "100"]),
    currency=st.sampled_from(["USD", "EUR"]),
    exec_id=st.sampled_from(["0000e0d5.65a1.01.01", "x"]),
    time=TIMES,
    account=st.just("DU1"),
    side=st.sampled_from(["BOT", "SLD"]),
    shares=QUANTITIES.filter(lambda qty: qty > 0),
    price=PRICES,
    perm_id=IDS,
    client_id=st.integers(0, 99),
    order_ref=REFS,
)
def test_execution(version: int, **values: Any) -> None:
    frame = encoded(responses.EXEC_DETAILS, version, **values)
    ((name, args),) = library(frame, version)
    assert name == "execDetails"
    _, contract, execution = args
    fill = read_fill(lean(frame), ClientOrderId("beta:4"), naive_zone="UTC", now_ns=5, server_version=version)
    assert fill.exec_id == ExecId(execution.execId)
    assert fill.ts_event_ns == from_datetime(execution.time)
    assert (fill.instrument_id, fill.currency) == (contract.conId, contract.currency)
    assert fill.multiplier == to_multiplier(contract.multiplier)
    assert (fill.last_qty, fill.last_px) == (number(execution.shares), number(execution.price))
    assert (fill.side, fill.perm_id) == (to_side(execution.side), execution.permId)
    assert (fill.account, fill.order_ref) == (execution.acctNumber, execution.orderRef)
    owner = owner_of(execution.orderRef)
    assert fill.cl_ord_id == (execution.orderRef if owner else "beta:4")
    assert fill.strategy == (owner or "beta")


PLAIN_FILL = {
    "con_id": 756733,
    "exec_id": "0000e0d5.65a1.01.01",
    "currency": "USD",
    "time": "20131018-13:30:05",
    "side": "BOT",
    "shares": 1,
    "price": 2,
}


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (3, b"0"),
        (3, b"-5"),
        (9, b"-100"),
        (11, b""),
        (11, b"usd"),
        (11, b"\xef\xbc\x91"),
        (14, b""),
        (14, b"\x08000.01"),
        (14, b"\xff\xfe"),
        (15, b"soon"),
        (18, b"HOLD"),
        (19, b"0"),
        (19, b"-3"),
        (19, b"nan"),
        (20, b"inf"),
        (24, b"SPY"),
    ],
)
def test_execution_that_no_broker_would_tell_is_no_fill(at: int, value: bytes) -> None:
    fields = lean(encoded(responses.EXEC_DETAILS, 178, **PLAIN_FILL))
    assert read_fill(list(fields), None, naive_zone="UTC", now_ns=5, server_version=178).last_qty == 1
    for broken in ([*fields[:at], value, *fields[at + 1 :]], fields[:at] + fields[at + 1 :], [*fields, b""]):
        with pytest.raises(ValueError, match=r"."):
            read_fill(broken, None, naive_zone="UTC", now_ns=5, server_version=178)


@given(version=VERSIONS, order_ref=TEXTS.filter(lambda text: owner_of(text) is None))
def test_execution_nobody_of_ours_ordered_is_unassigned(version: int, order_ref: str) -> None:
    values = {**PLAIN_FILL, "order_ref": order_ref}
    fill = read_fill(lean(encoded(responses.EXEC_DETAILS, version, **values)), None, naive_zone="UTC", now_ns=5)
    assert (fill.cl_ord_id, fill.strategy) == (None, UNASSIGNED)


@given(
    version=VERSIONS,
    exec_id=st.sampled_from(["0000e0d5.65a1.01.01", "x"]),
    commission=st.decimals(-10, 100, places=6, allow_nan=False),
    currency=st.sampled_from(["USD", "EUR"]),
    realized_pnl=st.one_of(st.none(), QUANTITIES),
)
def test_commission(version: int, **values: Any) -> None:
    frame = encoded(responses.COMMISSION, version, **values)
    ((name, args),) = library(frame, version)
    assert name == "commissionReport"
    (report,) = args
    fee = read_fee(lean(frame), 5)
    assert fee is not None
    expected = number(report.commission)
    assert (fee.exec_id, fee.fee.amount, fee.fee.currency) == (report.execId, expected, report.currency)


def test_fee_that_ib_does_not_know_yet_is_no_fee() -> None:
    for unset in (b"", b"1.7976931348623157E308", b"1.7976931348623157e+308"):
        assert read_fee([b"59", b"1", b"x.01", unset, b"USD", b"", b"", b"", b""], 5) is None


@given(
    version=VERSIONS,
    order_id=IDS,
    con_id=IDS,
    order_ref=REFS,
    client_id=st.integers(0, 99),
    perm_id=IDS,
    action=st.sampled_from(["BUY", "SELL"]),
    order_type=st.sampled_from(["MKT", "LMT", "STP"]),
    status=st.sampled_from(["PreSubmitted", "Submitted", "Filled", "Inactive", "PendingCancel"]),
    what_if=st.booleans(),
    warning_text=TEXTS,
    algo_strategy=st.sampled_from(["", "Adaptive"]),
    hedge_type=st.sampled_from(["", "D"]),
    delta_neutral_order_type=st.sampled_from(["", "LMT"]),
)
def test_open_order_is_read_alike_or_left_to_the_library(version: int, **values: Any) -> None:
    frame = encoded(orders.OPEN_ORDER, version, **values)
    ((name, args),) = library(frame, version)
    assert name == "openOrder"
    order_id, _, order, state = args
    message = read_open_order(lean(frame), version)
    is_plain = not (values["algo_strategy"] or values["hedge_type"] or values["delta_neutral_order_type"])
    assert (message is not None) == is_plain
    if message is not None:
        assert message[:4] == (order_id, order.clientId, order.permId, order.orderRef)
        assert message.status is to_status(state.status, Decimal(0), None)
        assert (message.text, message.is_what_if) == (state.warningText, bool(order.whatIf))


TICKS = st.lists(
    st.one_of(
        st.tuples(
            st.just("price"),
            st.sampled_from([1, 2, 4, 6, 9]),
            st.one_of(st.just(Decimal(-1)), PRICES),
            st.integers(0, 900),
        ),
        st.tuples(st.just("size"), st.sampled_from([0, 3, 5, 8]), st.just(Decimal(0)), st.integers(0, 900)),
    ),
    max_size=30,
)


@given(ticks=TICKS, version=VERSIONS)
def test_ticks(ticks: list[tuple[str, int, Decimal, int]], version: int) -> None:
    reader = TickReader()
    reader.books[b"7"] = TickBook(SPY)
    expected: dict[int, tuple[float, float]] = {}
    for table, kind, price, size in ticks:
        values = {"req_id": 7, "type": kind, "price": price, "size": Decimal(size)}
        is_price = table == "price"
        frame = encoded(responses.TICK_PRICE if is_price else responses.TICK_SIZE, version, **values)
        reader.batch.clear()
        (reader.on_price if is_price else reader.on_size)(lean(frame))
        for name, args in library(frame, version):
            if name == "priceSizeTick":
                expected[args[1]] = (args[2], args[3])
            else:
                of = {0: 1, 3: 2, 5: 4}.get(args[1], 0)
                expected[of] = (expected.get(of, (float("nan"), 0.0))[0], args[2])
        for event in reader.batch:
            match event:
                case Quote():
                    for theirs, ours in ((1, (event.bid_px, event.bid_qty)), (2, (event.ask_px, event.ask_qty))):
                        px, qty = expected[theirs]
                        assert ours[1] == qty
                        assert ours[0] == px or (px == -1.0 and ours[0] != ours[0])
                case Trade():
                    assert (event.last_px, event.last_qty) == expected[4]
        is_touch = is_price and kind in (1, 2)
        assert bool(reader.batch) or not is_touch or not {1, 2} <= expected.keys() or not reader.books[b"7"].is_quotable
