"""The audit finds what is wrong, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from ibfloor.ledger.journal import JournalWriter
from ibfloor.ledger.lock import FloorLock
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.replay import recover
from ibfloor.ledger.segment import read_journal, segments
from ibfloor.ledger.store import LedgerStore
from ibfloor.ledger.verify import VerifyReport, verify
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import AnyFact, OrderSubmitted
from ibfloor.model.ids import StrategyId

Journal = Callable[[Iterable[AnyFact]], None]
Story = Callable[[int], list[AnyFact]]


@pytest.fixture
def sound(paths: LedgerPaths, journal: Journal, facts: Story) -> LedgerPaths:
    journal(facts(5))
    recover(paths.home).close()
    return paths


def harm(paths: LedgerPaths, sql: str) -> VerifyReport:
    with LedgerStore(paths.database) as store:
        store.query(sql)
    return verify(paths.home)


def test_sound_ledger_has_no_problems(sound: LedgerPaths) -> None:
    report = verify(sound.home)
    assert report.is_sound
    assert (report.facts, report.first_seq, report.last_seq, report.journal_records) == (26, 1, 26, 26)


def test_facts_still_in_the_journal_alone_are_no_problem(
    sound: LedgerPaths, journal: Journal, order: Callable[[int], OrderSubmitted]
) -> None:
    journal([order(9)])
    with JournalWriter(sound.worker_journal(StrategyId("s"))) as worker:
        worker.append(order(9))
        assert verify(sound.home).journal_records == 28
    assert verify(sound.home).is_sound


def test_same_facts_give_the_same_hash(sound: LedgerPaths, journal: Journal, facts: Story) -> None:
    before = verify(sound.home).replay_hash
    assert verify(sound.home).replay_hash == before
    journal(facts(6)[26:])
    recover(sound.home).close()
    assert verify(sound.home).replay_hash != before


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("DELETE FROM facts WHERE seq IN (7, 8)", "facts 7 to 8 are missing"),
        ("UPDATE facts SET body = x'c0' WHERE seq = 4", "fact 4: the ledger holds a fact this version cannot read"),
        ("UPDATE fills SET last_px = 1", None),
        ("UPDATE executions SET last_px = '1' WHERE seq = 4", "the query tables are not what the facts make"),
        ("UPDATE orders SET status = 'NEW'", "the query tables are not what the facts make"),
        ("DELETE FROM facts WHERE kind = 'OrderSubmitted'", "is of order sma-spy:1, which no fact knows"),
        ("UPDATE facts SET body = (SELECT body FROM facts WHERE seq = 3) WHERE seq = 8", "fact 8 differs between"),
        ("DELETE FROM facts WHERE seq = 20", "fact 20 is in the journal but not in the ledger"),
    ],
)
def test_harm_is_named(sound: LedgerPaths, sql: str, problem: str | None) -> None:
    if problem is None:  # the view cannot be written at all
        with pytest.raises(LedgerError, match="cannot modify"):
            harm(sound, sql)
        return
    report = harm(sound, sql)
    assert not report.is_sound
    assert any(problem in text for text in report.problems), report.problems


def test_corrupt_journal_is_named_with_file_and_offset(sound: LedgerPaths) -> None:
    (path,) = segments(sound.facts_journal)
    content = bytearray(path.read_bytes())
    content[80] ^= 0xFF
    path.write_bytes(content)
    with JournalWriter(sound.facts_journal):  # the harmed segment is not the newest now, so it is judged
        report = verify(sound.home)
    assert any(f"{path} is corrupt at offset" in text for text in report.problems)


def test_torn_tail_is_told_and_no_problem(sound: LedgerPaths, journal: Journal, facts: Story) -> None:
    journal(facts(6)[26:28])
    path = segments(sound.facts_journal)[-1]
    path.write_bytes(path.read_bytes()[:-2])
    with JournalWriter(sound.facts_journal):
        report = verify(sound.home)
    assert report.is_sound
    assert report.torn_bytes > 0


def cut_end(prefix: Path, facts: Iterable[AnyFact], seq: int = 0) -> Path:
    with JournalWriter(prefix) as writer:
        for place, fact in enumerate(facts):
            writer.append(fact, seq + place if seq else 0)
    path = segments(prefix)[-1]
    path.write_bytes(path.read_bytes()[:-7])
    return path


@pytest.mark.parametrize("is_worker", [True, False])
def test_torn_end_of_the_newest_file_is_counted_too(sound: LedgerPaths, facts: Story, is_worker: bool) -> None:
    prefix = sound.worker_journal(StrategyId("s")) if is_worker else sound.facts_journal
    path = cut_end(prefix, facts(6)[26:28], seq=0 if is_worker else 27)
    report = verify(sound.home)
    assert report.is_sound, report.problems
    assert report.journal_records == 27
    (record,) = read_journal(path)
    assert report.torn_ends == {path.name: path.stat().st_size - record.end}
    assert report.torn_bytes == report.torn_ends[path.name] > 0


@pytest.mark.parametrize("is_worker", [True, False])
def test_bytes_missing_in_the_middle_of_the_newest_file_are_a_problem(
    sound: LedgerPaths, facts: Story, is_worker: bool
) -> None:
    prefix = sound.worker_journal(StrategyId("s")) if is_worker else sound.facts_journal
    path = cut_end(prefix, facts(7)[26:30], seq=0 if is_worker else 27)
    content = path.read_bytes()
    path.write_bytes(content[:60] + content[67:])
    report = verify(sound.home)
    assert any(f"{path} is corrupt at offset" in text for text in report.problems), report.problems


def test_what_a_running_floor_writes_at_the_moment_is_not_judged(sound: LedgerPaths, facts: Story) -> None:
    path = cut_end(sound.facts_journal, facts(6)[26:28], seq=27)
    with FloorLock(sound.lock):
        assert verify(sound.home).torn_ends == {}
    assert list(verify(sound.home).torn_ends) == [path.name]


def test_home_without_a_ledger_is_refused(paths: LedgerPaths) -> None:
    with pytest.raises(LedgerError, match="unable to open"):
        verify(paths.home)
