from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ibfloor.data.subscriber import Kind
from ibfloor.model.fact import SessionState

MIN = 60 * 1_000_000_000
BOTH = Kind.QUOTES | Kind.TRADES


def starts(bars: Any, floor: Any) -> list[int]:
    return [(bar.ts_event_ns - floor.NOON) // MIN for bar in bars]


def go_live(floor: Any, box: Any) -> None:
    """Subscribe and let the interval that the subscription began in pass."""
    floor.session.log.clear()
    floor.subscribe(box, floor.SPY, kinds=BOTH, bar_ns=MIN)
    floor.clock.ns += 2 * MIN
    floor.until(lambda: any("history SPY 1 end=" in line for line in floor.session.log), "live from here on")
    floor.settle()


def test_a_bar_comes_after_its_ticks_and_before_the_tick_that_closed_it(floor: Any) -> None:
    box = floor.Box()
    go_live(floor, box)
    inside, outside = floor.trade(10.0, 2 * MIN), floor.trade(11.0, 3 * MIN)
    floor.session.feed(inside, floor.quote(1.0, 1.1, 2 * MIN), outside)
    kinds = [type(event).__name__ for event in box.events]
    assert kinds == ["Trade", "Quote", "Bar", "Trade"]
    assert box.bars[0].close_px == 10.0
    assert box.events[-1] is outside


def test_the_clock_closes_a_bar_without_a_next_tick(floor: Any) -> None:
    box = floor.Box()
    floor.clock.ns = floor.NOON - MIN
    floor.subscribe(box, floor.SPY, bar_ns=MIN)
    floor.clock.ns = floor.NOON
    floor.session.feed(floor.trade(10.0, 1), floor.trade(12.0, 2))
    assert not box.bars
    floor.clock.ns = floor.NOON + MIN
    floor.until(lambda: box.bars)
    assert (box.bars[0].open_px, box.bars[0].close_px, box.bars[0].volume) == (10.0, 12.0, 20.0)
    assert floor.manager.recent_bars(floor.SPY.instrument_id, MIN, 10) == box.bars


def test_the_growing_bar_can_be_read(floor: Any) -> None:
    floor.subscribe(floor.Box(), floor.SPY, kinds=Kind.QUOTES)
    assert floor.manager.current_bar(floor.SPY.instrument_id, MIN) is None
    floor.session.feed(floor.trade(10.0, 1), floor.trade(9.0, 2))
    bar = floor.manager.current_bar(floor.SPY.instrument_id, MIN)
    assert (bar.open_px, bar.low_px, bar.close_px, bar.ts_event_ns) == (10.0, 9.0, 9.0, floor.NOON)


def test_a_currency_pair_has_bars_of_mid_prices(floor: Any) -> None:
    box = floor.Box()
    floor.clock.ns = floor.NOON - MIN
    floor.subscribe(box, floor.EURUSD, bar_ns=MIN)
    floor.clock.ns = floor.NOON
    for after_ns, bid_px in ((1, 1.0), (2, float("nan")), (3, 2.0)):
        floor.session.feed(floor.quote(bid_px, bid_px + 0.5, after_ns, floor.EURUSD))
    floor.clock.ns += MIN
    floor.until(lambda: box.bars)
    assert (box.bars[0].open_px, box.bars[0].close_px, box.bars[0].volume) == (1.25, 2.25, 0.0)


def test_a_full_mailbox_never_loses_a_bar(floor: Any) -> None:
    box = floor.Box(room=0)
    floor.clock.ns = floor.NOON - MIN
    floor.subscribe(box, floor.SPY, kinds=BOTH, bar_ns=MIN)
    for minute in range(5):
        floor.clock.ns = floor.NOON + minute * MIN
        floor.session.feed(floor.trade(10.0 + minute, minute * MIN))
    floor.clock.ns = floor.NOON + 5 * MIN
    floor.until(lambda: len(floor.manager.recent_bars(floor.SPY.instrument_id, MIN, 9)) == 5)
    box.room = 100
    floor.until(lambda: len(box.bars) == 5)
    assert starts(box.bars, floor) == [0, 1, 2, 3, 4]


def test_warm_up_comes_first_and_live_bars_follow_without_gap_or_overlap(floor: Any) -> None:
    floor.session.past = [floor.bar(minute) for minute in range(-30, 0)]
    box = floor.Box()
    floor.session.feed()
    floor.clock.ns = floor.NOON + MIN // 2
    floor.subscribe(box, floor.SPY, bar_ns=MIN, warmup=20)
    floor.until(lambda: box.warmups)
    floor.session.feed(floor.trade(10.0, MIN // 2 + 1))  # saw only half of minute 0
    floor.session.past.append(floor.bar(0, px=7.0))  # the broker saw all of it
    floor.session.feed(floor.trade(11.0, MIN), floor.trade(12.0, 2 * MIN))
    floor.clock.ns = floor.NOON + 2 * MIN
    floor.until(lambda: len(box.bars) == 2)
    assert starts(box.warmups[0].bars, floor) == list(range(-20, 0))
    assert starts(box.bars, floor) == [0, 1]
    assert [bar.close_px for bar in box.bars] == [7.0, 11.0]


def test_bars_that_close_while_history_is_asked_for_come_once(floor: Any) -> None:
    floor.session.past = [floor.bar(minute) for minute in range(-30, 0)]
    early, box = floor.Box(), floor.Box()
    floor.subscribe(early, floor.SPY, bar_ns=MIN)
    floor.session.history_gate = asyncio.Event()
    floor.subscribe(box, floor.SPY, bar_ns=MIN, warmup=5)
    floor.until(lambda: any("history" in line for line in floor.session.log))
    for minute in range(3):
        floor.clock.ns = floor.NOON + minute * MIN
        floor.session.feed(floor.trade(10.0 + minute, minute * MIN))
    floor.session.past += [floor.bar(minute, px=7.0) for minute in range(2)]  # history knows them by now, too
    floor.clock.ns = floor.NOON + 3 * MIN
    floor.session.do(floor.session.history_gate.set)
    floor.until(lambda: len(early.bars) == 3)
    floor.until(lambda: box.warmups)
    floor.settle()
    together = [*box.warmups[0].bars, *box.bars]
    assert starts(together, floor)[-3:] == [0, 1, 2]
    assert starts(together, floor) == sorted(set(starts(together, floor)))
    assert starts(early.bars, floor) == [0, 1, 2]


def test_a_second_warm_up_is_served_from_memory(floor: Any) -> None:
    floor.session.past = [floor.bar(minute) for minute in range(-30, 0)]
    first, second = floor.Box(), floor.Box()
    floor.subscribe(first, floor.SPY, bar_ns=MIN, warmup=20)
    floor.until(lambda: first.warmups)
    asked = len(floor.session.log)
    floor.subscribe(second, floor.SPY, bar_ns=MIN, warmup=10)
    floor.until(lambda: second.warmups)
    assert len(floor.session.log) == asked
    assert second.warmups[0].bars == first.warmups[0].bars[-10:]


def test_history_reaches_over_a_night_when_the_last_minutes_have_no_bars(floor: Any) -> None:
    night = 17 * 60
    floor.session.past = [floor.bar(minute) for minute in (*range(-night - 30, -night), -1)]
    box = floor.Box()
    floor.subscribe(box, floor.SPY, bar_ns=MIN, warmup=10)
    floor.until(lambda: box.warmups)
    assert starts(box.warmups[0].bars, floor) == [*range(-night - 9, -night), -1]


def test_without_history_the_reason_is_told_and_live_bars_come_all_the_same(floor: Any) -> None:
    box = floor.Box()
    floor.subscribe(box, floor.SPY, bar_ns=MIN, warmup=10)
    floor.until(lambda: box.warmups)
    assert box.warmups[0].bars == ()
    assert "no history of SPY to warm up with: HMDS query returned no data" in box.errors[0][1]
    floor.session.feed(floor.trade(10.0, 1))
    floor.clock.ns += MIN
    floor.until(lambda: box.bars)
    assert box.bars[0].close_px == 10.0  # our own part of the minute, since the broker has none


def test_asking_for_history_gives_the_newest_closed_bars(floor: Any) -> None:
    floor.session.past = [floor.bar(minute) for minute in range(-30, 0)]
    bars = floor.manager.history(floor.SPY.contract, bar_ns=MIN, count=3).result(30)
    assert starts(bars, floor) == [-3, -2, -1]


def test_a_subscription_taken_up_again_has_no_hole_in_its_warm_up(floor: Any) -> None:
    floor.session.past = [floor.bar(minute) for minute in range(-30, 0)]
    box = floor.Box()
    floor.subscribe(box, floor.SPY, bar_ns=MIN, warmup=5)
    floor.until(lambda: box.warmups)
    floor.manager.unsubscribe_all(box.subscriber)
    floor.settle()
    floor.session.past += [floor.bar(minute) for minute in range(10)]
    floor.clock.ns = floor.NOON + 10 * MIN
    again = floor.Box()
    floor.subscribe(again, floor.SPY, bar_ns=MIN, warmup=8)
    floor.until(lambda: again.warmups)
    assert starts(again.warmups[0].bars, floor) == list(range(2, 10))


def test_a_jump_of_the_clock_starts_the_bars_anew(floor: Any) -> None:
    box = floor.Box()
    floor.subscribe(box, floor.SPY, bar_ns=MIN)
    floor.session.feed(floor.trade(10.0, 1))
    floor.clock.ns -= 30 * 24 * 60 * MIN
    floor.until(lambda: floor.manager.current_bar(floor.SPY.instrument_id, MIN) is None)
    start_ns = floor.clock.ns - floor.NOON
    floor.session.feed(floor.trade(11.0, start_ns + 1))
    floor.clock.ns += MIN
    floor.until(lambda: box.bars)
    assert box.bars[0].close_px == 11.0
    assert floor.manager.stats.late_ticks == 0


def test_bars_of_a_lost_connection_are_fetched_and_come_in_order(floor: Any) -> None:
    box = floor.Box()
    go_live(floor, box)
    floor.session.feed(floor.trade(10.0, 2 * MIN))
    floor.session.state = SessionState.DISCONNECTED
    floor.clock.ns = floor.NOON + 4 * MIN + 1
    floor.until(lambda: floor.manager.current_bar(floor.SPY.instrument_id, MIN) is None)  # closed by the clock, held
    floor.session.past = [floor.bar(minute, px=7.0) for minute in range(5)]
    assert box.bars == []
    floor.session.state = SessionState.CONNECTED
    floor.session.feed(floor.trade(11.0, 4 * MIN + 2), floor.trade(12.0, 5 * MIN), floor.trade(13.0, 6 * MIN))

    def is_later_and_done() -> bool:
        floor.clock.ns += floor.NS
        return len(box.bars) == 5

    floor.until(is_later_and_done)
    assert starts(box.bars, floor) == [2, 3, 4, 5, 6]
    assert [bar.close_px for bar in box.bars] == [7.0, 7.0, 7.0, 12.0, 13.0]


def test_refused_market_data_is_told_to_its_subscribers_alone(floor: Any) -> None:
    spy, bac = floor.Box(), floor.Box()
    floor.subscribe(spy, floor.SPY, kinds=Kind.QUOTES)
    floor.subscribe(bac, floor.BAC, bar_ns=MIN)
    floor.manager.market_refused(floor.BAC, 354, "Requested market data is not subscribed")
    floor.until(lambda: bac.errors)
    assert "refuses market data of BAC: Requested market data is not subscribed (its code 354)" in bac.errors[0][1]
    assert not spy.errors


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.tuples(st.integers(0, 15), st.booleans()), max_size=6), min_size=1, max_size=8))
def test_every_packet_arrives_whole_and_in_order_with_bars_between(
    floor: Any, packets: list[list[tuple[int, bool]]]
) -> None:
    box = floor.Box()
    go_live(floor, box)
    sent = []
    after_ns = floor.clock.ns - floor.NOON
    for packet in packets:
        events = []
        for seconds, is_trade in packet:
            after_ns += seconds * floor.NS
            events.append(floor.trade(1.0, after_ns) if is_trade else floor.quote(1.0, 1.1, after_ns))
        floor.session.feed(*events)
        sent += events
    floor.clock.ns = floor.NOON + after_ns + 2 * MIN
    trades = [event for event in sent if type(event).__name__ == "Trade"]
    floor.until(lambda: sum(bar.trade_count for bar in box.bars) == len(trades), "all trades are in closed bars")
    assert [event for event in box.events if type(event).__name__ != "Bar"] == sent
    for index, event in enumerate(box.events):
        if type(event).__name__ == "Bar":
            before = [each for each in box.events[:index] if type(each).__name__ == "Trade"]
            assert all(each.ts_event_ns < event.ts_close_ns for each in before)
    floor.manager.unsubscribe_all(box.subscriber)
    floor.settle()
