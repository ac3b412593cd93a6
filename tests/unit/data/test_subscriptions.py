from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from ibfloor.data.subscriber import Kind
from ibfloor.model.errors import BrokerRejected, ConnectivityError
from ibfloor.model.instrument import Stock
from ibfloor.model.market import Halt

BOTH = Kind.QUOTES | Kind.TRADES


def test_two_subscribers_share_one_subscription_and_the_last_to_leave_ends_it(floor: Any) -> None:
    first, second = floor.Box(), floor.Box()
    floor.subscribe(first, floor.SPY, kinds=Kind.QUOTES)
    floor.subscribe(second, floor.SPY, kinds=Kind.QUOTES)
    assert floor.session.log == ["resolve SPY", "subscribe SPY"]
    floor.manager.unsubscribe_all(first.subscriber)
    floor.settle()
    assert floor.session.subscribed == [floor.SPY]
    floor.manager.unsubscribe_all(second.subscriber)
    floor.settle()
    assert floor.session.log == ["resolve SPY", "subscribe SPY", "unsubscribe SPY"]


def test_a_batch_is_one_object_for_everyone(floor: Any) -> None:
    first, second = floor.Box(), floor.Box()
    for box in (first, second):
        floor.subscribe(box, floor.SPY, floor.BAC, kinds=BOTH)
    floor.session.feed(floor.quote(1.0, 1.1), floor.trade(1.05), floor.quote(2.0, 2.1, instrument=floor.BAC))
    assert len(first.values) == len(second.values) == 1
    assert first.values[0] is second.values[0]


def test_each_subscriber_gets_only_what_it_asked_for_in_order(floor: Any) -> None:
    quotes, trades, everything = floor.Box(), floor.Box(), floor.Box()
    floor.subscribe(quotes, floor.SPY, kinds=Kind.QUOTES)
    floor.subscribe(trades, floor.BAC, kinds=Kind.TRADES)
    floor.subscribe(everything, floor.SPY, floor.BAC, kinds=BOTH)
    spy, bac, late = floor.quote(1.0, 1.1), floor.trade(9.0, instrument=floor.BAC), floor.quote(1.2, 1.3, 5)
    floor.session.feed(spy, bac, late, floor.trade(1.25))
    assert quotes.events == [spy, late]
    assert trades.events == [bac]
    assert len(everything.events) == 4


def test_an_unknown_contract_is_told_to_its_subscriber_alone(floor: Any) -> None:
    lost, happy = floor.Box(), floor.Box()
    floor.manager.subscribe(lost.subscriber, Stock("SPYY"), kinds=Kind.QUOTES)
    floor.subscribe(happy, floor.SPY, kinds=Kind.QUOTES)
    floor.until(lambda: lost.errors)
    contract, text = lost.errors[0]
    assert contract == Stock("SPYY")
    assert "SPYY" in text
    assert "No security definition has been found" in text
    floor.session.feed(floor.quote(1.0, 1.1))
    assert len(happy.events) == 1
    assert not happy.errors


def test_a_lost_connection_during_resolving_is_tried_again(floor: Any) -> None:
    floor.session.losses = 2
    box = floor.Box()
    floor.subscribe(box, floor.SPY, kinds=Kind.QUOTES)
    assert floor.session.log.count("resolve SPY") == 3
    assert not box.errors


def test_a_subscriber_that_left_while_its_contract_was_resolved_subscribes_nothing(floor: Any) -> None:
    box, floor.session.resolve_gate = floor.Box(), asyncio.Event()
    floor.manager.subscribe(box.subscriber, floor.SPY.contract, kinds=Kind.QUOTES)
    floor.until(lambda: floor.session.log == ["resolve SPY"])
    floor.manager.unsubscribe_all(box.subscriber)
    floor.session.do(floor.session.resolve_gate.set)
    floor.until(lambda: floor.manager.instrument(floor.SPY.contract))
    floor.settle()
    assert floor.session.subscribed == []


def test_two_contracts_of_one_instrument_share_its_object(floor: Any) -> None:
    other = Stock("SPY", primary_exchange="ARCA")
    floor.session.known[other] = floor.session.known[floor.SPY.contract]
    instruments = [floor.manager.resolve(contract).result(30) for contract in (floor.SPY.contract, other)]
    assert instruments[0] is instruments[1] is floor.manager.by_id(floor.SPY.instrument_id)
    assert floor.manager.instrument(other) is instruments[0]


def test_resolve_fails_with_the_brokers_text(floor: Any) -> None:
    with pytest.raises(BrokerRejected, match="No security definition"):
        floor.manager.resolve(Stock("SPYY")).result(30)


def test_another_loop_can_await_an_answer(floor: Any) -> None:
    async def ask() -> object:
        return await asyncio.wrap_future(floor.manager.resolve(floor.SPY.contract))

    assert asyncio.run(ask()) is floor.SPY


def test_an_odd_bar_size_is_refused_at_once(floor: Any) -> None:
    with pytest.raises(ValueError, match="there is no bar size"):
        floor.manager.subscribe(floor.Box().subscriber, floor.SPY.contract, bar_ns=7)


def test_newest_values_are_read_from_any_thread(floor: Any) -> None:
    floor.subscribe(floor.Box(), floor.SPY, kinds=Kind.QUOTES)
    assert floor.manager.quote(floor.SPY.instrument_id) is None
    floor.session.feed(floor.quote(1.0, 1.1), floor.quote(1.2, 1.3, 5), floor.trade(1.25, 7))
    seen: list[object] = []
    reader = threading.Thread(
        target=lambda: seen.extend(
            [floor.manager.quote(floor.SPY.instrument_id), floor.manager.last_trade(floor.SPY.instrument_id)]
        )
    )
    reader.start()
    reader.join()
    assert seen == [floor.quote(1.2, 1.3, 5), floor.trade(1.25, 7)]


def test_the_row_of_an_instrument_tells_its_quote_and_whether_it_is_fresh(floor: Any) -> None:
    floor.subscribe(floor.Box(), floor.SPY, kinds=Kind.QUOTES)
    floor.session.feed(floor.quote(1.0, float("nan")))
    (row,) = floor.manager.instrument_rows()
    assert (row.symbol, row.bid_px, row.ask_px, row.last_px, row.subscribers) == ("SPY", 1.0, None, None, 1)
    assert row.is_fresh
    floor.clock.ns += 2 * floor.MINUTE
    assert not floor.manager.instrument_rows()[0].is_fresh
    assert not floor.manager.is_fresh(floor.SPY.instrument_id)
    assert floor.manager.is_fresh(floor.SPY.instrument_id, max_age_ns=3 * floor.MINUTE)


def test_ticks_of_an_instrument_nobody_asked_for_go_nowhere(floor: Any) -> None:
    box = floor.Box()
    floor.subscribe(box, floor.SPY, kinds=BOTH)
    floor.session.feed(floor.trade(5.0, instrument=floor.BAC), floor.quote(1.0, 1.1))
    assert [event.instrument for event in box.events] == [floor.SPY]


def test_a_full_mailbox_conflates_ticks_and_counts_them(floor: Any) -> None:
    box = floor.Box(room=0)
    floor.subscribe(box, floor.SPY, kinds=BOTH)
    for step in range(10):
        floor.session.feed(floor.quote(1.0 + step, 2.0 + step, step), floor.trade(1.5 + step, step))
    box.room = 100
    floor.until(lambda: box.values, "what waited goes out by itself")
    assert box.events == [floor.quote(10.0, 11.0, 9), floor.trade(10.5, 9)]
    assert floor.manager.stats.conflated == 18
    assert floor.manager.stats.ticks == 20


def test_an_open_failure_leaves_no_thread_behind(floor: Any) -> None:
    async def start(error: Exception) -> None:
        session = type(floor.session)()
        session.open_error = error
        async with type(floor.manager)(session.take_sink, floor.clock):
            raise AssertionError("it must not start")

    with pytest.raises(ConnectivityError, match="nobody listens"):
        asyncio.run(start(ConnectivityError("nobody listens")))
    assert sum(thread.name.startswith("data") for thread in threading.enumerate()) == 1  # the fixture's own


def test_after_the_end_asking_fails_and_leaving_is_harmless(floor: Any) -> None:
    async def live_and_die() -> Any:
        async with type(floor.manager)(type(floor.session)().take_sink, floor.clock) as manager:
            return manager

    manager, box = asyncio.run(live_and_die()), floor.Box()
    manager.unsubscribe_all(box.subscriber)
    manager.record_to(None)
    with pytest.raises(ConnectivityError, match="data thread is not running"):
        manager.resolve(floor.SPY.contract)
    with pytest.raises(ConnectivityError, match="data thread is not running"):
        manager.subscribe(box.subscriber, floor.SPY.contract, kinds=Kind.QUOTES)


def test_halts_are_on_the_board_and_a_change_alone_is_told(floor: Any) -> None:
    told: list[tuple[int, Halt]] = []
    floor.manager.on_halted = lambda instrument_id, halt: told.append((instrument_id, halt))
    spy, bac = floor.SPY, floor.BAC
    assert floor.manager.halt(spy.instrument_id) is Halt.UNKNOWN
    for halt in (Halt.NONE, Halt.VOLATILITY, Halt.VOLATILITY):
        floor.session.do(lambda halt=halt: floor.session.on_halted(spy, halt))
    assert told == [(spy.instrument_id, Halt.NONE), (spy.instrument_id, Halt.VOLATILITY)]
    assert (floor.manager.halt(spy.instrument_id), floor.manager.halt(bac.instrument_id)) == (
        Halt.VOLATILITY,
        Halt.UNKNOWN,
    )
