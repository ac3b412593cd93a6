"""Reading the facts of a home while a floor may run: the ledger first, then what is only in the journal yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.segment import decode_fact, read_journal, segments
from ibfloor.ledger.store import LedgerStore
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import AnyFact
from ibfloor.model.fact_base import Fact


def read_facts(home: Path, kinds: tuple[type[Fact], ...]) -> Iterator[AnyFact]:
    """Yield the facts of some kinds in order, each once; changes nothing.

    Raises ``LedgerError`` when there is no ledger, or when it cannot be read.
    """
    paths = LedgerPaths(home)
    if not paths.database.is_file():
        raise LedgerError(f"there is no ledger in {home}: a floor that runs makes one")
    marks = ",".join("?" for _ in kinds)
    newest = 0
    with LedgerStore(paths.database, is_read_only=True) as store:
        store.query("BEGIN")  # one moment of the database
        newest = store.last_seq()
        statement = f"SELECT body FROM facts WHERE kind IN ({marks}) ORDER BY seq"  # noqa: S608 - marks only
        for (body,) in store.query(statement, *(kind.__name__ for kind in kinds)):
            yield decode_fact(body)
    found = segments(paths.facts_journal)
    for path in found:
        try:
            for record in read_journal(path, is_live=path == found[-1]):
                if record.seq > newest and isinstance(record.fact, kinds):
                    yield record.fact
        except FileNotFoundError:  # folded and deleted by a running floor: then the ledger had it
            continue
