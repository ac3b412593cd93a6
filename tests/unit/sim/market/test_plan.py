"""Events in the tape: streamed, told as history and priced into options alike."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from ibfloor.model.errors import ConfigError
from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.market.bars import BarKind
from ibfloor.sim.market.generated import GeneratedMarket
from ibfloor.sim.market.listing import WORLD, read_listing
from ibfloor.sim.market.plan import MarketEvent, MarketEventKind

SPAN = 20 * NS_PER_MINUTE
AT = "2026-11-23 09:35"


def play(start_ns: int, *events: MarketEvent, symbols: tuple[str, ...] = ("SPY", "KO")) -> list[MarketTick]:
    market = GeneratedMarket(5, start_ns, symbols, plan=events)
    spy = market.master.by_symbol("SPY")
    assert spy is not None
    return [tick for tick in market.ticks(start_ns + SPAN) if tick.instrument_id == spy.instrument_id]


def event(kind: MarketEventKind, **more: object) -> MarketEvent:
    return MarketEvent(kind=kind, symbol="SPY", at=AT, **more)  # type: ignore[arg-type]


def test_a_halt_takes_both_sides_away_and_nothing_trades_until_it_is_over(start_ns: int) -> None:
    halt = event(MarketEventKind.HALT, minutes=5)
    ticks = play(start_ns, halt)
    during = [tick for tick in ticks if halt.start_ns <= tick.ts_ns < halt.end_ns]
    assert [(type(tick), tick.ts_ns) for tick in during] == [(BookTop, halt.start_ns)]
    assert isinstance(during[0], BookTop)
    assert (during[0].bid_px, during[0].ask_px) == (None, None)
    outside = [tick for tick in play(start_ns) if not halt.start_ns <= tick.ts_ns < halt.end_ns]
    assert [tick for tick in ticks if tick not in during] == outside


def test_history_knows_the_halt_too(start_ns: int) -> None:
    halt = event(MarketEventKind.HALT, minutes=5)
    market = GeneratedMarket(5, start_ns, ("SPY",), plan=[halt])
    list(market.ticks(start_ns + SPAN))
    spy = market.master.by_symbol("SPY")
    assert spy is not None
    for kind in BarKind:
        bars = market.history(
            spy.instrument_id,
            end_ns=start_ns + SPAN,
            duration_ns=SPAN,
            bar_ns=NS_PER_MINUTE,
            rth_only=False,
            kind=kind,
        )
        assert bars
        assert not [bar for bar in bars if halt.start_ns <= bar.ts_ns < halt.end_ns]


def test_locked_quotes_meet_and_crossed_ones_pass_each_other(start_ns: int) -> None:
    for kind, apart in ((MarketEventKind.LOCKED, Decimal(0)), (MarketEventKind.CROSSED, Decimal("-0.02"))):
        planned = event(kind, minutes=3, ticks=2)
        tops = [tick for tick in play(start_ns, planned) if isinstance(tick, BookTop)]
        spreads = {
            top.ask_px - top.bid_px
            for top in tops
            if planned.start_ns <= top.ts_ns < planned.end_ns and top.ask_px and top.bid_px
        }
        assert spreads == {apart}
        after = [top for top in tops if top.ts_ns >= planned.end_ns]
        assert all(top.ask_px > top.bid_px for top in after if top.ask_px and top.bid_px)


def test_a_gap_moves_every_price_from_then_on(start_ns: int) -> None:
    gap = event(MarketEventKind.GAP, percent=-10.0)
    plain, moved = play(start_ns), play(start_ns, gap)
    assert [tick for tick in plain if tick.ts_ns < gap.start_ns] == [
        tick for tick in moved if tick.ts_ns < gap.start_ns
    ]
    before = [tick.px for tick in moved if isinstance(tick, TapePrint) and tick.ts_ns < gap.start_ns]
    after = [tick.px for tick in moved if isinstance(tick, TapePrint) and tick.ts_ns >= gap.start_ns]
    assert after[0] / before[-1] == pytest.approx(Decimal("0.9"), rel=Decimal("0.003"))
    assert after[-1] / before[-1] == pytest.approx(Decimal("0.9"), rel=Decimal("0.01"))


def test_other_instruments_do_not_notice(start_ns: int) -> None:
    def others(*events: MarketEvent) -> list[MarketTick]:
        market = GeneratedMarket(5, start_ns, ("SPY", "KO"), plan=events)
        ko = market.master.by_symbol("KO")
        assert ko is not None
        return [tick for tick in market.ticks(start_ns + SPAN) if tick.instrument_id == ko.instrument_id]

    assert others() == others(event(MarketEventKind.GAP, percent=5.0), event(MarketEventKind.HALT))


def test_options_follow_the_gap_of_their_underlying(start_ns: int) -> None:
    listing = read_listing(WORLD, date(2026, 11, 23))
    name = "SPY   261218C00450000"
    middles = []
    for events in ((), (event(MarketEventKind.GAP, percent=4.0),)):
        market = GeneratedMarket(5, start_ns, ("SPY", name), listing=listing, plan=events)
        list(market.ticks(start_ns + SPAN))
        option = market.master.by_symbol(name)
        assert option is not None
        top = market.top(option.instrument_id)
        assert top is not None
        assert top.bid_px is not None
        middles.append(top.bid_px)
    assert middles[1] - middles[0] > 8  # half of a move of 18 and more


def test_an_event_of_an_unknown_symbol_is_named(start_ns: int) -> None:
    with pytest.raises(ConfigError, match="NOSUCH"):
        GeneratedMarket(5, start_ns, plan=[MarketEvent(kind=MarketEventKind.HALT, symbol="NOSUCH", at=AT)])
