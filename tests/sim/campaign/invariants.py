"""The invariants I1 to I16, judged by the gateway's own book; never by what the floor thinks of itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
from tests.sim.campaign.endings import (
    ENDED,
    ends_are_true,
    exits_stay_exits,
    feed_is_alive,
    fills_were_told,
    nothing_is_orphaned,
    quantities_agree,
)
from tests.sim.campaign.world import BRACKETEER, MAX_POSITION

from ibfloor.manager.floor_state import FloorState
from ibfloor.model.fact import (
    AnyFact,
    OrderDoubted,
    OrderFilled,
    OrderRejected,
    OrderReported,
    OrderSubmitted,
    OrderWarned,
    Reconciled,
    ReplaceRequested,
)
from ibfloor.model.ids import InstrumentId, exec_root, owner_of
from ibfloor.model.moment import NS_PER_S
from ibfloor.model.order import OrdStatus, Side
from ibfloor.sim.gateway.book import BookReport

if TYPE_CHECKING:
    from tests.sim.campaign.troubles import Trouble
    from tests.sim.campaign.world import World

UNKNOWN_MAX_S = 60.0
RECOVERY_MAX_S = 10.0
LATCH_S = 0.6
"""How long the file alone may take to be seen; it is looked at four times a second."""
KILL_MAX_S = 2.0
TELLING_S = 0.1
"""What a message takes to arrive, at most, while the network is well."""
LOOK_S = 3.0
"""How long what a look found may take to be believed: two looks, and the pause between them."""
CENT = Decimal("0.01")


class Violation(msgspec.Struct, frozen=True):
    """One invariant that did not hold, with the facts around it."""

    invariant: str
    text: str


class Evidence(msgspec.Struct, frozen=True):
    """All that is known when a run is over."""

    world: World
    troubles: tuple[Trouble, ...]
    report: BookReport
    facts: tuple[AnyFact, ...]
    """The ordered journal."""
    state: FloorState
    """The fold of it."""
    replays: tuple[str, ...]
    """Digests: of the live floor at its end, and of every replay."""
    opens_s: tuple[tuple[float, bool], ...]
    """When entries were open or shut, at every change."""
    troubled_s: float
    stuck: tuple[str, ...]
    logged: tuple[str, ...]
    stale: tuple[str, ...] = ()
    """Feeds that had stopped at the end."""

    @property
    def may_break(self) -> bool:
        """Tell whether a trouble changes the account in ways that nobody is told."""
        return any(trouble.breaks for trouble in self.troubles)

    def is_hidden(self, ts_ns: int) -> bool:
        """Tell whether orders worked at a time that no list showed; a look asked for before may end a little later."""
        at_s = _at(self, ts_ns)
        hides = any(trouble.hides for trouble in self.troubles)
        return hides and self.troubled_s <= at_s <= self.world.healed_s + LOOK_S

    @property
    def lies(self) -> bool:
        """Tell whether the broker called an order ended and filled it all the same."""
        return any(trouble.lies for trouble in self.troubles)


def one_order_per_intent(found: Evidence) -> Iterator[str]:
    """I1: no intent becomes more than one broker order."""
    orders: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for row in found.report.incarnations:
        if owner_of(row.order_ref):
            orders[row.order_ref].add((row.client_id, row.order_id))
    for ref, keys in orders.items():
        if len(keys) > 1:
            yield f"intent {ref} became {len(keys)} orders at the broker: {sorted(keys)}"


def one_intent_per_order_id(found: Evidence) -> Iterator[str]:
    """I2: each order id binds one intent for ever."""
    refs: dict[tuple[int, int], set[str]] = defaultdict(set)
    for sent in found.world.tap.sent:
        if sent.order_ref:
            refs[sent.order_ref.partition(":")[0], sent.order_id].add(sent.order_ref)  # type: ignore[index]
    for fact in found.facts:
        if isinstance(fact, OrderSubmitted):
            refs[fact.request.strategy, fact.order_id].add(fact.request.cl_ord_id)  # type: ignore[index]
    for key, bound in refs.items():
        if len(bound) > 1:
            yield f"order id {key} was used for {sorted(bound)}"


def fills_agree(found: Evidence) -> Iterator[str]:
    """I3: the broker's executions are the journal's, exactly once, after corrections."""
    theirs = {exec_root(row.exec_id)[0]: row for row in found.report.executions}  # type: ignore[arg-type]
    ours: dict[str, OrderFilled] = {}
    seen: set[str] = set()
    for fact in found.facts:
        if isinstance(fact, OrderFilled):
            if fact.exec_id in seen:
                yield f"execution {fact.exec_id} is in the journal twice"
            seen.add(fact.exec_id)
            ours[exec_root(fact.exec_id)[0]] = fact
    for root, row in theirs.items():
        fill = ours.get(root)
        if fill is None:
            yield f"execution {row.exec_id} of {row.order_ref or 'nobody'} ({row.qty} at {row.px}) was lost"
        elif (fill.last_qty, fill.last_px, fill.instrument_id, fill.side) != (row.qty, row.px, row.con_id, row.side):
            yield f"execution {row.exec_id}: {row.qty} at {row.px} there, {fill.last_qty} at {fill.last_px} here"
        elif (owner_of(row.order_ref) or "UNASSIGNED") != fill.strategy:
            yield f"execution {row.exec_id} of {row.order_ref or 'nobody'} is in the book of {fill.strategy}"
    for root in ours.keys() - theirs.keys():
        if not found.may_break:
            yield f"execution {ours[root].exec_id} of {ours[root].cl_ord_id} never happened"


def books_add_up(found: Evidence) -> Iterator[str]:
    """I4: per contract, all books together are the account's position."""
    theirs = {position.instrument.instrument_id: position.qty for position in found.world.account.positions}
    ours: dict[InstrumentId, Decimal] = defaultdict(Decimal)
    for name in found.state.books.strategies():
        for instrument_id, held in found.state.books.book(name).positions.items():
            ours[instrument_id] += held.qty
    for instrument_id in theirs.keys() | ours.keys():
        here, there = ours.get(instrument_id, Decimal(0)), theirs.get(instrument_id, Decimal(0))
        if here != there and not (found.may_break and f"position:{instrument_id}" in found.state.breaks):
            yield f"contract {instrument_id}: the books hold {here}, the account {there}"
    if not found.may_break and found.state.breaks:
        yield f"breaks stand at the end: {sorted(found.state.breaks)}"


def cash_adds_up(found: Evidence) -> Iterator[str]:
    """I5: cash of all books is the account's, to the cent; with I4 and one mark, so is equity."""
    ours: dict[str, Decimal] = defaultdict(Decimal)
    for name in found.state.books.strategies():
        for currency, amount in found.state.books.book(name).cash.items():
            ours[str(currency)] += amount
    for currency, amount in found.world.account.cash.items():
        here = ours.get(str(currency), Decimal(0))
        if abs(here - amount) > CENT and not (found.may_break and f"cash:{currency}" in found.state.breaks):
            yield f"{currency}: the books hold {here}, the account {amount}"


def ends_are_ends(found: Evidence) -> Iterator[str]:
    """I6: an order fills no more than its quantity; what ended never lives again but by a fill or an adoption."""
    state = FloorState()
    for fact in found.facts:
        ref = getattr(fact, "cl_ord_id", None)
        before = state.orders.get(ref) if ref else None
        state.apply(fact)
        if before is None or not before.status.is_done or ref is None:
            continue
        after = state.orders.get(ref)
        is_told = isinstance(fact, OrderReported | OrderRejected | OrderWarned | OrderDoubted)
        if after is not None and not after.status.is_done and is_told and before.status is not OrdStatus.FILLED:
            yield f"{ref} was {before.status} and is {after.status} by {type(fact).__name__}"
    theirs: dict[str, Decimal] = defaultdict(Decimal)
    sizes: dict[str, Decimal] = {}
    for row in found.report.orders:
        theirs[row.order_ref] += row.filled_qty
        sizes[row.order_ref] = max(row.qty, sizes.get(row.order_ref, Decimal(0)))
    asked: dict[str, Decimal] = defaultdict(Decimal)
    for fact in found.facts:
        if isinstance(fact, OrderSubmitted | ReplaceRequested):
            asked[fact.request.cl_ord_id] = max(asked[fact.request.cl_ord_id], fact.request.order_qty)
    for order in found.state.orders:
        ref, there = order.cl_ord_id, theirs.get(order.cl_ord_id, Decimal(0))
        # A list that is older than a change of ours may come last: the order is then larger than it says.
        most = max(order.request.order_qty, asked[ref])
        if order.cum_qty > most and there <= sizes.get(ref, Decimal(0)):
            yield f"{ref} filled {order.cum_qty} of {most}, {there} at the broker"


def states_agree(found: Evidence) -> Iterator[str]:
    """I6, Q: what works at the broker works here, and the other way round."""
    working = {row.order_ref for row in found.report.orders if row.status not in ENDED and owner_of(row.order_ref)}
    ours = {str(order.cl_ord_id) for order in found.state.orders.working()}
    for ref in sorted(working - ours):
        known = found.state.orders.get(ref)  # type: ignore[arg-type]
        yield f"{ref} works at the broker, and is {known.status if known else 'unknown'} here"
    for ref in sorted(ours - working):
        rows = [row.status for row in found.report.orders if row.order_ref == ref]
        yield f"{ref} is {found.state.orders.get(ref).status} here, and {rows or 'absent'} at the broker"  # type: ignore[arg-type, union-attr]


def limits_hold(found: Evidence) -> Iterator[str]:
    """I7: worst case, UNKNOWN orders included, never exceeds the limit when an order is let through."""
    if found.lies:
        return
    state = FloorState()
    for fact in found.facts:
        state.apply(fact)
        if found.is_hidden(fact.ts_init_ns):
            return  # what works from now on may come of it
        if not isinstance(fact, OrderSubmitted | ReplaceRequested) or owner_of(fact.request.cl_ord_id) is None:
            continue
        request = fact.request
        held = state.books.book(request.strategy).positions.get(request.instrument_id)
        worst = {side: (held.qty * side.sign if held else Decimal(0)) for side in Side}
        for order in state.orders.working():
            if order.request.asks.bracket:
                continue  # an exit takes off what its entry has added
            if (order.request.strategy, order.request.instrument_id) == (request.strategy, request.instrument_id):
                worst[order.request.side] += order.leaves_qty
        if not request.asks.bracket and worst[request.side] > MAX_POSITION:
            yield f"{request.cl_ord_id} was let through with a worst case of {worst[request.side]} of {MAX_POSITION}"


def shut_is_shut(found: Evidence) -> Iterator[str]:
    """I8: nothing enters before the first reconciliation of a life, nor while IB is said to be away."""
    world = found.world
    settled = [_at(found, fact.ts_event_ns) for fact in found.facts if isinstance(fact, Reconciled)]
    for sent in world.tap.sent:
        if sent.kind != b"3":
            continue
        born_s = world.births_s[sent.life]
        if not any(born_s <= at_s <= sent.at_s + TELLING_S for at_s in settled):
            yield f"{sent.order_ref} left at {sent.at_s:.3f} s before life {sent.life} had reconciled"
    for begin_s, end_s in _outages(found):
        for sent in world.tap.sent:
            if sent.kind == b"3" and begin_s + TELLING_S < sent.at_s < end_s:
                yield f"{sent.order_ref} left at {sent.at_s:.3f} s, in the outage of {begin_s:.1f} to {end_s:.1f} s"


def latch_holds(found: Evidence) -> Iterator[str]:
    """I8: no order and no change leaves once the kill switch is pulled."""
    for at_s in found.world.kills_s:
        for sent in found.world.tap.sent:
            if sent.kind == b"3" and sent.at_s > at_s + LATCH_S:
                yield f"{sent.order_ref} left at {sent.at_s:.3f} s, after the kill at {at_s:.3f} s"


def kill_clears(found: Evidence) -> Iterator[str]:
    """I15: from a kill to no working order of ours in 2 s, while the world is well."""
    is_well = all(trouble.is_kill for trouble in found.troubles)
    for at_s, clear_s in zip(found.world.kills_s, found.world.killed_clear_s, strict=False):
        if is_well and clear_s - at_s > KILL_MAX_S:
            yield f"orders worked until {clear_s - at_s:.2f} s after the kill at {at_s:.2f} s"
    if len(found.world.kills_s) and found.world.working():
        yield f"orders still work after a kill: {found.world.working()}"


def brackets_are_covered(found: Evidence) -> Iterator[str]:
    """I16: whatever an entry of a bracket has bought has a stop at the broker, or somebody was told."""
    is_told = any(isinstance(fact, OrderWarned) and owner_of(fact.cl_ord_id) == BRACKETEER for fact in found.facts)
    if found.world.uncovered and not is_told and not found.world.kills_s and not found.may_break:
        yield from found.world.uncovered


def replays_are_equal(found: Evidence) -> Iterator[str]:
    """I10: the journal replayed, twice, is what the floor knew at its end."""
    if len(set(found.replays)) != 1:
        yield f"live floor and replays differ: {found.replays}"


def doubts_end(found: Evidence) -> Iterator[str]:
    """I11: every UNKNOWN is resolved within 60 s."""
    for order in found.state.orders.unknown():
        yield f"{order.cl_ord_id} is UNKNOWN at the end: {order.text}"


def recovery_is_quick(found: Evidence) -> Iterator[str]:
    """I12: entries are open again within 10 s of the world being well."""
    took = recovery_s(found)
    if took is not None and took > RECOVERY_MAX_S:
        yield f"entries opened {took:.1f} s after the world was well again"


def recovery_s(found: Evidence) -> float | None:
    """Return how long the floor took to open entries again; ``None`` where nothing says when the world was well."""
    times = [trouble.well_after_s for trouble in found.troubles]
    if not times or any(at_s is None for at_s in times):
        return None
    well_s = found.troubled_s + max(at_s for at_s in times if at_s is not None)
    changes = ((0.0, True), *found.opens_s)
    is_open = [opened for at_s, opened in changes if at_s <= well_s][-1]
    for at_s, opens in changes:
        if at_s <= well_s:
            continue
        if not opens and is_open and at_s > well_s + 1.0:
            break  # shut later, for another reason
        if opens and not is_open:
            return at_s - well_s
        is_open = opens
    return 0.0 if is_open or len(found.world.kills_s) else float("inf")


def nothing_breaks(found: Evidence) -> Iterator[str]:
    """I13: no unhandled exception, no stuck task, no life that ends by itself."""
    yield from found.world.loop.errors
    yield from (each for each in found.world.failures if "did not start" not in each)
    yield from found.stuck
    yield from found.logged


def wire_rules(found: Evidence) -> Iterator[tuple[str, str]]:
    """I9 and I14, judged at the moment of each socket write."""
    yield from found.world.tap.violations


_CHECKS: tuple[tuple[str, Callable[[Evidence], Iterator[str]]], ...] = (
    ("I1", one_order_per_intent),
    ("I2", one_intent_per_order_id),
    ("I3", fills_agree),
    ("I3", fills_were_told),
    ("I4", books_add_up),
    ("I5", cash_adds_up),
    ("I6", ends_are_ends),
    ("I6", states_agree),
    ("I6", ends_are_true),
    ("I6", quantities_agree),
    ("I6", nothing_is_orphaned),
    ("I7", limits_hold),
    ("I8", shut_is_shut),
    ("I8", latch_holds),
    ("I15", kill_clears),
    ("I16", brackets_are_covered),
    ("I16", exits_stay_exits),
    ("I10", replays_are_equal),
    ("I11", doubts_end),
    ("I12", recovery_is_quick),
    ("I12", feed_is_alive),
    ("I13", nothing_breaks),
)


def judge(found: Evidence) -> list[Violation]:
    """Return every violation of a run."""
    violations = [Violation(name, text) for name, check in _CHECKS for text in check(found)]
    violations += [Violation(name, text) for name, text in wire_rules(found)]
    return violations


def _at(found: Evidence, ts_ns: int) -> float:
    return (ts_ns - found.world.start_ns) / NS_PER_S


def _outages(found: Evidence) -> Iterator[tuple[float, float]]:
    for firing in found.world.gateway.faults.engine.firings:
        if firing.do == "lose_upstream":
            begin_s = _at(found, firing.market_ns)
            for trouble in found.troubles:
                for fault in trouble.faults:
                    if fault.name == firing.fault:
                        heals = (at_s for at_s in found.world.heals_s if at_s >= begin_s)
                        yield begin_s, min([begin_s + fault.what.for_s, *heals])  # type: ignore[union-attr]


__all__ = ["Evidence", "Violation", "judge", "recovery_s"]
