"""The ledger's thread: it folds the journals into SQLite, away from everything that trades."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Thread
from types import TracebackType
from typing import Self

from ibfloor.ledger.fold import fold_facts, tidy_workers
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.store import LedgerBusy, LedgerStore
from ibfloor.model.errors import LedgerError

_REST_S = 0.05  # between two folds: many facts, few transactions


class LedgerThread:
    """Fold new facts soon after ``notify`` and at least every ``interval_s`` (wall seconds).

    ``async with`` starts and stops it; stopping folds what is left. The thread owns the only writing
    connection. A busy database is tried again; any other failure is told to ``on_error`` on this thread
    and tried again as well: the facts are safe in the journal meanwhile.
    """

    def __init__(
        self,
        paths: LedgerPaths,
        on_error: Callable[[LedgerError], None],
        *,
        interval_s: float = 0.5,
        tidy_s: float = 5.0,
    ) -> None:
        self._paths = paths
        self._on_error = on_error
        self._interval_s = interval_s
        self._tidy_s = tidy_s
        self._wake = Event()
        self._is_stopping = Event()
        self._folded_seq = 0
        self._troubles: dict[str, str] = {}
        self._opened: Future[None] = Future()
        self._thread = Thread(target=self._run, name="ledger")

    @property
    def folded_seq(self) -> int:
        """Return the newest fact in SQLite; any thread may ask."""
        return self._folded_seq

    @property
    def trouble(self) -> str:
        """Return what the thread cannot do now, empty when all is well; any thread may ask."""
        return "; ".join(self._troubles.copy().values())

    def notify(self) -> None:
        """Say that there is something to fold; any thread may, it never blocks."""
        self._wake.set()

    async def __aenter__(self) -> Self:
        self._thread.start()
        await asyncio.wrap_future(self._opened)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_stopping.set()
        self._wake.set()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        try:
            store = LedgerStore(self._paths.database)
            store.open()
        except LedgerError as error:
            self._opened.set_exception(error)
            return
        self._opened.set_result(None)
        with store:
            self._fold_until_stopped(store)

    def _fold_until_stopped(self, store: LedgerStore) -> None:
        tidied_s = time.monotonic()
        while not self._is_stopping.wait(_REST_S):
            self._wake.wait(self._interval_s)
            self._wake.clear()
            self._try("fold", lambda: self._fold(store))
            if time.monotonic() - tidied_s > self._tidy_s:
                self._try("tidy", lambda: tidy_workers(store, self._paths))
                tidied_s = time.monotonic()
        self._try("fold", lambda: self._fold(store))

    def _fold(self, store: LedgerStore) -> None:
        fold_facts(store, self._paths, is_live=True)
        self._folded_seq = store.last_seq()

    def _try(self, name: str, step: Callable[[], object]) -> None:
        try:
            step()
            self._troubles.pop(name, None)
        except LedgerBusy:
            self._wake.set()
        except (LedgerError, OSError) as error:
            if str(error) != self._troubles.get(name):  # told once, not twice a second
                self._troubles[name] = str(error)
                self._on_error(error if isinstance(error, LedgerError) else LedgerError(f"the journal: {error}"))
