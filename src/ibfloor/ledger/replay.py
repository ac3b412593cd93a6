"""Coming back: what the journals and the ledger know, in order, before anything is asked of the broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from ibfloor.ledger.fold import UnseenFact, fold_facts, tidy_workers, unseen_facts
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.segment import decode_fact
from ibfloor.ledger.store import LedgerStore
from ibfloor.model.fact import AnyFact, OrderSubmitted


class Recovered:
    """All that was known when the last floor ended. Owner: one thread; close it (``with``) after reading.

    ``facts`` may be read while the sessions are not up yet; new facts start at ``next_seq``.
    """

    def __init__(self, store: LedgerStore, unseen: list[UnseenFact]) -> None:
        self._store = store
        self.next_seq = store.last_seq() + 1
        self.unseen_intents = tuple(fact for fact in unseen if isinstance(fact, OrderSubmitted))
        """Orders journaled by a worker whose fact never came: UNKNOWN until the broker is asked."""
        self.unseen_notes = tuple(fact for fact in unseen if not isinstance(fact, OrderSubmitted))
        """What else workers journaled: what those orders trade, and which fills were told."""

    def facts(self) -> Iterator[tuple[int, AnyFact]]:
        """Yield every fact with its sequence number, in order, without holding them all."""
        for seq, body in self._store.bodies():
            yield seq, decode_fact(body)

    def close(self) -> None:
        """Close the ledger."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def recover(home: Path) -> Recovered:
    """Fold what is left in the journals, then open the ledger for reading in order.

    Call it while this process holds the home's ``FloorLock`` and before any ``JournalWriter`` is
    open. Raises ``LedgerError`` when a file is corrupt or a fact is missing.
    """
    paths = LedgerPaths(home)
    paths.make_folders()
    store = LedgerStore(paths.database)
    store.open()
    try:
        fold_facts(store, paths, is_live=False)
        tidy_workers(store, paths)
        return Recovered(store, unseen_facts(store, paths))
    except BaseException:
        store.close()
        raise
