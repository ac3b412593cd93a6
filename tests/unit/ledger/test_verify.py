"""The audit finds what is wrong, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from ibfloor.ledger.journal import JournalWriter
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.replay import recover
from ibfloor.ledger.segment import segments
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


def test_home_without_a_ledger_is_refused(paths: LedgerPaths) -> None:
    with pytest.raises(LedgerError, match="unable to open"):
        verify(paths.home)
