"""Invariants of the end: every fill told, every quantity the broker's, nothing left behind, the feed alive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from ibfloor.manager.floor_state import FloorState
from ibfloor.model.fact import OrderFilled
from ibfloor.model.ids import UNASSIGNED, ExecId, StrategyId, exec_root, owner_of
from ibfloor.model.moment import NS_PER_S

BRACKETEER = "gamma"

if TYPE_CHECKING:
    from tests.sim.campaign.invariants import Evidence
    from tests.sim.campaign.world import World

QUOTE_AGE_MAX_S = 8.0
"""Quotes come about every second; a feed without one for so long, in a world that is well, has stopped."""
TELLING_NS = NS_PER_S
"""How much later than the end of an order here the broker may have ended it: their clocks differ by a message."""
ENDED = ("Filled", "Cancelled", "Inactive")


def fills_were_told(found: Evidence) -> Iterator[str]:
    """I3: each strategy was told each of its fills, once."""
    lives: dict[tuple[str, str], list[int]] = defaultdict(list)
    for told in found.world.told:
        lives[told.strategy, told.exec_id].append(told.life)
    for (strategy, exec_id), told_in in lives.items():
        if len(told_in) > 1:
            yield f"{strategy} was told the fill {exec_id} {len(told_in)} times, in lives {told_in}"
    waiting = {fill.exec_id for name in found.state.strategies for _, fill in found.state.record(name).untold}
    for fact in found.facts:
        if not isinstance(fact, OrderFilled) or fact.exec_id in waiting or fact.cl_ord_id is None:
            continue
        owner = owner_of(fact.cl_ord_id) or UNASSIGNED
        if owner != UNASSIGNED and (owner, fact.exec_id) not in lives:
            yield f"{owner} was never told of its fill {fact.exec_id}"


def quantities_agree(found: Evidence) -> Iterator[str]:
    """I6, Q: what an order has filled here is what the broker filled of it."""
    theirs: dict[str, Decimal] = defaultdict(Decimal)
    for row in found.report.executions:
        theirs[row.order_ref] += row.qty
    for order in found.state.orders:
        combo = order.request.asks.combo
        each = 1 if combo is None else sum(abs(leg.ratio) for leg in combo.legs)  # its legs alone are executions
        there = theirs.get(order.cl_ord_id, Decimal(0)) / each
        if order.cum_qty != there and not found.may_break:
            yield f"{order.cl_ord_id} filled {order.cum_qty} here, {there} at the broker"


def ends_are_true(found: Evidence) -> Iterator[str]:
    """I6: what a strategy was told is over was over at the broker: no order is given up while it works."""
    if found.lies or found.may_break:
        return
    lasted_ns: dict[str, int] = {}
    for row in found.report.orders:
        ended_ns = row.completed_ns if row.status in ENDED else 1 << 63
        lasted_ns[row.order_ref] = max(ended_ns, lasted_ns.get(row.order_ref, 0))
    state, excused = FloorState(), set()
    for fact in found.facts:
        order = state.apply(fact).order
        if order is None:
            continue
        if not order.status.is_done:
            excused.discard(order.cl_ord_id)
        elif found.is_hidden(fact.ts_init_ns):
            excused.add(order.cl_ord_id)  # told then: a fill that comes later tells no end anew
        if not order.status.is_done or order.cl_ord_id in excused:
            continue
        late_ns = lasted_ns.get(order.cl_ord_id, 0) - fact.ts_init_ns
        if late_ns > TELLING_NS:
            until = f"for {late_ns / NS_PER_S:.1f} s more" if late_ns < 1 << 62 else "for ever"
            yield f"{order.cl_ord_id} was {order.status} here ({order.text}), and worked at the broker {until}"


def exits_stay_exits(found: Evidence) -> Iterator[str]:
    """I16: the exits of brackets never sell what their entries have not bought."""
    if found.lies:
        return
    held: dict[str, Decimal] = defaultdict(Decimal)
    seen: set[str] = set()
    for row in found.report.bookings:  # as they came: a correction would move its execution to the end
        root = exec_root(ExecId(row.exec_id))[0]
        if found.is_hidden(row.ts_ns):
            return  # what is held from now on may come of it
        if owner_of(row.order_ref) == BRACKETEER and root not in seen:
            seen.add(root)
            held[row.symbol] += row.side.sign * row.qty
            if held[row.symbol] < 0:
                yield f"{row.order_ref} sold {-held[row.symbol]} {row.symbol} that no bracket had bought"


def nothing_is_orphaned(found: Evidence) -> Iterator[str]:
    """I6, Q: when the floor has ended by the policy "cancel", no order of ours works on."""
    for row in found.report.orders:
        if row.status not in ENDED and owner_of(row.order_ref):
            yield f"{row.order_ref} works on ({row.status}) after the floor has ended"


def feed_is_alive(found: Evidence) -> Iterator[str]:
    """I12, Q: quotes come again once the world is well."""
    yield from found.stale


def stale_feeds(world: World) -> Iterator[str]:
    """Yield what each running strategy has heard of each symbol too long ago."""
    for name in world.names:
        strategy = world.strategy(StrategyId(name))
        if strategy is None or world.is_latched:
            continue
        for symbol in strategy.params.symbols:
            heard_ns = strategy.quoted_ns.get(symbol, world.start_ns)
            age_s = (world.gateway.now_ns() - heard_ns) / 1e9
            if age_s > QUOTE_AGE_MAX_S:
                yield f"{name} has heard no quote of {symbol} for {age_s:.1f} s"
