"""Ten seeds, each run in two processes: a run is its seed, or a failure could not be looked at again."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.sim.campaign.run import run_one

TEN = (
    ("clear", 1),
    ("outage", 2),
    ("auto-restart", 3),
    ("half-open", 4),
    ("no-ack", 5),
    ("status-noise", 6),
    ("corrections", 7),
    ("crash", 8),
    ("crash-after-write+connections-flap", 9),
    ("kill-and-crash", 10),
)


def trace(faults: str, seed: int) -> str:
    """Return the digest of all that the gateway recorded and the floor journaled in a run."""
    return run_one("A", faults, seed).trace


def replays() -> Iterator[tuple[str, int, str, str]]:
    """Yield troubles, seed, and the digests of two runs in two processes."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as one, ProcessPoolExecutor(1, context) as other:
        runs = [(one.submit(trace, *each), other.submit(trace, *each)) for each in TEN]
        for (faults, seed), (first, second) in zip(TEN, runs, strict=True):
            yield faults, seed, first.result(), second.result()
