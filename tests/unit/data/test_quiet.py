"""Silence is told once, while the market is open, and so is its end."""

from __future__ import annotations

import msgspec
from structlog.testing import capture_logs

from ibfloor.data.listing import Listing
from ibfloor.data.quiet import QuietWatch
from ibfloor.model.contract_rules import ContractRules
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, Instrument, SecurityType
from ibfloor.model.market import Trade
from ibfloor.model.money import USD

S = 1_000_000_000
OPEN, CLOSE, END = 1000 * S, 2000 * S, 9000 * S
SPY = Instrument(
    instrument_id=InstrumentId(1),
    contract=Contract(security_type=SecurityType.STOCK, symbol="SPY"),
    local_symbol="SPY",
    currency=USD,
    rules=ContractRules(trading_hours=((0, END),), liquid_hours=((OPEN, CLOSE),)),
)


def listing() -> Listing:
    made = Listing(SPY)
    made.is_subscribed = True
    return made


def told(watch: QuietWatch, one: Listing, *at_s: int) -> list[str]:
    with capture_logs() as lines:
        for each in at_s:
            watch.look([one], each * S)
    return [line["event"] for line in lines]


def tick(one: Listing, at_s: int) -> None:
    one.trade = Trade(instrument=SPY, ts_event_ns=at_s * S, last_px=1.0, last_qty=1.0)


def test_silence_is_told_once_and_its_end_once() -> None:
    watch, one = QuietWatch(60 * S), listing()
    tick(one, 1100)
    assert told(watch, one, 1100, 1160) == []
    assert told(watch, one, 1161, 1200, 1300) == ["market data stands still"]
    tick(one, 1310)
    assert told(watch, one, 1311, 1320) == ["market data flows again"]


def test_closed_market_may_be_silent_and_an_opening_is_given_its_time() -> None:
    watch, one = QuietWatch(60 * S), listing()
    tick(one, 500)
    assert told(watch, one, 500, 900, 999) == []
    assert told(watch, one, 1000, 1060) == [], "nothing has traded yet, and the market has just opened"
    assert told(watch, one, 1061) == ["market data stands still"]
    assert told(watch, one, 2001, 3000) == []


def test_line_that_nobody_wants_is_not_watched_and_one_that_never_spoke_is() -> None:
    watch, one = QuietWatch(60 * S), listing()
    one.is_subscribed = False
    assert told(watch, one, 1100, 1900) == []
    one.is_subscribed = True
    assert told(watch, one, 1900, 1961) == ["market data stands still"]


def test_hours_that_are_not_known_excuse_no_silence() -> None:
    watch, one = QuietWatch(60 * S), listing()
    one.instrument = msgspec.structs.replace(SPY, rules=ContractRules())
    assert told(watch, one, 5000, 5061) == ["market data stands still"]


def test_silence_counts_from_the_opening_and_is_none_while_the_market_is_closed() -> None:
    watch, one = QuietWatch(60 * S), listing()
    tick(one, 500)
    told(watch, one, 500, 999)
    assert watch.silent_ns(one, 999 * S) == 0
    told(watch, one, 1000)
    assert watch.silent_ns(one, 1040 * S) == 40 * S
    tick(one, 1030)
    assert watch.silent_ns(one, 1040 * S) == 10 * S
    told(watch, one, 2001)
    assert watch.silent_ns(one, 2001 * S) == 0


def test_data_that_the_broker_ended_begins_anew_with_an_event_not_with_being_asked_for() -> None:
    streaming = [True]
    watch, one = QuietWatch(60 * S, lambda instrument: streaming[0]), listing()
    tick(one, 1100)
    told(watch, one, 1101)
    assert not watch.has_ended(one)
    streaming[0] = False
    told(watch, one, 1102)
    streaming[0] = True
    told(watch, one, 1103)
    assert watch.has_ended(one)
    tick(one, 1104)
    assert not watch.has_ended(one)
    told(watch, one, 1105)
    assert not watch.has_ended(one)
