"""Coming back: what the journals and the ledger know, in order, before anything is asked of the broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from ibfloor.ledger.fold import fold_facts, tidy_workers, unseen_intents
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.segment import decode_fact
from ibfloor.ledger.store import LedgerStore
from ibfloor.model.fact import AnyFact, OrderSubmitted
from ibfloor.model.ids import StrategyId, intent_number, owner_of


class Recovered:
    """All that was known when the last floor ended. Owner: one thread; close it (``with``) after reading.

    ``facts`` may be read while the sessions are not up yet; new facts start at ``next_seq``.
    """

    def __init__(self, store: LedgerStore, unseen: tuple[OrderSubmitted, ...]) -> None:
        self._store = store
        self.next_seq = store.last_seq() + 1
        self.unseen_intents = unseen
        """Orders journaled by a worker whose fact never came: UNKNOWN until the broker is asked."""
        self.client_ids = {StrategyId(name): int(number) for name, number in store.query("SELECT * FROM clients")}
        """The fixed client id of every strategy that ever had one."""

    def facts(self) -> Iterator[tuple[int, AnyFact]]:
        """Yield every fact with its sequence number, in order, without holding them all."""
        for seq, body in self._store.bodies():
            yield seq, decode_fact(body)

    def order_ids(self) -> dict[int, int]:
        """Return the highest order id ever used, by client id."""
        highest: dict[int, int] = dict(self._store.query("SELECT client_id, max(order_id) FROM orders GROUP BY 1"))
        for intent in self.unseen_intents:
            highest[intent.client_id] = max(highest.get(intent.client_id, 0), intent.order_id)
        return highest

    def intent_numbers(self) -> dict[StrategyId, int]:
        """Return the highest intent number ever used, by strategy; refused intents count."""
        highest: dict[StrategyId, int] = {}
        known = self._store.query("SELECT strategy, cl_ord_id FROM facts WHERE cl_ord_id IS NOT NULL GROUP BY 2")
        unseen = ((intent.request.strategy, intent.request.cl_ord_id) for intent in self.unseen_intents)
        for strategy, order_id in (*known, *unseen):
            if owner_of(order_id) == strategy:
                highest[strategy] = max(highest.get(strategy, 0), intent_number(order_id))
        return highest

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
        return Recovered(store, tuple(unseen_intents(store, paths)))
    except BaseException:
        store.close()
        raise
