"""Kill the floor at every named point, with every seed: ``python -m tests.scenarios.crash``.

The last line is JSON: runs, violations, points, seconds to recover. Exit code 1 for any violation.
``--point NAME --seed N`` replays one run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import msgspec
from tests.scenarios.crash.judge import violations
from tests.scenarios.crash.points import CAMPAIGN, POINTS, SLICE, Act, Point
from tests.scenarios.crash.stage import NAMES, Stage, TooLate, Zygote

from ibfloor.ops.heartbeat import FLOOR_FILE, Life, read_beat

REACH_S, READY_S, END_S = 40.0, 40.0, 60.0
FLAT_TRIES = 4
_PRELUDES = ("worker.OrderSubmitted.after_write", "wire.new.after", "queue.OrderFilled.applied")

# A death between a fill's handler and the note that it was handled: that one fill is told once more.
_BETWEEN = ("fill.after_handler", "worker.FillsTold.before", "worker.FillsTold.torn", "worker.segment.")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One kill and what came of it."""

    point: str
    seed: int
    crash_at: str
    violations: list[str]
    recovery_s: float = 0.0
    seconds: float = 0.0


def play(point: Point, seed: int, zygote: Zygote, folder: Path) -> Run:
    """Kill a floor at a point, let another come back, and judge."""
    begun = time.monotonic()
    chance = Random(f"{point.name}/{seed}")
    crash_at = f"{point.name}:{chance.randint(1, point.most)}"
    stage, recovery_s = None, 0.0
    try:
        stage = Stage(folder, zygote, seed)
        _kill_there(stage, point, crash_at, chance)
        recovery_s = _come_back(stage)
        found = violations(
            stage,
            repeats_allowed=point.name.startswith(_BETWEEN),
        )
    except TooLate as late:
        found = [str(late)]
    finally:
        if stage is not None:
            stage.close()
    return Run(
        point=point.name,
        seed=seed,
        crash_at=crash_at,
        violations=found,
        recovery_s=round(recovery_s, 2),
        seconds=round(time.monotonic() - begun, 1),
    )


def _kill_there(stage: Stage, point: Point, crash_at: str, chance: Random) -> None:
    if point.act is Act.RECOVER:
        prelude = "queue.OrderFilled.applied" if point.name == "worker.missed_fill" else chance.choice(_PRELUDES)
        if point.name == "facts.OrderDoubted.before_write" or point.name == "facts.OrderDoubted.after_write":
            prelude = "worker.OrderSubmitted.after_write"
        first = stage.floor(crash_at=f"{prelude}:{chance.randint(2, 5)}")
        stage.ended(first, REACH_S, f"the first floor reaches {prelude}")
    for _ in range(FLAT_TRIES if point.act is Act.FLATTEN else 1):  # there may be nothing to flatten: once more
        ends = stage.orderly_ends()
        floor = stage.floor(policy="flatten" if point.act is Act.FLATTEN else "cancel", crash_at=crash_at)
        if point.act in (Act.STOP, Act.FLATTEN, Act.KILL):
            _trade_then_end(stage, point, floor, chance.randint(10, 30))
        stage.ended(floor, REACH_S, f"the floor reaches {crash_at}")
        if stage.orderly_ends() == ends:
            return
    raise TooLate(f"the floor ended by itself and never reached {crash_at}")


def _trade_then_end(stage: Stage, point: Point, floor: int, acts: int) -> None:
    stage.until(lambda: all(len(stage.notes(name, "act", floor)) >= acts for name in NAMES), REACH_S, "both trade")
    stage.until(lambda: stage.notes("alpha", "fill", floor), REACH_S, "something fills")
    os.kill(floor, signal.SIGUSR1 if point.act is Act.KILL else signal.SIGTERM)


def _come_back(stage: Stage) -> float:
    begun = time.monotonic()
    last = stage.floor()

    def is_latched() -> bool:
        return (stage.home / "kill.json").exists()

    def is_up() -> bool:
        beat = read_beat(stage.home / FLOOR_FILE)
        return beat is not None and (beat.pid, beat.life) == (last, Life.ALIVE)

    def is_back() -> bool:
        return (is_latched() and is_up()) or all(stage.notes(name, "start", last) for name in NAMES)

    stage.until(is_back, READY_S, "both are back")
    if is_latched():  # then no strategy starts: what worked is canceled by the switch itself
        working = ("PendingSubmit", "PreSubmitted", "Submitted")
        stage.until(lambda: not [row for row in stage.book().orders if row.status in working], READY_S, "all canceled")
    recovery_s = time.monotonic() - begun
    if not is_latched():  # it trades on, under ids never used before
        stage.until(lambda: all(len(stage.notes(name, "act", last)) > 3 for name in NAMES), READY_S, "both trade on")
    os.kill(last, signal.SIGTERM)
    stage.ended(last, END_S, "the last floor ends in good order")
    return recovery_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="runs of every point")
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--point", action="append", help="this point alone; may be given again")
    parser.add_argument("--slice", action="store_true", help="the points that run with every change, one seed each")
    parser.add_argument("--campaign", action="store_true", help="the sixty points of a whole campaign")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder to keep the homes of failed runs in")
    asked = parser.parse_args()
    names = SLICE if asked.slice else CAMPAIGN if asked.campaign else asked.point
    points = [point for point in POINTS if names is None or point.name in names]
    if names is not None and len(points) != len(set(names)):
        parser.error(f"no such point: {', '.join(sorted(set(names) - {point.name for point in points}))}")
    seeds = [asked.seed] if asked.seed is not None else [1] if asked.slice else list(range(1, asked.seeds + 1))
    begun = time.monotonic()
    with Zygote() as zygote, ThreadPoolExecutor(asked.jobs) as pool, tempfile.TemporaryDirectory() as scratch:

        def one(task: tuple[Point, int]) -> Run:
            folder = Path(scratch) / f"{task[0].name}-{task[1]}"
            folder.mkdir()
            run = play(*task, zygote, folder)
            print(msgspec.json.encode(run).decode(), flush=True)
            if run.violations and asked.keep is not None:
                shutil.copytree(
                    folder, asked.keep / folder.name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock")
                )
            shutil.rmtree(folder, ignore_errors=True)
            return run

        runs = list(pool.map(one, [(point, seed) for seed in seeds for point in points]))
    times = sorted(run.recovery_s for run in runs if run.recovery_s)
    bad = [run for run in runs if run.violations]
    total = {
        "tier": "D",
        "runs": len(runs),
        "points": len(points),
        "violations": sum(len(run.violations) for run in runs),
        "failed": [f"--point {run.point} --seed {run.seed}" for run in bad],
        "recovery_p50_s": times[len(times) // 2] if times else None,
        "recovery_p99_s": times[min(len(times) - 1, len(times) * 99 // 100)] if times else None,
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(json.dumps(total))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
