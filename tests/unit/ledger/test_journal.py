"""The journal holds what was acknowledged, whatever cut it short."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibfloor.ledger.journal import JournalWriter
from ibfloor.ledger.segment import HEAD_BYTES, Record, read_journal, segments
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import AnyFact, CommandTaken, OrderDoubted, OrderSubmitted, PositionMoved
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.money import USD

APPEND_FOREVER = """
import sys
from pathlib import Path
from ibfloor.ledger.journal import JournalWriter
from ibfloor.model.fact import OrderDoubted
with JournalWriter(Path(sys.argv[1]), segment_bytes=20_000) as writer:
    for number in range(1, 1_000_000):
        writer.append(OrderDoubted(ts_event_ns=number, ts_init_ns=0, cl_ord_id=f"s:{number}", reason="x" * 50), number)
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
"""

texts = st.text(max_size=30)
decimals = st.decimals(allow_nan=False, allow_infinity=False)
times = st.integers(-(2**63), 2**63 - 1)
a_fact = st.one_of(
    st.builds(OrderDoubted, ts_event_ns=times, ts_init_ns=times, cl_ord_id=texts.map(ClientOrderId), reason=texts),
    st.builds(
        PositionMoved,
        ts_event_ns=times,
        ts_init_ns=times,
        strategy=texts.map(StrategyId),
        instrument_id=st.integers(0, 2**40).map(InstrumentId),
        qty=decimals,
        px=decimals,
        currency=st.just(USD),
        multiplier=decimals,
        reason=texts,
    ),
    st.builds(
        CommandTaken, ts_event_ns=times, ts_init_ns=times, command_id=texts, actor=texts, text=texts, outcome=texts
    ),
)


def doubted(number: int) -> OrderDoubted:
    return OrderDoubted(ts_event_ns=number, ts_init_ns=0, cl_ord_id=ClientOrderId(f"s:{number}"), reason="lost")


def read(prefix: Path) -> list[Record]:
    return [record for path in segments(prefix) for record in read_journal(path)]


@settings(max_examples=60, deadline=None)
@given(facts=st.lists(a_fact, max_size=20), segment_bytes=st.integers(64, 2000))
def test_what_goes_in_comes_out(
    tmp_path_factory: pytest.TempPathFactory, facts: list[AnyFact], segment_bytes: int
) -> None:
    prefix = tmp_path_factory.mktemp("journal") / "facts"
    with JournalWriter(prefix, segment_bytes=segment_bytes) as writer:
        for seq, fact in enumerate(facts, start=1):
            writer.append(fact, seq)
    assert [(record.seq, record.fact) for record in read(prefix)] == list(enumerate(facts, start=1))


@pytest.mark.parametrize("acknowledged", [1, 300, 2_000])
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", APPEND_FOREVER, str(tmp_path / "facts")], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            if int(line) >= acknowledged:
                break
        child.send_signal(signal.SIGKILL)
        told = [acknowledged, *(int(line) for line in child.stdout if line.endswith("\n"))]
    child.wait()
    found = [record.seq for record in read(tmp_path / "facts")]
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= told[-1]


def test_reader_stops_at_a_record_torn_at_any_byte(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "facts") as writer:
        writer.append(doubted(1), 1)
        writer.append(doubted(2), 2)
    (path,) = segments(tmp_path / "facts")
    whole = path.read_bytes()
    first_end = next(iter(read_journal(path))).end
    for cut in range(first_end, len(whole)):
        for tail in (b"", bytes(500)):  # a file that ends there, and a preallocated one
            path.write_bytes(whole[:cut] + tail)
            reader = read_journal(path)
            assert [record.seq for record in reader] == [1]
            assert reader.position == first_end
            torn = whole[first_end:cut].rstrip(b"\0")
            assert reader.torn_bytes == len(torn)


def test_bad_byte_anywhere_before_the_last_record_is_refused_with_file_and_offset(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "facts") as writer:
        for number in (1, 2, 3):
            writer.append(doubted(number), number)
    (path,) = segments(tmp_path / "facts")
    whole = path.read_bytes()
    ends = [record.end for record in read_journal(path)]
    for offset in range(ends[0], ends[1]):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x55]) + whole[offset + 1 :])
        with pytest.raises(LedgerError, match=rf"{path.name} is corrupt at offset {ends[0]}"):
            list(read_journal(path))


def test_hole_of_zeros_before_good_records_is_refused(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "facts") as writer:
        for number in (1, 2, 3):
            writer.append(doubted(number), number)
    (path,) = segments(tmp_path / "facts")
    whole = path.read_bytes()
    ends = [record.end for record in read_journal(path)]
    path.write_bytes(whole[: ends[0]] + bytes(ends[1] - ends[0]) + whole[ends[1] :])
    with pytest.raises(LedgerError, match="corrupt"):
        list(read_journal(path))


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "facts.00000001.journal"
    path.write_bytes(b"PAR1 is not a journal")
    with pytest.raises(LedgerError, match="not a journal segment"):
        list(read_journal(path))


def test_new_writer_never_appends_to_an_older_segment(tmp_path: Path) -> None:
    for number in (1, 2):
        with JournalWriter(tmp_path / "facts") as writer:
            writer.append(doubted(number), number)
    assert [path.name for path in segments(tmp_path / "facts")] == ["facts.00000001.journal", "facts.00000002.journal"]
    assert [record.seq for record in read(tmp_path / "facts")] == [1, 2]


def test_journal_whose_name_starts_with_another_ones_is_not_mixed_up(tmp_path: Path) -> None:
    for name, number in (("worker-a", 1), ("worker-a-b", 2)):
        with JournalWriter(tmp_path / name) as writer:
            writer.append(doubted(number), number)
    assert [record.seq for record in read(tmp_path / "worker-a")] == [1]


def test_records_of_a_live_segment_are_read_while_it_grows(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "facts") as writer:
        position = 0
        for number in (1, 2, 3):
            writer.append(doubted(number), number)
            reader = read_journal(writer.path, position, is_live=True)
            assert [record.seq for record in reader] == [number]
            position = reader.position


def test_short_write_refuses_the_record_and_starts_a_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with JournalWriter(tmp_path / "facts") as writer:
        writer.append(doubted(1), 1)
        real = os.pwrite
        with monkeypatch.context() as patched:
            patched.setattr(
                os, "pwrite", lambda fd, data, at: real(fd, data[:9] if len(data) > HEAD_BYTES else data, at)
            )
            with pytest.raises(LedgerError, match="9 of"):
                writer.append(doubted(2), 2)
        writer.append(doubted(3), 3)
    assert [record.seq for record in read(tmp_path / "facts")] == [1, 3]
    assert len(segments(tmp_path / "facts")) == 2


def test_full_disk_refuses_every_record_until_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with JournalWriter(tmp_path / "facts") as writer:
        with monkeypatch.context() as patched:
            patched.setattr(os, "pwrite", full)
            patched.setattr(os, "posix_fallocate", full)
            for number in (1, 2):
                with pytest.raises(LedgerError, match="No space left"):
                    writer.append(doubted(number), number)
        writer.append(doubted(3), 3)
    assert [record.seq for record in read(tmp_path / "facts")] == [3]
    assert len(segments(tmp_path / "facts")) == 2  # no empty ones left by the attempts


def test_power_durability_syncs_every_append(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    with JournalWriter(tmp_path / "facts", "power") as writer:
        writer.append(doubted(1), 1)
        writer.append(doubted(2), 2)
    assert len(synced) == 2


def test_intent_in_the_journal_is_the_intent_that_was_asked(
    tmp_path: Path, order: Callable[[int], OrderSubmitted]
) -> None:
    with JournalWriter(tmp_path / "worker-sma-spy") as writer:
        writer.append(order(1))
        (record,) = read_journal(writer.path, is_live=True)
    assert (record.seq, record.fact) == (0, order(1))
    assert order(1).request.limit_px == Decimal("101.25")
