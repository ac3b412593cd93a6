"""Whether a last price is still the market's: the health of the feed decides first, silence alone only late."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ibfloor.data.subscriber import Kind
from ibfloor.model.contract_rules import ContractRules
from ibfloor.model.fact import SessionState

LONG_S = 900


def trouble(floor: Any, instrument: Any) -> str:
    text = floor.manager.feed_trouble(instrument.instrument_id, LONG_S * floor.NS)
    assert isinstance(text, str)
    return text


def begin(floor: Any) -> None:
    floor.subscribe(floor.Box(), floor.SPY, floor.BAC, kinds=Kind.QUOTES)
    floor.session.feed(floor.quote(100, 101), floor.quote(20, 21, instrument=floor.BAC))


def test_no_price_is_a_good_one_while_the_session_is_down(floor: Any) -> None:
    begin(floor)
    assert trouble(floor, floor.SPY) == ""
    for state in (SessionState.DISCONNECTED, SessionState.DEGRADED):
        floor.session.state = state
        assert trouble(floor, floor.SPY) == "the market-data session is down"
    floor.session.state = SessionState.CONNECTED
    assert trouble(floor, floor.SPY) == ""


def test_broken_farm_puts_in_doubt_what_has_not_come_since_until_it_works_again(floor: Any) -> None:
    begin(floor)
    floor.session.do(lambda: floor.manager.take_farm("usfarm", is_broken=True))
    floor.clock.ns += 5 * floor.NS
    floor.session.feed(floor.quote(20, 21, 3 * floor.NS, floor.BAC))
    assert "the data farm usfarm broke" in trouble(floor, floor.SPY)
    assert trouble(floor, floor.BAC) == "", "another farm feeds it"
    floor.session.do(lambda: floor.manager.take_farm("usfarm", is_broken=False))
    assert trouble(floor, floor.SPY) == "", "it may be quiet, and its feed is well"


def test_data_that_the_broker_ended_is_in_doubt_until_something_comes(floor: Any) -> None:
    begin(floor)
    floor.session.ended.add(floor.SPY)
    floor.until(lambda: "ended" in trouble(floor, floor.SPY))
    floor.session.ended.clear()
    assert ("ended" in trouble(floor, floor.SPY), trouble(floor, floor.BAC)) == (True, "")
    floor.clock.ns += 5 * floor.NS
    floor.session.feed(floor.quote(100, 101, 5 * floor.NS))
    assert trouble(floor, floor.SPY) == ""


def test_quiet_instrument_of_a_healthy_feed_has_its_time(floor: Any) -> None:
    begin(floor)

    def is_doubted_a_little_later() -> bool:
        floor.clock.ns += 20 * floor.NS
        return "nothing has come for more than 900 s" in trouble(floor, floor.SPY)

    floor.until(is_doubted_a_little_later)
    assert floor.clock.ns > floor.NOON + LONG_S * floor.NS
    floor.session.feed(floor.quote(100, 101, floor.clock.ns - floor.NOON))
    assert trouble(floor, floor.SPY) == ""


def test_last_price_stays_good_while_the_market_is_closed(floor: Any) -> None:
    closed = ContractRules(
        trading_hours=((floor.NOON - 10 * floor.NS, floor.NOON + 10 * floor.NS), (floor.NOON * 2, floor.NOON * 2 + 1)),
    )
    spy = replace(floor.SPY, rules=closed)
    floor.session.known[spy.contract] = spy
    floor.subscribe(floor.Box(), spy, kinds=Kind.QUOTES)
    floor.session.feed(floor.quote(100, 101, instrument=spy))
    floor.session.state = SessionState.DISCONNECTED
    assert "down" in trouble(floor, spy)
    floor.clock.ns += 20 * floor.NS
    assert trouble(floor, spy) == ""
