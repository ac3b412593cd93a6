"""The ledger's thread folds soon, at the end at the latest, and tells of trouble once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from ibfloor.ledger.folder import LedgerThread
from ibfloor.ledger.journal import JournalWriter
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.replay import recover
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import AnyFact, OrderSubmitted

Story = Callable[[int], list[AnyFact]]
Order = Callable[[int], OrderSubmitted]

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the ledger's thread tells nobody when it has folded
            await asyncio.sleep(0.01)


@asynccontextmanager
async def folding(paths: LedgerPaths, interval_s: float) -> AsyncIterator[tuple[LedgerThread, list[LedgerError]]]:
    errors: list[LedgerError] = []
    async with LedgerThread(paths, errors.append, interval_s=interval_s) as thread:
        yield thread, errors


async def test_facts_are_folded_after_notify(paths: LedgerPaths, facts: Story) -> None:
    async with folding(paths, interval_s=60) as (thread, errors):
        with JournalWriter(paths.facts_journal) as writer:
            for seq, fact in enumerate(facts(40), start=1):
                writer.append(fact, seq)
                thread.notify()
            await until(lambda: thread.folded_seq == 201)
    assert not errors


async def test_facts_are_folded_without_notify(paths: LedgerPaths, order: Order) -> None:
    async with folding(paths, interval_s=0.02) as (thread, _):
        with JournalWriter(paths.facts_journal) as writer:
            writer.append(order(1), 1)
            await until(lambda: thread.folded_seq == 1)


async def test_stop_folds_what_is_left(paths: LedgerPaths, order: Order) -> None:
    with JournalWriter(paths.facts_journal) as writer:
        async with folding(paths, interval_s=60):
            writer.append(order(1), 1)
    with recover(paths.home) as recovered:
        assert recovered.next_seq == 2


async def test_busy_database_is_tried_again_in_silence(paths: LedgerPaths, order: Order) -> None:
    async with folding(paths, interval_s=0.02) as (thread, errors):
        other = sqlite3.connect(paths.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with JournalWriter(paths.facts_journal) as writer:
            writer.append(order(1), 1)
            thread.notify()
            await asyncio.sleep(0)
            assert thread.folded_seq == 0
            other.execute("ROLLBACK")
            other.close()
            await until(lambda: thread.folded_seq == 1)
    assert not errors


async def test_missing_fact_is_told_once(paths: LedgerPaths, order: Order) -> None:
    async with folding(paths, interval_s=0.02) as (thread, errors):
        with JournalWriter(paths.facts_journal) as writer:
            writer.append(order(1), 1)
            writer.append(order(2), 3)
            await until(lambda: errors)
            thread.notify()
    assert len(errors) == 1
    assert "facts are missing" in str(errors[0])


async def test_start_fails_where_the_ledger_cannot_be_opened(paths: LedgerPaths) -> None:
    paths.database.write_bytes(b"not SQLite at all" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        async with folding(paths, interval_s=1):
            pass


async def test_trouble_that_passes_is_over_without_a_restart(paths: LedgerPaths, order: Order) -> None:
    written = []
    for seq in (1, 2):
        with JournalWriter(paths.facts_journal) as writer:
            writer.append(order(seq), seq)
            written.append(writer.path)
    away = written[0].with_suffix(".away")
    written[0].rename(away)
    async with folding(paths, interval_s=0.02) as (thread, errors):
        await until(lambda: thread.trouble)
        assert len(errors) == 1
        away.rename(written[0])
        await until(lambda: not thread.trouble)
        assert thread.folded_seq == 2
