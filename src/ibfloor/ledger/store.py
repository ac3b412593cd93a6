"""The SQLite ledger: every fact in order, tables to query, and how far the journals are folded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from ibfloor.ledger.rows import QueryTables, owner
from ibfloor.ledger.schema import MIGRATIONS
from ibfloor.ledger.segment import Record
from ibfloor.model.errors import LedgerError
from ibfloor.model.ids import ClientOrderId, StrategyId

_MEMORY = Path("memory")
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class LedgerBusy(LedgerError):
    """Another process holds the database: nothing is lost, try again."""


class JournalMark(NamedTuple):
    """How far a segment is folded: ``segment_id`` tells it from another one of the same name."""

    segment_id: int
    folded_to: int


class LedgerStore:
    """One connection to the ledger: ``with LedgerStore(path) as store``. Owner: the thread that opened it.

    Other processes may read meanwhile (SQLite's WAL). Methods raise ``LedgerBusy`` when one of them
    holds the file for longer than ``busy_s``, else ``LedgerError``.
    """

    def __init__(self, path: Path, *, is_read_only: bool = False, busy_s: float = 2.0) -> None:
        self._path = path
        self._is_read_only = is_read_only
        self._busy_s = busy_s
        self._connection: sqlite3.Connection | None = None
        self._tables: QueryTables

    @classmethod
    def in_memory(cls) -> LedgerStore:
        """Return a ledger that is gone when closed, to make tables again from facts."""
        return cls(_MEMORY)

    def open(self) -> None:
        """Open the file, bringing an older schema up to date; read-only never makes or changes one."""
        with self._errors_named():
            mode = "ro" if self._is_read_only else "memory" if self._path == _MEMORY else "rwc"
            uri = f"{self._path.absolute().as_uri()}?mode={mode}"
            self._connection = sqlite3.connect(uri, uri=True, timeout=self._busy_s, isolation_level=None)
            self._tables = QueryTables(self._connection)
            try:
                self._prepare()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes within the block one: all of them or none."""
        with self._errors_named():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._tables = QueryTables(self._db)
                if self._db.in_transaction:  # SQLite ends it by itself when the disk is full
                    self._db.execute("ROLLBACK")
                raise

    def add(self, records: Iterable[Record]) -> None:
        """Add facts and what follows from them in the query tables."""
        facts = []
        with self._errors_named():
            for record in records:
                fact = record.fact
                strategy, order_id = owner(fact)
                kind = type(fact).__name__
                facts.append((record.seq, fact.ts_event_ns, fact.ts_init_ns, kind, strategy, order_id, record.body))
                self._tables.apply(record.seq, fact, order_id)
            self._tables.flush()
            self._db.executemany("INSERT INTO facts VALUES (?,?,?,?,?,?,?)", facts)

    def last_seq(self) -> int:
        """Return the newest fact's sequence number; 0 for an empty ledger."""
        return int(self._value("SELECT coalesce(max(seq), 0) FROM facts"))

    def has_order(self, order_id: ClientOrderId) -> bool:
        """Tell whether the facts say that an intent was submitted."""
        return bool(self._value("SELECT EXISTS (SELECT 1 FROM orders WHERE cl_ord_id = ?)", order_id))

    def told(self, strategy: StrategyId) -> int:
        """Return up to which of its executions the facts say that a strategy was told; -1 for none."""
        return self._value("SELECT coalesce(max(number), -1) FROM told WHERE strategy = ?", strategy)

    def bodies(self, after_seq: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield sequence number and msgpack of every fact after one, in order."""
        return self.query("SELECT seq, body FROM facts WHERE seq > ? ORDER BY seq", after_seq)

    def mark(self, segment: str) -> JournalMark:
        """Return how far a segment is folded."""
        found = next(self.query("SELECT segment_id, folded_to FROM journal_marks WHERE segment = ?", segment), None)
        return JournalMark(int(found[0]), found[1]) if found else JournalMark(0, 0)

    def set_mark(self, segment: str, mark: JournalMark) -> None:
        """Remember how far a segment is folded; within the transaction that folded it."""
        self.query("INSERT OR REPLACE INTO journal_marks VALUES (?,?,?)", segment, str(mark.segment_id), mark.folded_to)

    def drop_mark(self, segment: str) -> None:
        """Forget a segment that is gone."""
        self.query("DELETE FROM journal_marks WHERE segment = ?", segment)

    def is_on_disk(self) -> bool:
        """Bring what is committed to where a power cut cannot take it; ``False`` while a reader is in the way."""
        busy, pages, done = self.query("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return not busy and pages == done

    def query(self, sql: str, *values: object) -> sqlite3.Cursor:
        """Run one statement and return its rows."""
        with self._errors_named():
            return self._db.execute(sql, values)

    @property
    def _db(self) -> sqlite3.Connection:
        assert self._connection is not None, "the ledger is not open"
        return self._connection

    def _value(self, sql: str, *values: object) -> int:
        row: tuple[int] = self.query(sql, *values).fetchone()
        return row[0]

    def _prepare(self) -> None:
        version = self._value("PRAGMA user_version")
        if version > len(MIGRATIONS):
            raise LedgerError(f"{self._path} was made by a newer ibfloor (schema {version}): use that one")
        if self._is_read_only:
            if version < len(MIGRATIONS):
                raise LedgerError(f"{self._path} has the old schema {version}: start the floor once to bring it up")
            return
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")  # the journal holds what a power cut takes
        for script in MIGRATIONS[version:]:
            version += 1
            self._db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {version}; COMMIT;")

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            kind = LedgerBusy if code in _BUSY else LedgerError
            raise kind(f"the ledger {self._path}: {error}") from error
