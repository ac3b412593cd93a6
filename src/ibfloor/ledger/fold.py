"""Folding: what the journals hold goes into the SQLite ledger, each fact once, however often it is tried."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ibfloor.crash_points import reach
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.segment import Record, read_journal, segment_id, segments
from ibfloor.ledger.store import JournalMark, LedgerStore
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import FillsTold, InstrumentDefined, OrderSubmitted

UnseenFact = OrderSubmitted | FillsTold | InstrumentDefined
BATCH = 5_000
"""Facts in one transaction at most, so that a long fold never holds the database for long."""


def fold_facts(store: LedgerStore, paths: LedgerPaths, *, is_live: bool) -> int:
    """Fold the ordered journal up to its end, delete what is folded and closed; return how many facts were new.

    ``is_live``: a writer is at work on the newest segment. Raises ``LedgerError`` when a sequence number
    is missing: books without a fact are wrong.
    """
    folded = 0
    found = segments(paths.facts_journal)
    closed = found[:-1]
    for path in closed:
        folded += _fold_segment(store, path, is_live=False)
    if closed and store.is_on_disk():
        for path in closed:
            reach("fold.before_unlink")
            path.unlink()
            reach("fold.after_unlink")
            store.drop_mark(path.name)
    for path in found[-1:]:
        folded += _fold_segment(store, path, is_live=is_live)
    return folded


def unseen_facts(store: LedgerStore, paths: LedgerPaths) -> list[UnseenFact]:
    """Return what workers journaled and the facts do not know.

    Orders, whose fate must be asked, what they trade, and which fills were told. For the time when no
    worker runs. Fold the facts first.
    """
    found: list[UnseenFact] = []
    for prefix in paths.worker_journals():
        for path in segments(prefix):
            found.extend(_unseen(store, path))
    return found


def tidy_workers(store: LedgerStore, paths: LedgerPaths) -> int:
    """Delete workers' closed segments that tell nothing the facts do not; return how many."""
    closed = (path for prefix in paths.worker_journals() for path in segments(prefix)[:-1])
    known = [path for path in closed if next(_unseen(store, path), None) is None]
    if not known or not store.is_on_disk():
        return 0
    for path in known:
        reach("tidy.before_unlink")
        path.unlink()
        reach("tidy.after_unlink")
    return len(known)


def _unseen(store: LedgerStore, path: Path) -> Iterator[UnseenFact]:
    definitions: list[InstrumentDefined] = []
    for record in read_journal(path):
        match record.fact:
            case InstrumentDefined() as definition:  # its fact comes before those of its orders
                definitions.append(definition)
            case OrderSubmitted() as intent if not store.has_order(intent.request.cl_ord_id):
                yield from definitions
                definitions.clear()
                yield intent
            case FillsTold() as told if told.number > store.told(told.strategy):
                yield told
            case _:  # the facts know it
                pass


def _fold_segment(store: LedgerStore, path: Path, *, is_live: bool) -> int:
    this = segment_id(path)
    mark = store.mark(path.name)
    records = iter(read_journal(path, mark.folded_to if mark.segment_id == this else 0, is_live=is_live))
    folded = 0
    while batch := list(islice(records, BATCH)):
        with store.transaction():
            folded += _add_new(store, path, batch)
            store.set_mark(path.name, JournalMark(this, batch[-1].end))
            reach("fold.before_commit")
        reach("fold.after_commit")
    return folded


def _add_new(store: LedgerStore, path: Path, batch: list[Record]) -> int:
    last = store.last_seq()
    new = [record for record in batch if record.seq > last]
    for expected, record in enumerate(new, start=last + 1):
        if record.seq != expected:
            raise LedgerError(f"{path}: fact {record.seq} comes where {expected} should: facts are missing")
    store.add(new)
    return len(new)
