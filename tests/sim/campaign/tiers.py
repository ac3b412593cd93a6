"""The tiers of the campaign. Each is a list of jobs for the pool, or runs by itself; all come to a ``TierResult``.

A tier that is added registers itself in ``TIERS`` under its letter: a function of the options that
returns a ``TierResult``. Figures of its own (``mutants``, ``rss_slope_pct_per_h``) go into ``figures``.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import suppress
from itertools import combinations, islice
from typing import TypeVar

import msgspec
from tests.sim.campaign.invariants import Violation
from tests.sim.campaign.late_tiers import fuzzing, mutants, soaking
from tests.sim.campaign.results import Options, TierResult
from tests.sim.campaign.run import Outcome, run_one
from tests.sim.campaign.troubles import SINGLE, WORST

A_SEEDS, B_SEEDS, C_BATCHES, D_SEEDS = 31, 3, 30, 5
SLICE_A_SEEDS, SLICE_B_SEEDS, SLICE_C_BATCHES = 1, 1, 1
SLICE_PAIRS_EVERY = 10
C_RUNS = 10
JOBS_PER_POOL = 400


T = TypeVar("T")
Job = tuple[str, str, int]
"""Tier, troubles, seed."""


def single_faults(options: Options) -> TierResult:
    """Tier A: every trouble alone."""
    seeds = SLICE_A_SEEDS if options.is_slice else A_SEEDS
    jobs = [("A", name, seed) for name in _names(options, SINGLE) for seed in _seeds(options, seeds)]
    return _pooled("A", f"{len(SINGLE)} troubles alone", jobs, options)


def pairs(options: Options) -> TierResult:
    """Tier B: every pair of the twenty worst."""
    found = ["+".join(pair) for pair in combinations(WORST, 2)]
    if options.is_slice:
        found = found[options.first_seed % SLICE_PAIRS_EVERY :: SLICE_PAIRS_EVERY]
    seeds = SLICE_B_SEEDS if options.is_slice else B_SEEDS
    jobs = [("B", name, seed) for name in _names(options, found) for seed in _seeds(options, seeds)]
    return _pooled("B", f"pairs of the {len(WORST)} worst", jobs, options)


def machine(options: Options) -> TierResult:
    """Tier C: hypothesis chooses every step."""
    batches = SLICE_C_BATCHES if options.is_slice else C_BATCHES
    jobs = [("C", "machine", seed) for seed in _seeds(options, batches)]
    return _pooled("C", f"hypothesis, 60 steps, {C_RUNS} runs a seed", jobs, options)


def crashes(options: Options) -> TierResult:
    """Tier D: SIGKILL at every named point of real processes; ``--fault`` is a point then."""
    result = TierResult(tier="D", line="SIGKILL at named points, real processes")
    if options.is_slice:
        asked = ["--slice"]
    else:
        asked = ["--point", options.fault] if options.fault else ["--campaign"]
        asked += ["--seeds", str(D_SEEDS)] if options.seed is None else ["--seed", str(options.seed)]
    began_s = time.monotonic()
    jobs = options.processes * (1 if options.is_slice else 2)  # they wait for each other's answers half the time
    command = [sys.executable, "-m", "tests.scenarios.crash", "--jobs", str(jobs), *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or not done.stdout.strip():
        raise RuntimeError(f"tier D did not run: {done.stderr[-1000:]}")
    *runs, total = [msgspec.json.decode(line) for line in done.stdout.strip().splitlines()]
    result.wall_s = time.monotonic() - began_s
    result.runs, result.violations = total["runs"], total["violations"]
    result.recoveries_s = [run["recovery_s"] for run in runs if run["recovery_s"]]
    for run in runs:
        if run["violations"]:
            told = [f"  {each}" for each in run["violations"][:6]]
            replay = f'make campaign ARGS="--tier D --fault {run["point"]} --seed {run["seed"]}"'
            result.failures.append("\n".join([f"{run['point']} seed {run['seed']}: {replay}", *told]))
            options.say(result.failures[-1])
    return result


TIERS: dict[str, Callable[[Options], TierResult]] = {
    "A": single_faults,
    "B": pairs,
    "C": machine,
    "D": crashes,
    "E": soaking,
    "F": mutants,
    "G": fuzzing,
}
IN_VIRTUAL_TIME = ("A", "B", "C")
"""The tiers in virtual time."""


def run_job(job: Job) -> list[Outcome]:
    """Run one job; in any process."""
    tier, names, seed = job
    if tier == "C":
        from tests.sim.campaign.machine import run_batch  # hypothesis is not needed elsewhere

        return run_batch(seed, C_RUNS)
    return [run_one(tier, names, seed)]


def _names(options: Options, all_of_them: Sequence[str]) -> Sequence[str]:
    return [options.fault] if options.fault else all_of_them


def _seeds(options: Options, count: int) -> Iterator[int]:
    if options.seed is not None:
        return iter((options.seed,))
    return iter(range(options.first_seed, options.first_seed + count))


def _pooled(tier: str, line: str, jobs: list[Job], options: Options) -> TierResult:
    result = TierResult(tier=tier, line=line)
    fired: dict[str, int] = {}
    began_s = time.monotonic()
    for outcomes in _outcomes(jobs, options):
        for outcome in outcomes:
            _take(result, outcome, options)
            fired[outcome.faults] = fired.get(outcome.faults, 0) + outcome.fired
    result.wall_s = time.monotonic() - began_s
    result.idle = sorted(name for name, times in fired.items() if not times and name not in ("machine", "clear"))
    return result


def _outcomes(jobs: list[Job], options: Options) -> Iterator[list[Outcome]]:
    if options.processes <= 1 or len(jobs) == 1:
        yield from map(run_job, jobs)
        return
    # A pool for so many jobs, not for all: a process that has run hundreds has grown. (The pool's own limit of
    # tasks per process can hang in the interpreter's versions we support.)
    for jobs_now in batched(jobs, JOBS_PER_POOL):
        yield from pooled(run_job, jobs_now, options)


def pooled(run: Callable[[Job], list[T]], jobs: Sequence[Job], options: Options) -> Iterator[list[T] | list[Outcome]]:
    """Yield what each job came to, in their order. One whose process dies runs once more, alone; then it has failed."""
    # Spawned, with a fixed hash seed: what iterates over a set of names does so alike in every process.
    os.environ["PYTHONHASHSEED"] = "0"
    left = deque(jobs)
    while left:
        yield from _until_broken(run, left, options.processes)
        if left:  # the first without an outcome may have done it, or the one beside it: then it is the first next time
            job = left[0]
            options.say(f"a process died: {job[1]} seed {job[2]} runs again, alone")
            yield from _until_broken(run, left, processes=1, count=1)
            if left and left[0] is job:
                yield [_died(*left.popleft())]


def _until_broken(
    run: Callable[[Job], list[T]], left: deque[Job], processes: int, count: int | None = None
) -> Iterator[list[T]]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, gc.freeze) as pool, suppress(BrokenExecutor):
        for answer in [pool.submit(run, job) for job in islice(left, count)]:
            outcomes = answer.result()
            left.popleft()
            yield outcomes


def _died(tier: str, names: str, seed: int) -> Outcome:
    why = Violation("I13", "the process of this run died twice, the second time with nothing beside it")
    return Outcome(
        tier=tier, faults=names, seed=seed, violations=(why,), trace="", recovery_s=None, orders=0, fills=0, cpu_s=0.0
    )


def batched(jobs: Sequence[Job], size: int) -> Iterator[Sequence[Job]]:
    """Yield jobs in pieces of a size at most."""
    for start in range(0, len(jobs), size):
        yield jobs[start : start + size]


def _take(result: TierResult, outcome: Outcome, options: Options) -> None:
    result.runs += 1
    result.orders += outcome.orders
    result.fills += outcome.fills
    result.cpu_s += outcome.cpu_s
    if outcome.recovery_s is not None:
        result.recoveries_s.append(outcome.recovery_s)
    if outcome.violations:
        result.violations += len(outcome.violations)
        told = [f"  {each.invariant} {each.text}" for each in outcome.violations[:6]]
        text = "\n".join([f"{outcome.faults} seed {outcome.seed}: {outcome.replay}", *told])
        result.failures.append(text)
        options.say(text)
