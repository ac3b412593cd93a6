"""The gate's lock keeps threads out of each other's way, and lets every one of them in."""

from __future__ import annotations

from threading import Thread

import pytest

from ibfloor.manager.gate_lock import GateLock


def test_threads_that_want_it_at_once_go_one_after_the_other() -> None:
    lock, inside, seen = GateLock(), 0, []

    def work() -> None:
        nonlocal inside
        for _ in range(2_000):
            with lock:
                inside += 1
                seen.append(inside)
                inside -= 1

    threads = [Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert seen == [1] * 8_000


def test_who_waits_longer_than_its_tries_gets_it_all_the_same() -> None:
    lock, entered = GateLock(), []

    def wait() -> None:
        with lock:
            entered.append(True)

    with lock:
        waiting = Thread(target=wait)
        waiting.start()
        waiting.join(0.05)  # its tries are over: it queues
        assert waiting.is_alive()
        assert not entered
    waiting.join(60)
    assert entered == [True]


def test_an_error_inside_gives_it_back() -> None:
    lock = GateLock()
    with pytest.raises(RuntimeError), lock:
        raise RuntimeError
    with lock:
        pass
