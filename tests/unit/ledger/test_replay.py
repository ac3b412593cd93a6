"""Coming back knows everything the last run knew, in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import pytest

from ibfloor.ledger.journal import JournalWriter
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.replay import recover
from ibfloor.ledger.segment import segments
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import AnyFact, FillsTold, InstrumentDefined, OrderSubmitted
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.money import USD

Journal = Callable[[Iterable[AnyFact]], None]
Story = Callable[[int], list[AnyFact]]
Order = Callable[[int], OrderSubmitted]
SPY = StrategyId("sma-spy")


def test_empty_home_starts_at_one(tmp_path: Path) -> None:
    with recover(tmp_path / "new") as recovered:
        assert recovered.next_seq == 1
        assert list(recovered.facts()) == []
        assert recovered.unseen_intents == ()


def test_facts_come_back_in_order_from_ledger_and_journal_tail(
    paths: LedgerPaths, journal: Journal, facts: Story
) -> None:
    story = facts(30)
    journal(story[:70])
    recover(paths.home).close()
    journal(story[70:])
    with recover(paths.home) as recovered:
        assert list(recovered.facts()) == list(enumerate(story, start=1))
        assert recovered.next_seq == len(story) + 1


def told(number: int) -> FillsTold:
    return FillsTold(ts_event_ns=0, ts_init_ns=0, strategy=SPY, number=number)


def test_what_a_worker_alone_journaled_comes_back(
    paths: LedgerPaths, journal: Journal, facts: Story, order: Order
) -> None:
    journal([*facts(9), told(3)])
    with JournalWriter(paths.worker_journal(SPY)) as worker:
        for fact in (told(2), order(9), told(4), order(11), told(5)):
            worker.append(fact)
    with recover(paths.home) as recovered:
        assert recovered.unseen_intents == (order(11),)
        assert recovered.unseen_notes == (told(4), told(5))


def test_what_an_unseen_order_trades_comes_back_with_it(
    paths: LedgerPaths, journal: Journal, facts: Story, order: Order
) -> None:
    spy = Instrument(instrument_id=InstrumentId(756733), contract=Stock("SPY"), local_symbol="SPY", currency=USD)
    defined = InstrumentDefined(ts_event_ns=0, ts_init_ns=0, instrument=spy)
    journal(facts(9))
    with JournalWriter(paths.worker_journal(SPY)) as worker:
        for fact in (defined, order(9)):
            worker.append(fact)
    with recover(paths.home) as recovered:
        assert recovered.unseen_notes == ()
    with JournalWriter(paths.worker_journal(SPY)) as worker:
        for fact in (defined, order(10), order(11)):
            worker.append(fact)
    with recover(paths.home) as recovered:
        assert recovered.unseen_intents == (order(10), order(11))
        assert recovered.unseen_notes == (defined,)


def test_workers_segment_stays_until_the_facts_know_what_it_tells(
    paths: LedgerPaths, journal: Journal, facts: Story, order: Order
) -> None:
    for fact in (told(4), told(5)):
        with JournalWriter(paths.worker_journal(SPY)) as worker:
            worker.append(fact)
    journal([*facts(9), told(3)])
    with recover(paths.home) as recovered:
        assert recovered.unseen_notes == (told(4), told(5))
    journal([told(4)])
    with recover(paths.home) as recovered:
        assert recovered.unseen_notes == (told(5),)
    assert [path.name for path in segments(paths.worker_journal(SPY))] == ["worker-sma-spy.00000002.journal"]


def test_record_torn_by_the_crash_is_left_out_and_numbers_go_on(
    paths: LedgerPaths, journal: Journal, facts: Story
) -> None:
    journal(facts(2))
    (path,) = segments(paths.facts_journal)
    path.write_bytes(path.read_bytes()[:-3])
    with recover(paths.home) as recovered:
        assert recovered.next_seq == 11
        with JournalWriter(paths.facts_journal) as writer:
            writer.append(facts(2)[-1], recovered.next_seq)
    with recover(paths.home) as recovered:
        assert [fact for _, fact in recovered.facts()] == facts(2)


def test_corrupt_journal_is_refused_at_once(paths: LedgerPaths, journal: Journal, facts: Story) -> None:
    journal(facts(2))
    (path,) = segments(paths.facts_journal)
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="corrupt at offset"):
        recover(paths.home)


@pytest.mark.slow
def test_a_days_ledger_of_50_000_orders_is_back_in_3_seconds(
    paths: LedgerPaths, journal: Journal, order: Order, facts: Story
) -> None:
    life = facts(1)[1:]

    def renamed(number: int) -> Iterable[AnyFact]:
        yield order(number)
        for fact in life[1:4]:
            yield msgspec.structs.replace(fact, cl_ord_id=f"sma-spy:{number}", **_own_exec_id(fact, number))

    journal(fact for number in range(1, 50_001) for fact in renamed(number))
    recover(paths.home).close()  # the ledger's thread folded the day as it went
    begun = time.perf_counter()
    with recover(paths.home) as recovered:
        count = sum(1 for _ in recovered.facts())
    assert count == 200_000
    assert time.perf_counter() - begun < 3


def _own_exec_id(fact: AnyFact, number: int) -> dict[str, str]:
    return {"exec_id": f"e.{number}.01"} if hasattr(fact, "exec_id") else {}
