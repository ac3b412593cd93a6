"""The kill switch stays latched until a person resets it, and doubt counts as latched."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from ibfloor.ledger.latch import KillLatch, KillLatches, LatchState
from ibfloor.model.errors import LedgerError
from ibfloor.model.kill import ACCOUNT, KillPlace, KillScope


@pytest.fixture
def latch(tmp_path: Path) -> KillLatch:
    return KillLatch(tmp_path / "kill.json")


def test_open_until_latched_and_open_again_after_a_reset(latch: KillLatch) -> None:
    assert latch.state() is None
    state = latch.latch("ann", "too many rejects", ts_ns=5)
    assert latch.state() == state == LatchState(actor="ann", reason="too many rejects", ts_ns=5)
    assert latch.reset() == state
    assert latch.state() is None
    assert latch.reset() is None


def test_first_reason_stands(latch: KillLatch) -> None:
    first = latch.latch("ann", "first")
    assert latch.latch("bob", "second") == first
    assert latch.state() == first


def test_another_object_on_the_same_file_sees_it(latch: KillLatch, tmp_path: Path) -> None:
    latch.latch("ann", "stop")
    assert KillLatch(tmp_path / "kill.json").state() == latch.state()


def test_only_the_owner_may_read_the_file_and_nothing_else_is_left(latch: KillLatch, tmp_path: Path) -> None:
    latch.latch("ann", "stop")
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"\0\0\0", b'{"actor": "ann"', b"[]", b'{"actor": 3, "reason": ""}'])
def test_unreadable_file_counts_as_latched(latch: KillLatch, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "kill.json").write_bytes(content)
    state = latch.state()
    assert state is not None
    assert "cannot be read" in state.reason
    assert latch.latch("ann", "again") == latch.state()
    latch.reset()
    assert latch.state() is None


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_file_is_a_latch_like_any_other_and_named_as_the_reason(
    latch: KillLatch, tmp_path: Path, content: str
) -> None:
    (tmp_path / "kill.json").write_text(content)
    assert latch.state() == LatchState(actor="unknown", reason="file kill.json")
    (tmp_path / "kill-strategy-alpha.json").touch()
    alpha = KillPlace(KillScope.STRATEGY, "alpha")
    assert KillLatches(tmp_path).states()[alpha].reason == "file kill-strategy-alpha.json"


def test_folder_in_place_of_the_file_counts_as_latched(latch: KillLatch, tmp_path: Path) -> None:
    (tmp_path / "kill.json").mkdir()
    assert latch.state() is not None
    with pytest.raises(LedgerError, match="cannot be reset"):
        latch.reset()


def test_latch_makes_the_home_when_there_is_none(tmp_path: Path) -> None:
    KillLatch(tmp_path / "home" / "kill.json").latch("ann", "before the first start")
    assert KillLatch(tmp_path / "home" / "kill.json").state() is not None


def test_latch_that_cannot_be_written_is_an_error_and_leaves_nothing(
    latch: KillLatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LedgerError, match="cannot be written: No space left"):
        latch.latch("ann", "stop")
    assert not list(tmp_path.iterdir())


SPREAD = KillPlace(KillScope.INSTRUMENT, "BRK B/X.Y")


def test_each_switch_has_a_file_of_its_own_and_a_reset_leaves_the_others(tmp_path: Path) -> None:
    latches = KillLatches(tmp_path)
    alpha = KillPlace(KillScope.STRATEGY, "alpha")
    for place in (ACCOUNT, alpha, SPREAD):
        latches.latch(place, "ann", f"of {place}")
    assert set(latches.states()) == {ACCOUNT, alpha, SPREAD}
    assert latches.states()[SPREAD].reason == f"of {SPREAD}"
    latches.reset(alpha)
    assert set(KillLatches(tmp_path).states()) == {ACCOUNT, SPREAD}


@pytest.mark.parametrize(
    "name", ["kill-strategy-alpha.json", "kill-instrument-SPY.json", "kill.json", "kill-what.json"]
)
def test_a_touched_file_is_enough_and_an_unclear_one_stands_for_the_account(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    latches = KillLatches(tmp_path)
    (place,) = latches.states()
    assert place.key == {
        "kill-strategy-alpha.json": "strategy:alpha",
        "kill-instrument-SPY.json": "instrument:SPY",
    }.get(name, "account")
    latches.reset(place)
    assert latches.states() == {}


def test_a_home_that_is_not_there_yet_has_no_switch_and_one_that_cannot_be_read_is_halted(tmp_path: Path) -> None:
    assert KillLatches(tmp_path / "none").states() == {}
    (tmp_path / "file").touch()
    assert set(KillLatches(tmp_path / "file").states()) == {ACCOUNT}
