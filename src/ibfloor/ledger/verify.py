"""The ledger's own audit: every fact there, whole, in order, and tables that follow from them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path

import msgspec

from ibfloor.ledger.fold import BATCH
from ibfloor.ledger.lock import running_pid
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.schema import QUERY_TABLES
from ibfloor.ledger.segment import Record, decode_fact, encode, read_journal, segments
from ibfloor.ledger.store import LedgerStore
from ibfloor.model.entry import BookEntry
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import OrderFilled, OrderSubmitted

_PROBLEMS_MAX = 50


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``verify`` looked at and what is wrong."""

    facts: int
    first_seq: int
    last_seq: int
    journal_records: int
    """Records still in journal segments, of the MessageQueue and of workers."""
    torn_bytes: int
    """Bytes of unfinished records at segments' ends: what a crash cut short, never acknowledged."""
    torn_ends: dict[str, int]
    """The segments that end so, by file name, and how many bytes of each; the one a floor writes to is not judged."""
    replay_hash: str
    """Hash of the tables made again from the facts: one version makes the same of the same facts anywhere."""
    problems: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.problems


def verify(home: Path) -> VerifyReport:
    """Read the whole ledger of a home and report; changes nothing, and a floor may run meanwhile.

    Raises ``LedgerError`` when there is no ledger to read.
    """
    return _Audit(LedgerPaths(home)).report()


class _Audit:
    def __init__(self, paths: LedgerPaths) -> None:
        self._paths = paths
        self._problems: list[str] = []
        self._facts = self._first = self._last = 0
        self._journal_records = 0
        self._torn_ends: dict[str, int] = {}
        self._is_written = running_pid(paths.lock) is not None
        self._orders: set[str] = set()
        self._entries: set[str] = set()
        self._reversed: dict[str, int] = {}
        self._orphans: dict[str, tuple[int, str]] = {}
        """First execution of an order not known yet: the order's own fact may come after it."""

    def report(self) -> VerifyReport:
        with LedgerStore(self._paths.database, is_read_only=True) as store, LedgerStore.in_memory() as again:
            store.query("BEGIN")  # one moment of the database for all that follows
            self._replay(store, again)
            stored, made = _tables_hash(store), _tables_hash(again)
            if stored != made:
                self._complain("the query tables are not what the facts make: other hands or another version did")
            self._compare_journal(store)
        self._read_workers()
        return VerifyReport(
            facts=self._facts,
            first_seq=self._first,
            last_seq=self._last,
            journal_records=self._journal_records,
            torn_bytes=sum(self._torn_ends.values()),
            torn_ends=self._torn_ends,
            replay_hash=made,
            problems=tuple(self._problems[:_PROBLEMS_MAX]),
        )

    def _replay(self, store: LedgerStore, again: LedgerStore) -> None:
        records = self._checked(store)
        while batch := list(islice(records, BATCH)):
            again.add(batch)
        for cl_ord_id, (seq, exec_id) in self._orphans.items():
            if cl_ord_id not in self._orders:
                self._complain(f"fact {seq}: execution {exec_id} is of order {cl_ord_id}, which no fact knows")
        for entry_id, seq in self._reversed.items():
            if entry_id not in self._entries:
                self._complain(f"fact {seq} reverses book entry {entry_id}, which no fact knows")

    def _checked(self, store: LedgerStore) -> Iterator[Record]:
        for seq, body in store.bodies():
            if seq != self._last + 1:
                self._complain(f"facts {self._last + 1} to {seq - 1} are missing")
            self._first, self._last, self._facts = self._first or seq, seq, self._facts + 1
            try:
                fact = decode_fact(body)
            except LedgerError as error:
                self._complain(f"fact {seq}: {error}")
                continue
            if encode(fact) != body:
                self._complain(f"fact {seq} is not what its bytes say when written again")
            if isinstance(fact, OrderSubmitted):
                self._orders.add(fact.request.cl_ord_id)
            elif isinstance(fact, BookEntry):
                self._check_entry(seq, fact)
            elif isinstance(fact, OrderFilled) and fact.cl_ord_id and fact.cl_ord_id not in self._orders:
                self._orphans.setdefault(fact.cl_ord_id, (seq, fact.exec_id))
            yield Record(seq, fact, body, 0)

    def _check_entry(self, seq: int, entry: BookEntry) -> None:
        if entry.entry_id in self._entries:
            self._complain(f"fact {seq}: book entry {entry.entry_id} is there twice")
        self._entries.add(entry.entry_id)
        if entry.reverses in self._reversed:
            self._complain(f"fact {seq}: book entry {entry.reverses} is reversed twice")
        if entry.reverses:
            self._reversed[entry.reverses] = seq

    def _compare_journal(self, store: LedgerStore) -> None:
        newest = self._last
        for record in self._records(self._paths.facts_journal):
            if record.seq > newest + 1:
                self._complain(f"facts {newest + 1} to {record.seq - 1} are missing")
            newest = max(newest, record.seq)
            found = store.query("SELECT body FROM facts WHERE seq = ?", record.seq).fetchone()
            if found is None and record.seq <= self._last:
                self._complain(f"fact {record.seq} is in the journal but not in the ledger")
            elif found is not None and found[0] != record.body:
                self._complain(f"fact {record.seq} differs between journal and ledger")

    def _read_workers(self) -> None:
        for prefix in self._paths.worker_journals():
            for _ in self._records(prefix):
                pass

    def _records(self, prefix: Path) -> Iterator[Record]:
        found = segments(prefix)
        for path in found:
            reader = read_journal(path, is_live=self._is_written and path == found[-1])
            try:
                for record in reader:
                    self._journal_records += 1
                    yield record
            except FileNotFoundError:  # folded and deleted by a running floor since it was listed
                continue
            except LedgerError as error:
                self._complain(str(error))
            if reader.torn_bytes:
                self._torn_ends[path.name] = reader.torn_bytes

    def _complain(self, text: str) -> None:
        self._problems.append(text)


def _tables_hash(store: LedgerStore) -> str:
    digest = sha256()
    for table in QUERY_TABLES:
        for row in store.query(f"SELECT * FROM {table} ORDER BY 1"):  # noqa: S608 - names of our own
            digest.update(repr(row).encode())
    return digest.hexdigest()
