"""What holds for every history of orders with triggers, trails, groups and families."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ibfloor.model.ids import InstrumentId
from ibfloor.model.order import OrdType, Side, TimeInForce
from ibfloor.sim.exchange.engine import Exchange
from ibfloor.sim.exchange.values import (
    Approach,
    BookTop,
    ExchangeEvent,
    ExchangeOrder,
    Filled,
    Gone,
    Moved,
    Oca,
    OcaKind,
    Peg,
    Resized,
    Slice,
    TapePrint,
    Trigger,
    TriggerKind,
)

SPY = InstrumentId(1)
CENT = Decimal("0.01")
prices = st.integers(990, 1010).map(lambda cents: cents * CENT)
quantities = st.integers(1, 300).map(Decimal)
KINDS = ("plain", "trail", "touch", "mtl", "rel", "slices", "approach", "aon", "fok", "late")
orders = st.fixed_dictionaries(
    {
        "do": st.just("order"),
        "side": st.sampled_from(Side),
        "qty": quantities,
        "kind": st.sampled_from(KINDS),
        "limit": st.none() | prices,
        "px": prices,
        "parent": st.none() | st.integers(0, 40),
        "group": st.none() | st.tuples(st.sampled_from("ab"), st.sampled_from(OcaKind)),
        "tif": st.sampled_from([TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC]),
    }
)
tops = st.fixed_dictionaries(
    {"do": st.just("top"), "bid": prices, "spread": st.integers(0, 4), "qty": st.integers(0, 300).map(Decimal)}
)
prints = st.fixed_dictionaries({"do": st.just("print"), "px": prices, "qty": quantities})
others = st.fixed_dictionaries(
    {"do": st.sampled_from(["cancel", "time", "amend"]), "key": st.integers(0, 40), "qty": quantities}
)
scripts = st.lists(st.one_of(orders, orders, tops, tops, prints, prints, others), max_size=50)

Script = list[dict[str, Any]]
Step = tuple[dict[str, Any], list[ExchangeEvent]]


def order_of(action: dict[str, Any], key: int) -> ExchangeOrder:
    kind, limit, px, qty = action["kind"], action["limit"], action["px"], action["qty"]
    all_parts: dict[str, dict[str, Any]] = {
        "plain": {},
        "trail": {"trigger": Trigger(kind=TriggerKind.STOP, trail_amount=3 * CENT)},
        "touch": {"trigger": Trigger(kind=TriggerKind.TOUCH, px=px)},
        "mtl": {"is_market_to_limit": True},
        "rel": {"peg": Peg(offset=CENT)},
        "slices": {"slices": (Slice(key, qty // 2), Slice(key + 5, qty))},
        "approach": {"approach": (Approach(key, Decimal(0)), Approach(key + 3, Decimal(1)))},
        "aon": {"is_all_or_none": True},
        "fok": {"min_qty": qty},
        "late": {"good_from_ns": key + 4, "good_until_ns": key + 9},
    }
    is_limit = kind == "rel" or (limit is not None and kind != "mtl")
    group = action["group"]
    return ExchangeOrder(
        key=key,
        instrument_id=SPY,
        side=action["side"],
        qty=qty,
        ord_type=OrdType.LIMIT if is_limit else OrdType.MARKET,
        limit_px=limit if is_limit else None,
        time_in_force=TimeInForce.IOC if kind == "fok" else action["tif"],
        parent_key=action["parent"],
        oca=None if group is None else Oca(group=group[0] + group[1], kind=group[1]),
        grid=CENT,
        **all_parts[kind],
    )


def step(exchange: Exchange, script: Script, n: int) -> list[ExchangeEvent]:
    action = script[n]
    match action["do"]:
        case "order":
            return exchange.submit(order_of(action, n), n)
        case "top":
            ask = action["bid"] + action["spread"] * CENT
            qty = action["qty"]
            return exchange.on_tick(
                BookTop(instrument_id=SPY, ts_ns=n, bid_px=action["bid"], bid_qty=qty, ask_px=ask, ask_qty=qty)
            )
        case "print":
            return exchange.on_tick(TapePrint(instrument_id=SPY, ts_ns=n, px=action["px"], qty=action["qty"]))
        case "cancel":
            return exchange.cancel(action["key"], n)
        case "amend" if action["key"] < n and script[action["key"]]["do"] == "order":
            changed = {**script[action["key"]], "qty": action["qty"]}
            return exchange.amend(order_of(changed, action["key"]), n)
    return exchange.on_time(n)


def play(script: Script) -> list[Step]:
    exchange = Exchange()
    return [(action, step(exchange, script, n)) for n, action in enumerate(script)]


def filled_by_key(steps: list[Step]) -> dict[int, Decimal]:
    filled: defaultdict[int, Decimal] = defaultdict(Decimal)
    for _, events in steps:
        for event in events:
            if isinstance(event, Filled):
                filled[event.key] += event.qty
    return filled


@given(scripts)
def test_same_input_gives_the_same_output(script: Script) -> None:
    assert play(script) == play(script)


@given(scripts)
def test_no_order_trades_more_than_is_left_of_it_or_after_its_end(script: Script) -> None:
    left: dict[int, Decimal] = {}
    filled: defaultdict[int, Decimal] = defaultdict(Decimal)
    gone: set[int] = set()
    for n, (action, events) in enumerate(play(script)):
        if action["do"] == "order":
            left[n] = action["qty"]
        if action["do"] == "amend" and events:
            left[action["key"]] = max(Decimal(0), action["qty"] - filled[action["key"]])
        for event in events:
            assert event.key not in gone
            if isinstance(event, Resized):
                left[event.key] = event.qty - filled[event.key]
                assert left[event.key] > 0
            if isinstance(event, Filled):
                left[event.key] -= event.qty
                filled[event.key] += event.qty
                assert event.qty > 0
                assert event.leaves_qty == left[event.key] >= 0
            if isinstance(event, Gone) or (isinstance(event, Filled) and event.leaves_qty == 0):
                gone.add(event.key)


@given(scripts)
def test_fill_in_a_canceling_group_leaves_no_other_member_alive(script: Script) -> None:
    groups: dict[int, str] = {}
    alive: set[int] = set()
    for n, (action, events) in enumerate(play(script)):
        if action["do"] == "order" and action["group"] and action["group"][1] is OcaKind.CANCEL:
            groups[n] = action["group"][0]
            alive.add(n)
        for event in events:
            if event.key not in groups:
                continue
            if isinstance(event, Gone) or (isinstance(event, Filled) and event.leaves_qty == 0):
                alive.discard(event.key)
        filled = {event.key for event in events if isinstance(event, Filled) and event.key in groups}
        assert len(filled) == len({groups[key] for key in filled})
        for key in filled:
            assert not any(groups[other] == groups[key] for other in alive - {key})


@given(scripts)
def test_blocked_group_of_equal_sizes_fills_one_sides_quantity_at_most(script: Script) -> None:
    same = [
        {**action, "qty": Decimal(100), "group": ("a", OcaKind.REDUCE_BLOCKED), "parent": None}
        for action in script
        if action["do"] == "order"
    ][:3]
    rest = [action for action in script if action["do"] in ("top", "print", "time", "cancel")]
    assert sum(filled_by_key(play([*same, *rest])).values()) <= 100


@given(scripts)
def test_trailing_trigger_never_moves_away(script: Script) -> None:
    sides = {n: action["side"] for n, action in enumerate(script) if action.get("kind") == "trail"}
    stops: dict[int, Decimal] = {}
    for action, events in play(script):
        if action["do"] == "amend":
            stops.pop(action["key"], None)
        for event in events:
            if isinstance(event, Moved) and event.key in sides and event.stop_px is not None:
                old = stops.get(event.key)
                assert old is None or (event.stop_px - old) * sides[event.key].sign < 0
                stops[event.key] = event.stop_px


@given(scripts)
def test_children_never_trade_more_than_their_parent_while_it_lives(script: Script) -> None:
    filled: defaultdict[int, Decimal] = defaultdict(Decimal)
    alive: set[int] = set()
    parents: dict[int, int] = {}
    for n, (action, events) in enumerate(play(script)):
        if action["do"] == "order":
            alive.add(n)
            if action["parent"] in alive and action["parent"] != n:
                parents[n] = action["parent"]
        for event in events:
            if isinstance(event, Filled):
                filled[event.key] += event.qty
                if event.leaves_qty == 0:
                    alive.discard(event.key)
            if isinstance(event, Gone):
                alive.discard(event.key)
        for child, parent in parents.items():
            assert parent not in alive or filled[child] <= filled[parent]


@given(scripts)
def test_fill_or_kill_and_all_or_none_never_trade_in_part(script: Script) -> None:
    whole = {n for n, action in enumerate(script) if action.get("kind") in ("aon", "fok")}
    for _, events in play(script):
        assert not any(isinstance(event, Filled) and event.key in whole and event.leaves_qty for event in events)
