"""Book entries in the ledger: their own rows, audited, replayed into the same books and the same gate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

import pytest
from msgspec.structs import replace
from tests.unit.unlimited import NO_LIMITS

from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.replay import recover
from ibfloor.ledger.store import LedgerStore
from ibfloor.ledger.verify import verify
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.restore import restore
from ibfloor.model.entry import BookEntry, CashLeg, EntryKind, Leg, PositionLeg, SplitLeg, undone
from ibfloor.model.fact import AnyFact
from ibfloor.model.ids import UNASSIGNED, InstrumentId, StrategyId
from ibfloor.model.lots import LotMethod
from ibfloor.model.money import USD, Money

D = Decimal
SPY = InstrumentId(756733)
SMA = StrategyId("sma-spy")
Journal = Callable[[Iterable[AnyFact]], None]
Story = Callable[[int], list[AnyFact]]


def entry(entry_id: str, kind: EntryKind, *legs: Leg, ts: int) -> BookEntry:
    return BookEntry(ts_event_ns=ts, ts_init_ns=ts, entry_id=entry_id, kind=kind, legs=legs, reason="test", actor="ann")


def shares(strategy: StrategyId, qty: str) -> PositionLeg:
    return PositionLeg(strategy=strategy, instrument_id=SPY, qty=D(qty), px=D("102.5"), currency=USD)


SPLIT = entry("split", EntryKind.SPLIT, SplitLeg(strategy=SMA, instrument_id=SPY, new=2, old=1), ts=3)
MOVE = entry("move", EntryKind.TRANSFER, shares(SMA, "-30"), shares(UNASSIGNED, "30"), ts=50)
PAID = entry("paid", EntryKind.DIVIDEND, CashLeg(strategy=SMA, amount=Money(D("9.5"), USD), instrument_id=SPY), ts=60)
UNDO = replace(MOVE, entry_id="undo", legs=undone(MOVE.legs), reverses="move", ts_event_ns=70)


@pytest.fixture
def story(facts: Story) -> list[AnyFact]:
    return [*facts(5), SPLIT, MOVE, PAID, UNDO]


def test_entries_have_rows_of_their_own(paths: LedgerPaths, journal: Journal, story: list[AnyFact]) -> None:
    journal(story)
    recover(paths.home).close()
    with LedgerStore(paths.database) as store:
        rows = store.query("SELECT entry_id, kind, reverses, seq FROM entries ORDER BY seq").fetchall()
        legs = store.query("SELECT leg_id, kind, strategy, qty, amount, new, old FROM entry_legs ORDER BY 1").fetchall()
    assert rows == [
        ("split", "SPLIT", "", 27),
        ("move", "TRANSFER", "", 28),
        ("paid", "DIVIDEND", "", 29),
        ("undo", "TRANSFER", "move", 30),
    ]
    assert legs == [
        ("move#00000", "position", SMA, "-30", None, None, None),
        ("move#00001", "position", UNASSIGNED, "30", None, None, None),
        ("paid#00000", "cash", SMA, None, "9.5", None, None),
        ("split#00000", "split", SMA, None, None, 2, 1),
        ("undo#00000", "position", UNASSIGNED, "-30", None, None, None),
        ("undo#00001", "position", SMA, "30", None, None, None),
    ]
    assert verify(paths.home).problems == ()


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (replace(UNDO, entry_id="again"), "book entry move is reversed twice"),
        (PAID, "book entry paid is there twice"),
        (replace(UNDO, entry_id="odd", reverses="nothing"), "reverses book entry nothing, which no fact knows"),
    ],
)
def test_entries_that_cannot_be_are_named(
    paths: LedgerPaths, journal: Journal, story: list[AnyFact], more: BookEntry, problem: str
) -> None:
    journal([*story, more])
    recover(paths.home).close()
    assert any(problem in text for text in verify(paths.home).problems)


@pytest.mark.parametrize("method", list(LotMethod))
def test_replay_makes_the_same_books_and_the_gate_follows_them(
    paths: LedgerPaths, journal: Journal, story: list[AnyFact], method: LotMethod
) -> None:
    live = FloorState(method)
    for fact in story:
        assert live.is_news(fact) or not isinstance(fact, BookEntry)
        live.apply(fact)
    assert not live.is_news(PAID)
    journal(story)
    restored = restore(paths.home, NO_LIMITS, method)
    again = restore(paths.home, NO_LIMITS, method)
    assert restored.state.books.digest() == again.state.books.digest() == live.books.digest()
    held = live.books.book(SMA).qty(SPY)
    assert held == 2 * 200 + 300  # two fills before the split, three from its time on
    assert restored.gate.exposures.slot(SMA, SPY).qty == held
    assert restored.gate.exposures.slot(UNASSIGNED, SPY).qty == 0
    assert restored.gate.exposures.account_slot(SPY).qty == held
