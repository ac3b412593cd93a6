"""What must hold when a soak is over: the campaign's invariants, by the gateway's own book and the floor's ledger."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import msgspec
from tests.sim.campaign import endings, invariants
from tests.sim.campaign.soak.stage import SPEED, STRATEGIES, Stage
from tests.sim.campaign.told import Told

from ibfloor.ledger.replay import recover
from ibfloor.ledger.verify import verify
from ibfloor.manager.floor_state import FloorState
from ibfloor.model.fact import KillLatched
from ibfloor.model.ids import owner_of
from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.gateway.book import BookReport

NOTICED_S = 0.5
"""How long a floor on a busy machine may take to read that IB is away, wall time."""
KILL_MAX_S = 2.0
TOO_MANY = 100
"""IB's code for more than 50 messages in a second."""
_CHECKS = (
    ("I1", invariants.one_order_per_intent),
    ("I2", invariants.one_intent_per_order_id),
    ("I3", invariants.fills_agree),
    ("I3", endings.fills_were_told),
    ("I4", invariants.books_add_up),
    ("I5", invariants.cash_adds_up),
    ("I6", invariants.ends_are_ends),
    ("I6", invariants.states_agree),
    ("I6", endings.quantities_agree),
    ("I6", endings.nothing_is_orphaned),
    ("I7", invariants.limits_hold),
    ("I11", invariants.doubts_end),
)


def judge(stage: Stage, report: BookReport, summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every violation of a soak whose floor has ended."""
    with recover(stage.home) as recovered:
        facts = tuple(fact for _, fact in recovered.facts())
    state = FloorState()
    for fact in facts:
        state.apply(fact)
    found: Any = SimpleNamespace(
        report=report,
        facts=facts,
        state=state,
        may_break=False,
        lies=False,
        is_hidden=lambda ts_ns: False,
        troubles=(),
        world=_world(stage, report),
    )
    for name, check in _CHECKS:
        yield from ((name, text) for text in check(found))
    yield from (("I8", text) for text in _shut_in_outages(report))
    yield from (("I10", text) for text in _replays(stage))
    yield from (("I13", text) for text in complaints(stage))
    yield from (("I14", f"IB 100: {row.text}") for row in report.sent if row.code == TOO_MANY)
    yield from (("I15", text) for text in _kill(report, facts))
    if summary.get("books_equal_account") is not True or summary.get("unknown_orders") or summary.get("breaks"):
        yield "I4", f"the floor's own summary: {summary}"


def _world(stage: Stage, report: BookReport) -> SimpleNamespace:
    told = [
        Told(f"soak-{n}", 1, exec_id)
        for n in range(STRATEGIES)
        if stage.told(n).exists()
        for exec_id in stage.told(n).read_text().split()
    ]
    positions = [
        SimpleNamespace(instrument=SimpleNamespace(instrument_id=row.con_id), qty=row.qty) for row in report.positions
    ]
    cash = {currency: Decimal(amount) for currency, amount in report.cash.items()}
    return SimpleNamespace(
        tap=SimpleNamespace(sent=[]), told=told, account=SimpleNamespace(positions=positions, cash=cash)
    )


def _shut_in_outages(report: BookReport) -> Iterator[str]:
    away_ns: dict[int | None, int] = {}
    spans: list[tuple[int | None, int, int]] = []
    for row in report.sent:
        if row.code in (1100, 2110):
            away_ns.setdefault(row.client_id, row.ts_ns)
        elif row.code in (1101, 1102) and (began_ns := away_ns.pop(row.client_id, None)) is not None:
            spans.append((row.client_id, began_ns + int(NOTICED_S * SPEED * NS_PER_S), row.ts_ns))
    for order in report.orders:
        for client_id, from_ns, to_ns in spans:
            if order.client_id == client_id and owner_of(order.order_ref) and from_ns < order.placed_ns < to_ns:
                yield f"{order.order_ref} came {(order.placed_ns - from_ns) / NS_PER_S:.1f} market s into an outage"


def _replays(stage: Stage) -> Iterator[str]:
    first, second = verify(stage.home), verify(stage.home)
    if first.replay_hash != second.replay_hash:
        yield f"two replays differ: {first.replay_hash} and {second.replay_hash}"
    yield from (f"ledger: {problem}" for problem in first.problems)


def complaints(stage: Stage) -> Iterator[str]:
    """Yield what the floor logged of the kind that must not happen."""
    for file in sorted(stage.home.rglob("*.log*")):
        for line in file.read_bytes().splitlines():
            entry = _entry(line)
            is_bad = entry.get("exception") or entry.get("event") in ("session failed", "log lines dropped")
            if is_bad or (entry.get("level") == "critical" and "kill" not in str(entry.get("event"))):
                yield f"logged: {line.decode(errors='replace')[:600]}"
    if "Traceback" in stage.words():
        yield f"said: {stage.words()[-600:]}"


def _entry(line: bytes) -> dict[str, Any]:
    try:
        return dict(msgspec.json.decode(line))
    except (msgspec.DecodeError, TypeError):
        return {}


def _kill(report: BookReport, facts: tuple[object, ...]) -> Iterator[str]:
    killed_ns = next((fact.ts_event_ns for fact in facts if isinstance(fact, KillLatched)), None)
    if killed_ns is None:
        yield "the kill at the end of the soak is not in the journal"
        return
    for order in report.orders:
        late_s = (order.completed_ns - killed_ns) / NS_PER_S / SPEED
        if owner_of(order.order_ref) and late_s > KILL_MAX_S:
            yield f"{order.order_ref} worked until {late_s:.1f} s after the kill"
