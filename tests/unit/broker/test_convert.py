"""Numbers, times and contracts at the one door."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import ib_async
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.broker.ib import convert
from ibfloor.broker.ib.history import bar_size, duration
from ibfloor.broker.ib.times import format_utc, parse_time
from ibfloor.model.errors import ConfigError
from ibfloor.model.instrument import Contract, Forex, Future, SecurityType, Stock
from ibfloor.model.moment import NS_PER_S, from_datetime
from ibfloor.model.order import OrdStatus, Side


def ns(*parts: int) -> int:
    return from_datetime(datetime(*parts, tzinfo=UTC))  # type: ignore[misc, arg-type]


@pytest.mark.parametrize("text", ["", "1.7976931348623157E308", "1.7976931348623157e+308", "Infinity", "nan"])
def test_unset_is_none(text: str) -> None:
    assert convert.to_decimal(text) is None


@pytest.mark.parametrize("value", [1.7976931348623157e308, 2147483647, None, ""])
def test_unset_of_the_library_is_none(value: object) -> None:
    assert convert.number(value) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "plain"), [("100", "100"), ("100.0", "100"), ("1E+2", "100"), ("0.10", "0.1"), ("-3.50", "-3.5")]
)
def test_number_has_one_spelling(text: str, plain: str) -> None:
    value = convert.to_decimal(text)
    assert value is not None
    assert str(value) == plain == convert.plain(value)


@given(st.floats(-1e9, 1e9))
def test_library_float_keeps_its_shortest_text(value: float) -> None:
    assert float(convert.number(value) or 0) == value


def test_garbled_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a number"):
        convert.to_decimal("12x")


def test_side_that_is_not_known_is_an_error() -> None:
    assert convert.to_side("SSHORT") is Side.SELL
    with pytest.raises(ValueError, match="side"):
        convert.to_side("MAYBE")


@pytest.mark.parametrize(
    ("word", "filled", "left", "status"),
    [
        ("PendingSubmit", 0, 100, OrdStatus.PENDING_NEW),
        ("PreSubmitted", 0, 100, OrdStatus.NEW),
        ("Submitted", 0, 100, OrdStatus.NEW),
        ("Submitted", 40, 60, OrdStatus.PARTIALLY_FILLED),
        ("Filled", 100, 0, OrdStatus.FILLED),
        ("Cancelled", 40, 60, OrdStatus.CANCELED),
        ("ApiCancelled", 0, 100, OrdStatus.CANCELED),
        ("Inactive", 0, 100, OrdStatus.UNKNOWN),
        ("SomethingNew", 0, 100, OrdStatus.UNKNOWN),
    ],
)
def test_status_words(word: str, filled: int, left: int, status: OrdStatus) -> None:
    assert convert.to_status(word, Decimal(filled), Decimal(left)) is status


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20131018 09:30:05 US/Eastern", ns(2013, 10, 18, 13, 30, 5)),
        ("20131018 09:30:05 EST", ns(2013, 10, 18, 13, 30, 5)),
        ("20250225-15:15:00", ns(2025, 2, 25, 15, 15, 0)),
        ("20131018  09:30:05", ns(2013, 10, 18, 13, 30, 5)),
        ("2013-10-18 09:30:05.0", ns(2013, 10, 18, 13, 30, 5)),
        ("20131018", ns(2013, 10, 18, 4, 0, 0)),
        ("1382103005", ns(2013, 10, 18, 13, 30, 5)),
        ("20240310 01:59:59 US/Eastern", ns(2024, 3, 10, 6, 59, 59)),
        ("20240310 03:00:00 US/Eastern", ns(2024, 3, 10, 7, 0, 0)),
        ("20241103 03:00:00 US/Eastern", ns(2024, 11, 3, 8, 0, 0)),
        ("20131018 10:00:00 Asia/Kolkata", ns(2013, 10, 18, 4, 30, 0)),
    ],
)
def test_times_of_every_shape(text: str, expected: int) -> None:
    assert parse_time(text, "America/New_York") == expected


@pytest.mark.parametrize("text", ["", "soon", "2013 09", "20131018 09:30:05 Mars/Base", "20131318 09:30:05 UTC"])
def test_time_of_no_known_shape_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text, "America/New_York")


@given(st.integers(0, 4_000_000_000))
def test_time_we_write_is_read_back(epoch_s: int) -> None:
    assert parse_time(format_utc(epoch_s * NS_PER_S), "America/New_York") == epoch_s * NS_PER_S


@pytest.mark.parametrize(
    "contract",
    [
        Stock("SPY"),
        Stock("BAC", primary_exchange="NYSE"),
        Future("ES", "202612", exchange="CME"),
        Forex("EURUSD"),
        Contract(security_type=SecurityType.OPTION, symbol="SPY", expiry="20261218", strike=Decimal("500"), right="C"),
    ],
)
def test_contract_survives_the_door_both_ways(contract: Contract) -> None:
    assert convert.to_contract(convert.request_contract(contract)) == contract


def test_contract_details_become_an_instrument() -> None:
    details = ib_async.ContractDetails(
        contract=ib_async.Contract(
            conId=495512552,
            symbol="ES",
            secType="FUT",
            exchange="CME",
            currency="USD",
            localSymbol="ESZ6",
            multiplier="50",
        ),
        minTick=0.25,
        minSize=1.0,
        longName="E-mini S&P 500",
        timeZoneId="US/Central",
    )
    asked = Future("ES", "202612", exchange="CME")
    instrument = convert.to_instrument(details, asked)
    assert instrument.contract == asked
    assert (instrument.multiplier, instrument.min_tick, instrument.lot_size) == (
        Decimal(50),
        Decimal("0.25"),
        Decimal(1),
    )
    assert (instrument.local_symbol, instrument.time_zone) == ("ESZ6", "US/Central")


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "1 S"), (86400, "86400 S"), (86401, "2 D"), (365 * 86400, "365 D"), (366 * 86400, "2 Y")]
)
def test_duration_is_never_shorter_than_asked(seconds: int, text: str) -> None:
    assert duration(seconds * NS_PER_S) == text


def test_bar_length_ib_does_not_have_is_named() -> None:
    assert bar_size(60 * NS_PER_S) == "1 min"
    with pytest.raises(ConfigError, match="bars of 7 s: use one of"):
        bar_size(7 * NS_PER_S)


@pytest.mark.parametrize("text", ["9" * 30, "4102444800", "22130101 00:00:00 UTC", "19500101-00:00:00"])
def test_time_of_another_age_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="of our age"):
        parse_time(text, "UTC")
