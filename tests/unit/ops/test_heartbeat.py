"""Silence and death are told apart: a pause of the listener, a goodbye and a slow start are no death."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ibfloor.ops.heartbeat import Beat, Heartbeat, Life, Listener, read_beat

NOBODY = 2**22 + 1  # above the largest process id there is


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "floor.beat"


@pytest.fixture
def heart(path: Path) -> Iterator[Heartbeat]:
    with Heartbeat(path) as heartbeat:
        yield heartbeat


def listener(path: Path, **how: object) -> Listener:
    return Listener(path, dead_after_s=3.0, start_within_s=10.0, **how)  # type: ignore[arg-type]


def silent_until_dead(ears: Listener, from_s: float, limit_s: float = 60.0) -> float | None:
    now_s = from_s
    while now_s < from_s + limit_s:
        now_s += 0.2
        if ears.look(now_s):
            return now_s - from_s
    return None


def test_who_beat_and_falls_silent_is_dead_after_the_given_time(path: Path, heart: Heartbeat) -> None:
    ears = listener(path)
    heart.beat()
    assert not ears.look(0.0)
    heart.beat()
    assert not ears.look(0.2)
    assert silent_until_dead(ears, 0.2) == pytest.approx(3.2, abs=0.3)
    ears.forget()
    assert silent_until_dead(ears, 10.0) is None, "one death is one alarm"
    heart.beat()
    assert not ears.look(100.0)
    assert silent_until_dead(ears, 100.0) is not None, "a new life may die too"


def test_a_goodbye_makes_silence_mean_nothing(path: Path, heart: Heartbeat) -> None:
    ears = listener(path)
    for now_s in (0.0, 0.2, 0.4):
        heart.beat()
        ears.look(now_s)
    heart.goodbye()
    assert silent_until_dead(ears, 0.4) is None


def test_a_pause_of_the_listener_is_no_silence_of_the_other(path: Path, heart: Heartbeat) -> None:
    ears = listener(path)
    for now_s in (0.0, 0.2):
        heart.beat()
        ears.look(now_s)
    assert not ears.look(8 * 3600.0), "the machine slept, and both with it"
    heart.beat()
    assert not ears.look(8 * 3600.2)


def test_a_listener_that_comes_after_the_death_does_not_act_unless_it_was_started_by_who_died(
    path: Path, heart: Heartbeat
) -> None:
    heart.beat()
    assert silent_until_dead(listener(path), 0.0) is None
    assert silent_until_dead(listener(path, trusts_first=True), 0.0) is not None


def test_a_start_after_a_death_is_given_more_time_and_a_process_that_is_gone_is_not(
    path: Path, heart: Heartbeat
) -> None:
    ears = listener(path)
    for now_s in (0.0, 0.2):
        heart.beat()
        ears.look(now_s)
    heart.begin()  # another floor takes over: the one before said no goodbye
    beat = read_beat(path)
    assert beat is not None
    assert (beat.life, beat.is_left_alone) == (Life.STARTING, True)
    died_s = silent_until_dead(ears, 0.2)
    assert died_s == pytest.approx(10.2, abs=0.4)

    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(beat, pid=NOBODY)))
    assert silent_until_dead(listener(path), 0.0) == pytest.approx(3.2, abs=0.3)


def test_a_start_after_a_goodbye_may_fail_without_an_alarm(path: Path, heart: Heartbeat) -> None:
    heart.beat()
    heart.goodbye()
    heart.begin()
    ears = listener(path)
    assert silent_until_dead(ears, 0.0) is None
    heart.give_up()
    assert read_beat(path) == Beat(pid=read_beat(path).pid, life=Life.GONE)  # type: ignore[union-attr]


def test_a_failed_start_does_not_hide_that_an_earlier_floor_left_its_orders_alone(path: Path, heart: Heartbeat) -> None:
    heart.beat()
    with Heartbeat(path) as second:
        second.begin()
        second.give_up()
    assert silent_until_dead(listener(path), 0.0) is not None


def test_a_beat_that_is_torn_or_absent_changes_nothing(path: Path, heart: Heartbeat) -> None:
    ears = listener(path)
    for now_s in (0.0, 0.2):
        heart.beat()
        ears.look(now_s)
    path.write_bytes(b'{"pid": 1')
    assert read_beat(path) is None
    assert not ears.look(0.4)
    assert ears.is_watched
