"""What holds for every history of orders and ticks."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ibfloor.model.ids import InstrumentId
from ibfloor.model.order import OrdType, Side, TimeInForce
from ibfloor.sim.exchange.engine import Exchange
from ibfloor.sim.exchange.values import BookTop, ExchangeEvent, ExchangeOrder, Filled, Gone, MarketTick, TapePrint

SPY = InstrumentId(1)
CENT = Decimal("0.01")
prices = st.integers(995, 1005)
quantities = st.integers(1, 300)
orders = st.tuples(
    st.just("order"),
    st.sampled_from(Side),
    quantities,
    st.sampled_from([OrdType.MARKET, OrdType.LIMIT, OrdType.STOP]),
    prices,
    st.sampled_from([TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC]),
)
tops = st.tuples(st.just("top"), st.none() | prices, st.integers(0, 300), st.integers(1, 3), st.booleans())
prints = st.tuples(st.just("print"), prices, quantities)
cancels = st.tuples(st.just("cancel"), st.integers(0, 30))
replaces = st.tuples(st.just("replace"), st.integers(0, 30), quantities, prices)
scripts = st.lists(st.one_of(orders, tops, tops, prints, prints, cancels, replaces), max_size=60)


def tick_of(action: tuple[Any, ...], ts_ns: int) -> MarketTick | None:
    match action:
        case ("top", bid, qty, spread, has_ask):
            return BookTop(
                instrument_id=SPY,
                ts_ns=ts_ns,
                bid_px=None if bid is None else bid * CENT,
                bid_qty=Decimal(qty),
                ask_px=((bid or 1000) + spread) * CENT if has_ask else None,
                ask_qty=Decimal(qty),
            )
        case ("print", px, qty):
            return TapePrint(instrument_id=SPY, ts_ns=ts_ns, px=px * CENT, qty=Decimal(qty))
    return None


def order_of(action: tuple[Any, ...], key: int) -> ExchangeOrder:
    _, side, qty, ord_type, px, tif = action
    return ExchangeOrder(
        key=key,
        instrument_id=SPY,
        side=side,
        qty=Decimal(qty),
        ord_type=ord_type,
        limit_px=px * CENT if ord_type is OrdType.LIMIT else None,
        stop_px=px * CENT if ord_type is OrdType.STOP else None,
        time_in_force=tif,
    )


def play(script: list[tuple[Any, ...]]) -> list[list[ExchangeEvent]]:
    exchange = Exchange()
    steps = []
    for n, action in enumerate(script):
        tick = tick_of(action, n)
        if tick is not None:
            steps.append(exchange.on_tick(tick))
        elif action[0] == "order":
            steps.append(exchange.submit(order_of(action, n), n))
        elif action[0] == "cancel":
            steps.append(exchange.cancel(action[1], n))
        else:
            steps.append(replaced(exchange, script, n))
    return steps


def replaced(exchange: Exchange, script: list[tuple[Any, ...]], n: int) -> list[ExchangeEvent]:
    _, key, qty, px = script[n]
    if key >= n or script[key][0] != "order":
        return []
    ord_type = script[key][3]
    limit_px = px * CENT if ord_type is OrdType.LIMIT else None
    stop_px = px * CENT if ord_type is OrdType.STOP else None
    return exchange.replace(key, Decimal(qty), limit_px, stop_px, n)


@given(scripts)
def test_same_input_gives_the_same_output(script: list[tuple[Any, ...]]) -> None:
    assert play(script) == play(script)


@given(scripts)
def test_no_order_trades_more_than_was_asked_or_after_its_end(script: list[tuple[Any, ...]]) -> None:
    wanted: dict[int, Decimal] = {}
    filled: defaultdict[int, Decimal] = defaultdict(Decimal)
    gone: set[int] = set()
    for n, (action, events) in enumerate(zip(script, play(script), strict=True)):
        if action[0] == "order":
            wanted[n] = Decimal(action[2])
        if action[0] == "replace" and events:
            # a total below what has traded ends the order, which what has traded may then exceed
            wanted[action[1]] = max(Decimal(action[2]), filled[action[1]])
        for event in events:
            assert event.key not in gone
            if isinstance(event, Filled):
                filled[event.key] += event.qty
                assert event.qty > 0
                assert event.leaves_qty == wanted[event.key] - filled[event.key] >= 0
            if isinstance(event, Gone) or (isinstance(event, Filled) and event.leaves_qty == 0):
                gone.add(event.key)


@given(scripts)
def test_no_fill_is_worse_than_its_limit(script: list[tuple[Any, ...]]) -> None:
    limits: dict[int, tuple[Side, int]] = {}
    for n, (action, events) in enumerate(zip(script, play(script), strict=True)):
        if action[0] == "order" and action[3] is OrdType.LIMIT:
            limits[n] = (action[1], action[4])
        if action[0] == "replace" and events and action[1] in limits:
            limits[action[1]] = (limits[action[1]][0], action[3])
        for event in events:
            if isinstance(event, Filled) and event.key in limits:
                side, limit = limits[event.key]
                assert (limit * CENT - event.px) * side.sign >= 0


@given(scripts)
def test_fills_stay_within_displayed_and_printed_size(script: list[tuple[Any, ...]]) -> None:
    sides = {n: action[1] for n, action in enumerate(script) if action[0] == "order"}
    budget = dict.fromkeys(Side, Decimal(0))
    for n, (action, events) in enumerate(zip(script, play(script), strict=True)):
        tick = tick_of(action, n)
        if isinstance(tick, BookTop):
            budget[Side.BUY] = tick.ask_qty if tick.ask_px is not None else Decimal(0)
            budget[Side.SELL] = tick.bid_qty if tick.bid_px is not None else Decimal(0)
        printed = tick.qty if isinstance(tick, TapePrint) else Decimal(0)
        for event in events:
            if isinstance(event, Filled):
                from_print = min(printed, event.qty)
                printed -= from_print
                budget[sides[event.key]] -= event.qty - from_print
        assert min(budget.values()) >= 0


@settings(max_examples=200)
@given(st.lists(st.one_of(orders, tops, prints, cancels), max_size=60))
def test_no_order_trades_before_a_better_or_older_one_of_its_side(script: list[tuple[Any, ...]]) -> None:
    limits: dict[int, tuple[Side, Decimal, int]] = {}  # live limits: side, rank of price, age
    for n, (action, events) in enumerate(zip(script, play(script), strict=True)):
        if action[0] == "order" and action[3] is OrdType.LIMIT:
            limits[n] = (action[1], -action[4] * CENT * action[1].sign, n)
        traded = [event.key for event in events if isinstance(event, Filled) and event.key in limits]
        before = dict(limits)
        for event in events:
            if isinstance(event, Gone) or (isinstance(event, Filled) and event.leaves_qty == 0):
                limits.pop(event.key, None)
        untouched = [key for key in limits if key not in traded]
        for key in traded:
            side, *rank = before[key]
            passed_by = [other for other in untouched if before[other][0] is side and list(before[other][1:]) < rank]
            assert passed_by == []
