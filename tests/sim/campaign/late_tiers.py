"""The tiers beside the troubles in virtual time: a soak over TCP, mutants of our own code, fuzzed frames."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from tests.sim.campaign import fuzz, mutation
from tests.sim.campaign.results import Options, TierResult
from tests.sim.campaign.soak.tier import soak

SOAK_S, SOAK_EVERY_S = 600.0, 3.0
SLICE_SOAK_S, SLICE_SOAK_EVERY_S = 14.0, 1.4
SLICE_MUTANTS = ("intent-journaled-late", "1101-taken-for-1102", "fills-told-again")
SURVIVORS_MAX = 1
"""One mutant of all may live; more, and the campaign is blind somewhere."""


def soaking(options: Options) -> TierResult:
    """Tier E: real processes over TCP, twenty blows a minute."""
    for_s, every_s = (SLICE_SOAK_S, SLICE_SOAK_EVERY_S) if options.is_slice else (SOAK_S, SOAK_EVERY_S)
    result = TierResult(tier="E", line=f"a soak of {for_s:.0f} s over TCP, a blow every {every_s:g} s")
    seed = options.first_seed if options.seed is None else options.seed
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        soaked = soak(seed, for_s, every_s, Path(folder))
    result.runs, result.orders, result.fills = 1, soaked.orders, soaked.fills
    result.cpu_s, result.wall_s = soaked.cpu_s, soaked.seconds
    result.recoveries_s = [] if soaked.recovery_s is None else [soaked.recovery_s]
    figures = {
        "blows": float(soaked.blows),
        "rss_mib": soaked.rss_mib,
        "rss_slope_pct_per_h": soaked.rss_slope_pct_per_h,
        "rss_slope_mib_per_h": soaked.rss_slope_mib_per_h,
        "rss_drift_pct_per_h": soaked.rss_drift_pct_per_h,
        "rss_kib_per_order": soaked.rss_kib_per_order,
        "tasks_grown_by": soaked.tasks[1] - soaked.tasks[0],
        "threads_grown_by": soaked.threads[1] - soaked.threads[0],
    }
    result.figures = {name: value for name, value in figures.items() if value is not None}
    _fail(result, f"soak seed {seed}", f"--tier E --seed {seed}", soaked.violations, options)
    return result


def mutants(options: Options) -> TierResult:
    """Tier F: bugs put into a copy of our own source; ``--fault`` is a mutant then."""
    result = TierResult(tier="F", line="mutants of our own code, each to be caught")
    every = {mutant.name: mutant for mutant in mutation.load()}
    wanted = [options.fault] if options.fault else list(SLICE_MUTANTS if options.is_slice else every)
    began_s = time.monotonic()
    caught: list[tuple[str, int]] = []
    survivors = []
    with ThreadPoolExecutor(options.processes) as pool:
        for name, catch in zip(wanted, pool.map(lambda name: mutation.hunt(every[name]), wanted), strict=True):
            if catch is None:
                survivors.append(name)
                options.say(f"  mutant {name} lives: {every[name].line}")
                continue
            options.say(f"  mutant {name} caught by {catch.invariant} ({catch.faults} seed {catch.seed}): {catch.text}")
            result.runs += catch.runs
            if catch.faults and catch.seed:
                caught.append((catch.faults, catch.seed))
    if (found := mutation.is_clean(sorted(set(caught)))) is not None:
        told = [f"{found.invariant} {found.text}"]
        _fail(result, f"no mutant at all, {found.faults} seed {found.seed}", _replay_a(found), told, options)
    if len(survivors) > SURVIVORS_MAX or (options.is_slice and survivors):
        _fail(result, "mutants", "--tier F", [f"{name} lives" for name in survivors], options)
    result.wall_s = time.monotonic() - began_s
    result.figures = {"mutants": float(len(wanted)), "mutants_caught": float(len(wanted) - len(survivors))}
    return result


def fuzzing(options: Options) -> TierResult:
    """Tier G: garbled frames and jumping clocks at our sessions."""
    result = TierResult(tier="G", line="fuzzed frames at the client's side")
    frames = fuzz.SLICE_FRAMES if options.is_slice else fuzz.FRAMES_PER_JOB
    count = 1 if options.is_slice else fuzz.FRAMES // fuzz.FRAMES_PER_JOB
    seeds = [options.seed] if options.seed is not None else list(range(options.first_seed, options.first_seed + count))
    began_s = time.monotonic()
    if len(seeds) == 1 or options.processes <= 1:
        found = [fuzz.fuzz(seed, frames) for seed in seeds]
    else:
        with ProcessPoolExecutor(options.processes, multiprocessing.get_context("spawn")) as pool:
            found = list(pool.map(fuzz.fuzz, seeds, [frames] * len(seeds)))
    for each in found:
        result.runs += each.frames
        result.fills += each.fills
        result.cpu_s += each.cpu_s
        _fail(result, f"fuzz seed {each.seed}", f"--tier G --seed {each.seed}", list(each.violations), options)
    result.wall_s = time.monotonic() - began_s
    result.figures = {"frames": float(result.runs), "doubts": float(sum(each.doubts for each in found))}
    return result


def _replay_a(found: mutation.Catch) -> str:
    return f"--tier A --fault {found.faults} --seed {found.seed}"


def _fail(result: TierResult, what: str, replay: str, told: list[str], options: Options) -> None:
    if not told:
        return
    result.violations += len(told)
    lines = [f'{what}: make campaign ARGS="{replay}"', *(f"  {each[:600]}" for each in told[:6])]
    result.failures.append("\n".join(lines))
    options.say(result.failures[-1])
