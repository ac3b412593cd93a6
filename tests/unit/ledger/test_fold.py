"""Folding takes each fact once, however often it is tried, and loses none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

import pytest

from ibfloor.ledger import fold
from ibfloor.ledger.fold import fold_facts, tidy_workers, unseen_facts
from ibfloor.ledger.journal import JournalWriter
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.schema import MIGRATIONS
from ibfloor.ledger.segment import segments
from ibfloor.ledger.store import JournalMark, LedgerBusy, LedgerStore
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import AnyFact, OrderSubmitted
from ibfloor.model.ids import StrategyId

Journal = Callable[[Iterable[AnyFact]], None]
Story = Callable[[int], list[AnyFact]]
SPY = StrategyId("sma-spy")


@pytest.fixture
def store(paths: LedgerPaths) -> Iterable[LedgerStore]:
    with LedgerStore(paths.database) as store:
        yield store


def rows(store: LedgerStore, sql: str) -> list[tuple[object, ...]]:
    return store.query(sql).fetchall()


def test_order_fill_and_fee_can_be_queried(
    store: LedgerStore, paths: LedgerPaths, journal: Journal, facts: Story
) -> None:
    journal(facts(1))
    assert fold_facts(store, paths, is_live=False) == 6
    assert rows(store, "SELECT cl_ord_id, status, perm_ids, order_qty, cum_qty, avg_px FROM orders") == [
        ("sma-spy:1", "FILLED", "7", "100", "100", "101.24")
    ]
    assert rows(store, "SELECT cl_ord_id, last_qty, last_px, fee, fee_currency FROM fills") == [
        ("sma-spy:1", "100", "101.24", "1.05", "USD")
    ]
    assert rows(store, "SELECT * FROM clients") == [("sma-spy", 10)]
    assert rows(store, "SELECT kind, strategy FROM facts WHERE cl_ord_id = 'sma-spy:1'") == [
        (kind, "sma-spy") for kind in ("OrderSubmitted", "OrderReported", "OrderFilled", "OrderReported")
    ]


def test_corrected_execution_takes_the_place_of_the_first(
    store: LedgerStore, paths: LedgerPaths, journal: Journal, correction: list[AnyFact]
) -> None:
    journal(correction)
    fold_facts(store, paths, is_live=False)
    assert rows(store, "SELECT revision, last_px FROM fills") == [(2, "101.20")]
    assert len(rows(store, "SELECT * FROM executions")) == 2


def test_late_report_does_not_wake_a_finished_order(
    store: LedgerStore, paths: LedgerPaths, journal: Journal, facts: Story
) -> None:
    life = facts(1)
    journal([*life, life[2]])  # "NEW" again, after FILLED
    fold_facts(store, paths, is_live=False)
    assert rows(store, "SELECT status FROM orders") == [("FILLED",)]


def test_order_is_filled_by_its_execution_though_no_report_says_so(
    store: LedgerStore, paths: LedgerPaths, journal: Journal, facts: Story
) -> None:
    journal(facts(1)[:4])
    fold_facts(store, paths, is_live=False)
    assert rows(store, "SELECT status, cum_qty FROM orders") == [("FILLED", "100")]


@pytest.mark.parametrize("batch", [1, 2, 3, 5_000])
def test_order_row_is_the_same_however_its_facts_are_cut_into_transactions(
    paths: LedgerPaths, journal: Journal, correction: list[AnyFact], monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(fold, "BATCH", batch)
    for fact in correction:
        journal([fact])
        with LedgerStore(paths.database) as store:  # a new process each time
            fold_facts(store, paths, is_live=False)
    with LedgerStore(paths.database, is_read_only=True) as store:
        assert rows(store, "SELECT status, cum_qty, avg_px, perm_ids FROM orders") == [("FILLED", "100", "101.20", "7")]


def test_fills_of_an_order_that_no_intent_names_do_not_read_each_other_again(
    store: LedgerStore, paths: LedgerPaths, journal: Journal, fills_of_one: Story
) -> None:
    statements: list[str] = []
    for fill in fills_of_one(50):
        journal([fill])
        store._db.set_trace_callback(statements.append)
        fold_facts(store, paths, is_live=False)
        store._db.set_trace_callback(None)
    read_back = [each for each in statements if each.startswith("SELECT body FROM facts WHERE cl_ord_id")]
    assert len(read_back) == 1
    assert rows(store, "SELECT count(*) FROM fills") == [(50,)]
    assert rows(store, "SELECT * FROM orders") == []


def test_fills_that_came_before_their_intent_are_in_its_row_also_in_the_next_process(
    paths: LedgerPaths, journal: Journal, facts: Story
) -> None:
    submitted, _, filled = facts(1)[1:4]
    for fact in (filled, submitted):
        journal([fact])
        with LedgerStore(paths.database) as store:
            fold_facts(store, paths, is_live=False)
            found = rows(store, "SELECT status, cum_qty FROM orders")
    assert found == [("FILLED", "100")]


def test_orders_are_not_forgotten_within_a_transaction(
    store: LedgerStore, paths: LedgerPaths, journal: Journal, facts: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ibfloor.ledger.rows._ORDERS_KEPT", 4)
    told = facts(10)[1:]
    journal([*told[0::5], *told[1::5], *told[2::5]])  # all are submitted before the first is answered
    fold_facts(store, paths, is_live=False)
    assert rows(store, "SELECT status, perm_ids, count(*) FROM orders GROUP BY 1, 2") == [("FILLED", "7", 10)]


def test_folding_twice_adds_nothing(store: LedgerStore, paths: LedgerPaths, journal: Journal, facts: Story) -> None:
    journal(facts(20))
    assert fold_facts(store, paths, is_live=True) == 101
    before = rows(store, "SELECT * FROM facts")
    assert fold_facts(store, paths, is_live=True) == 0
    assert rows(store, "SELECT * FROM facts") == before


def test_marks_lost_with_the_journal_folded_again_add_nothing(
    store: LedgerStore, paths: LedgerPaths, journal: Journal, facts: Story
) -> None:
    journal(facts(20))
    fold_facts(store, paths, is_live=True)
    store.query("DELETE FROM journal_marks")
    assert fold_facts(store, paths, is_live=True) == 0
    assert store.last_seq() == 101


@pytest.mark.parametrize("at", [0, 37, 99])
@pytest.mark.parametrize("is_same_process", [True, False])
def test_interrupted_fold_goes_on_where_it_was(
    paths: LedgerPaths, journal: Journal, facts: Story, monkeypatch: pytest.MonkeyPatch, at: int, is_same_process: bool
) -> None:
    monkeypatch.setattr(fold, "BATCH", 10)
    journal(facts(20))
    steps = 0
    real = LedgerStore.set_mark

    def interrupted(store: LedgerStore, segment: str, mark: JournalMark) -> None:
        nonlocal steps
        real(store, segment, mark)
        steps += 1
        if steps == at // 10 + 1:
            raise KeyboardInterrupt

    with LedgerStore(paths.database) as store, monkeypatch.context() as patched:
        patched.setattr(LedgerStore, "set_mark", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fold_facts(store, paths, is_live=True)
        assert store.last_seq() == at // 10 * 10
        if is_same_process:
            monkeypatch.undo()
            fold_facts(store, paths, is_live=True)
    with LedgerStore(paths.database) as store:
        fold_facts(store, paths, is_live=True)
        assert [row[0] for row in rows(store, "SELECT seq FROM facts ORDER BY seq")] == list(range(1, 102))
        assert len(rows(store, "SELECT * FROM fills")) == 20
        assert rows(store, "SELECT status, count(*) FROM orders GROUP BY 1") == [("FILLED", 20)]


def test_segments_that_are_folded_and_closed_are_deleted(
    store: LedgerStore, paths: LedgerPaths, journal: Journal, facts: Story
) -> None:
    story = facts(4)
    for start in range(0, len(story), 7):
        journal(story[start : start + 7])
    newest = segments(paths.facts_journal)[-1]
    fold_facts(store, paths, is_live=True)
    assert segments(paths.facts_journal) == [newest]
    assert store.last_seq() == 21
    assert rows(store, "SELECT segment FROM journal_marks") == [(newest.name,)]


def test_missing_fact_is_refused_with_its_number(
    store: LedgerStore, paths: LedgerPaths, order: Callable[[int], OrderSubmitted]
) -> None:
    with JournalWriter(paths.facts_journal) as writer:
        writer.append(order(1), 1)
        writer.append(order(2), 3)
    with pytest.raises(LedgerError, match="fact 3 comes where 2 should"):
        fold_facts(store, paths, is_live=True)
    assert store.last_seq() == 0


def test_journal_made_anew_under_an_old_name_is_folded_from_its_start(
    store: LedgerStore, paths: LedgerPaths, journal: Journal, facts: Story
) -> None:
    story = facts(4)
    journal(story[:15])
    fold_facts(store, paths, is_live=True)
    segments(paths.facts_journal)[0].unlink()
    journal(story[15:])
    assert fold_facts(store, paths, is_live=True) == 6


def test_intents_without_a_fact_are_found(
    store: LedgerStore, paths: LedgerPaths, journal: Journal, order: Callable[[int], OrderSubmitted]
) -> None:
    with JournalWriter(paths.worker_journal(SPY)) as worker:
        for number in (1, 2, 3):
            worker.append(order(number))
    journal([order(1), order(3)])
    fold_facts(store, paths, is_live=False)
    assert unseen_facts(store, paths) == [order(2)]


def test_workers_closed_segment_stays_until_all_its_intents_are_facts(
    store: LedgerStore, paths: LedgerPaths, journal: Journal, order: Callable[[int], OrderSubmitted]
) -> None:
    for number in (1, 2, 3):
        with JournalWriter(paths.worker_journal(SPY)) as worker:
            worker.append(order(number))
    journal([order(1)])
    fold_facts(store, paths, is_live=False)
    assert tidy_workers(store, paths) == 1
    assert unseen_facts(store, paths) == [order(2), order(3)]


def test_busy_database_is_named_busy_and_loses_nothing(paths: LedgerPaths, journal: Journal, facts: Story) -> None:
    journal(facts(2))
    with LedgerStore(paths.database, busy_s=0.01) as store:
        other = sqlite3.connect(paths.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerBusy):
            fold_facts(store, paths, is_live=True)
        other.execute("ROLLBACK")
        other.close()
        assert fold_facts(store, paths, is_live=True) == 11


def test_full_disk_is_told_and_the_fold_goes_on_when_there_is_room(
    store: LedgerStore, paths: LedgerPaths, journal: Journal, facts: Story
) -> None:
    journal(facts(400))
    (pages,) = rows(store, "PRAGMA page_count")[0]
    store.query(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LedgerError, match="full"):
        fold_facts(store, paths, is_live=True)
    assert store.last_seq() == 0
    store.query("PRAGMA max_page_count = 1000000")
    assert fold_facts(store, paths, is_live=True) == 2001


def test_closed_segment_stays_while_a_reader_keeps_its_facts_from_the_disk(
    store: LedgerStore, paths: LedgerPaths, journal: Journal, facts: Story
) -> None:
    story = facts(4)
    journal(story[:10])
    with LedgerStore(paths.database, is_read_only=True) as reader:
        reader.query("BEGIN")
        assert reader.last_seq() == 0
        journal(story[10:])
        assert fold_facts(store, paths, is_live=True) == 21
        assert len(segments(paths.facts_journal)) == 2
    fold_facts(store, paths, is_live=True)
    assert len(segments(paths.facts_journal)) == 1
    assert store.last_seq() == 21


def test_ledger_of_a_newer_version_is_refused(paths: LedgerPaths) -> None:
    with LedgerStore(paths.database) as store:
        store.query(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(LedgerError, match="newer ibfloor"):
        LedgerStore(paths.database).open()


def test_file_that_is_no_database_is_refused_by_name(paths: LedgerPaths) -> None:
    paths.database.write_bytes(b"not SQLite at all" * 100)
    with pytest.raises(LedgerError, match=r"ledger\.sqlite: file is not a database"):
        LedgerStore(paths.database).open()


def test_read_only_never_makes_a_ledger(paths: LedgerPaths) -> None:
    with pytest.raises(LedgerError, match="unable to open"):
        LedgerStore(paths.database, is_read_only=True).open()
    assert not paths.database.exists()
