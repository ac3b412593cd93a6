"""What ticks become: quotes and trades by stated rules."""

from __future__ import annotations

import math

from ibfloor.broker.ib.ticks import TickBook, TickReader
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.market import Halt, Quote, Trade
from ibfloor.model.money import USD

SPY = Instrument(instrument_id=InstrumentId(1), contract=Stock("SPY"), local_symbol="SPY", currency=USD)


def reader() -> TickReader:
    ticks = TickReader()
    ticks.books[b"7"] = TickBook(SPY)
    ticks.now_ns = 5
    return ticks


def price(ticks: TickReader, kind: int, px: float, size: int) -> None:
    ticks.on_price(f"1\x006\x007\x00{kind}\x00{px}\x00{size}\x000\x00".encode().split(b"\0"))


def size(ticks: TickReader, kind: int, value: int) -> None:
    ticks.on_size(f"2\x006\x007\x00{kind}\x00{value}\x00".encode().split(b"\0"))


def test_nothing_is_quoted_until_both_sides_were_told() -> None:
    ticks = reader()
    price(ticks, 1, 170.0, 3)
    price(ticks, 1, 170.01, 3)
    assert ticks.batch == []
    price(ticks, 2, 170.02, 4)
    assert ticks.batch == [Quote(SPY, 5, 170.01, 170.02, 3.0, 4.0)]


def test_absent_side_is_nan() -> None:
    ticks = reader()
    price(ticks, 1, -1.0, 0)
    price(ticks, 2, 170.02, 4)
    (quote,) = ticks.batch
    assert isinstance(quote, Quote)
    assert math.isnan(quote.bid_px)
    assert quote.ask_px == 170.02


def test_size_that_repeats_the_price_tick_is_no_news() -> None:
    ticks = reader()
    price(ticks, 1, 170.0, 3)
    price(ticks, 2, 170.02, 4)
    ticks.batch.clear()
    size(ticks, 0, 3)
    size(ticks, 3, 4)
    assert ticks.batch == []
    size(ticks, 0, 9)
    assert ticks.batch == [Quote(SPY, 5, 170.0, 170.02, 9.0, 4.0)]


def test_echo_of_a_print_is_not_a_second_print() -> None:
    ticks = reader()
    price(ticks, 4, 170.01, 100)
    size(ticks, 5, 100)
    assert ticks.batch == [Trade(SPY, 5, 170.01, 100.0)]


def test_last_size_alone_is_one_more_print_at_the_same_price() -> None:
    ticks = reader()
    price(ticks, 4, 170.01, 100)
    size(ticks, 5, 100)
    size(ticks, 5, 300)
    size(ticks, 8, 400)
    assert ticks.batch == [Trade(SPY, 5, 170.01, 100.0), Trade(SPY, 5, 170.01, 300.0)]


def test_size_other_than_the_price_ticks_own_is_a_print() -> None:
    ticks = reader()
    price(ticks, 4, 170.01, 100)
    size(ticks, 5, 200)
    assert [event.last_qty for event in ticks.batch if isinstance(event, Trade)] == [100.0, 200.0]


def test_tick_of_a_subscription_that_ended_is_dropped() -> None:
    ticks = reader()
    ticks.forget(7)
    price(ticks, 4, 170.01, 100)
    size(ticks, 5, 300)
    assert ticks.batch == []


def test_tick_without_a_price_is_dropped() -> None:
    ticks = reader()
    ticks.on_price([b"1", b"6", b"7", b"4", b"", b"100", b"0", b""])
    assert ticks.batch == []


def test_tick_49_tells_of_halts_and_other_generic_ticks_tell_nothing() -> None:
    ticks, told = reader(), list[tuple[Instrument, Halt]]()
    ticks.on_halted = lambda instrument, halt: told.append((instrument, halt))
    for req_id, kind, value in (
        (7, 49, "0.0"),
        (7, 49, "1"),
        (7, 49, "2.0"),
        (7, 49, "-1"),
        (7, 23, "1"),
        (8, 49, "1"),
    ):
        ticks.on_generic(f"45\x006\x00{req_id}\x00{kind}\x00{value}\x00".encode().split(b"\0"))
    assert told == [(SPY, Halt.NONE), (SPY, Halt.GENERAL), (SPY, Halt.VOLATILITY), (SPY, Halt.UNKNOWN)]
    assert ticks.batch == []
