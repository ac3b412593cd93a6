"""Events in the tape: streamed, told as history and priced into options alike."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest

from ibfloor.model.errors import ConfigError
from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.market.bars import NS_PER_DAY, BarKind
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


def test_a_gap_leaves_quotes_locked(start_ns: int) -> None:
    locked = event(MarketEventKind.LOCKED, minutes=3)
    later = MarketEvent(kind=MarketEventKind.GAP, symbol="SPY", at="2026-11-23 09:40", percent=3.0)
    tops = [tick for tick in play(start_ns, locked, later) if isinstance(tick, BookTop)]
    during = [top for top in tops if locked.start_ns <= top.ts_ns < locked.end_ns]
    assert during
    assert all(top.bid_px == top.ask_px for top in during)


def test_bars_of_before_a_split_are_told_in_new_shares_once_it_has_happened(start_ns: int) -> None:
    ratio = 4
    split = MarketEvent(
        kind=MarketEventKind.GAP, symbol="SPY", at="2026-11-23 09:35", percent=(1 / ratio - 1) * 100, split_ratio=ratio
    )
    market = GeneratedMarket(5, start_ns, ("SPY",), plan=[split])
    spy = market.master.by_symbol("SPY")
    assert spy is not None

    def told(bar_ns: int, sessions: int, until_ns: int) -> dict[int, tuple[Decimal, Decimal]]:
        bars = market.history(
            spy.instrument_id, end_ns=until_ns, duration_ns=sessions * NS_PER_DAY, bar_ns=bar_ns, rth_only=True
        )
        return {bar.ts_ns: (bar.close_px, bar.volume) for bar in bars}

    old_ns = split.start_ns - NS_PER_MINUTE
    list(market.ticks(old_ns))
    open_px = market.day(spy.instrument_id).open_px  # the day's figures are asked for before the split, too
    before = {bar_ns: told(bar_ns, 20, old_ns) for bar_ns in (NS_PER_MINUTE, NS_PER_DAY)}
    list(market.ticks(split.start_ns + 5 * NS_PER_MINUTE))
    for bar_ns, bars in before.items():
        after = told(bar_ns, 20, split.start_ns + 5 * NS_PER_MINUTE)
        today = max(bars) if bar_ns == NS_PER_DAY else old_ns // NS_PER_MINUTE * NS_PER_MINUTE  # they still grow
        compared = [ts_ns for ts_ns in bars if ts_ns in after and ts_ns != today]
        assert len(compared) > 15
        for ts_ns in compared:
            assert after[ts_ns][0] == pytest.approx(bars[ts_ns][0] / ratio, abs=Decimal("0.006"))
            assert after[ts_ns][1] == bars[ts_ns][1] * ratio
        closes = [after[ts_ns][0] for ts_ns in sorted(after)]
        assert all(abs(later / earlier - 1) < Decimal("0.2") for earlier, later in pairwise(closes))
    prev_close = market.day(spy.instrument_id).prev_close_px
    assert open_px is not None
    assert market.day(spy.instrument_id).open_px == pytest.approx(open_px / ratio, abs=Decimal("0.006"))
    last = market.last_print(spy.instrument_id)
    assert prev_close is not None
    assert last is not None
    assert last.px / prev_close == pytest.approx(Decimal(1), abs=Decimal("0.1"))


@pytest.mark.parametrize("symbol", ["EUR.USD", "ES"])
def test_a_gap_of_what_is_listed_anew_for_each_day_strikes_too(start_ns: int, symbol: str) -> None:
    gap = MarketEvent(kind=MarketEventKind.GAP, symbol=symbol, at=AT, percent=3.0)
    market = GeneratedMarket(5, start_ns, (symbol,), plan=[gap])
    found = market.master.by_symbol(symbol)
    assert found is not None
    tops = [tick for tick in market.ticks(start_ns + SPAN) if isinstance(tick, BookTop)]
    before, after = (
        [top.bid_px for top in tops if top.bid_px is not None and (top.ts_ns < gap.start_ns) is is_before]
        for is_before in (True, False)
    )
    assert min(after) > max(before) * Decimal("1.02")
