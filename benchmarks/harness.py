"""What every benchmark shares: processes, cores, percentiles, one JSON line."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

_SPAWN = multiprocessing.get_context("spawn")
TRIAL_TIMEOUT_S = 60.0


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def cpu_name() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def pin(core: int | None) -> None:
    """Keep this process on one core, where the system can do that; ``None``: on any."""
    if hasattr(os, "sched_setaffinity") and core is not None and (os.cpu_count() or 1) > core:
        os.sched_setaffinity(0, {core})


class Peer(NamedTuple):
    """A process of ours and the line to it."""

    process: Any
    line: Connection

    def get(self) -> Any:
        if not self.line.poll(TRIAL_TIMEOUT_S):
            raise TimeoutError(f"{self.process.name} did not answer within {TRIAL_TIMEOUT_S:g} s")
        return self.line.recv()


@contextmanager
def process(name: str, main: Callable[..., None], *arguments: Any) -> Any:
    """Run ``main(connection, *arguments)`` in a fresh interpreter; it ends when told ``stop``."""
    ours, theirs = _SPAWN.Pipe()
    child = _SPAWN.Process(target=main, args=(theirs, *arguments), name=name, daemon=True)
    child.start()
    theirs.close()
    try:
        yield Peer(child, ours)
    finally:
        with suppress(OSError):
            ours.send("stop")
        child.join(5)
        if child.is_alive():
            child.kill()
            child.join()
        ours.close()


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a smoke test: small and short")
    parser.add_argument("--rounds", type=int, default=0, help="alternating rounds")
    return parser.parse_args()


def median_of(rounds: Sequence[dict[str, float]], key: str) -> float:
    return statistics.median(figures[key] for figures in rounds)


def report(bench: str, **figures: Any) -> None:
    """Print the one JSON line."""
    line = {"bench": bench, **figures, "python": platform.python_version(), "cpu": f"{os.cpu_count()} x {cpu_name()}"}
    print(json.dumps(line))
