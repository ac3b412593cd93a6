"""Past ticks are those that were streamed."""

from __future__ import annotations

import pytest

from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.sim.gateway.clock import market_start_ns
from ibfloor.sim.gateway.lab import LAB_DAY
from ibfloor.sim.market.generated import GeneratedMarket

START_NS = market_start_ns(LAB_DAY, "10:00")


@pytest.fixture(scope="module")
def market() -> GeneratedMarket:
    return GeneratedMarket(5, START_NS, ("SPY", "KO"))


def test_the_ticks_of_streamed_minutes_come_again_as_they_were(market: GeneratedMarket) -> None:
    end_ns = START_NS + 3 * NS_PER_MINUTE + NS_PER_MINUTE // 2
    streamed = [tick for tick in market.ticks(end_ns) if tick.instrument_id == 756733]
    assert len(streamed) > 20
    again = list(market.past_ticks(streamed[0].instrument_id, START_NS, end_ns + 5 * NS_PER_MINUTE))
    assert again == streamed


def test_ticks_before_the_start_are_known_and_reach_over_the_night(market: GeneratedMarket) -> None:
    spy = market.master.find("STK", "SPY")[0].instrument_id
    night = list(market.past_ticks(spy, START_NS - 20 * 60 * NS_PER_MINUTE, START_NS))
    assert len(night) > 1000
    assert [tick.ts_ns for tick in night] == sorted(tick.ts_ns for tick in night)
    assert night[-1].ts_ns < START_NS
