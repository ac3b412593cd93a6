"""Tier E: minutes of trading between real processes over TCP, with something wrong all the time, then a reckoning.

``python -m tests.sim.campaign.soak.tier --for 25 --every 1.5 --keep FOLDER`` soaks once, and prints what came of it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
from tests.sim.campaign.soak.judge import complaints, judge
from tests.sim.campaign.soak.stage import SPEED, STRATEGIES, Stage, TooLate
from tests.sim.campaign.soak.weather import Blow, weather

SAMPLE_S = 2.5
WARM_UP_SHARE = 0.25
SLOPE_FROM_S = 120.0
"""A shorter soak says nothing about growth."""
RECOVER_S = 45.0
GROWTH_MAX = 4
"""So many more tasks or threads, half against half, are chance; more of them are a leak."""


class Sample(msgspec.Struct, frozen=True):
    """The floor at one moment."""

    at_s: float
    rss_mib: float
    orders: int
    fills: int


class Soaked(msgspec.Struct, kw_only=True):
    """What came of a soak."""

    violations: list[str] = []
    blows: int = 0
    kinds: int = 0
    orders: int = 0
    fills: int = 0
    recovery_s: float | None = None
    cpu_s: float = 0.0
    seconds: float = 0.0
    rss_mib: float = 0.0
    """At the end."""
    rss_slope_pct_per_h: float | None = None
    rss_slope_mib_per_h: float | None = None
    rss_kib_per_order: float | None = None
    """What the floor remembers of an order, with its fills."""
    rss_drift_pct_per_h: float | None = None
    """The slope between moments between which no order came."""
    tasks: tuple[float, float] = (0.0, 0.0)
    """Medians of the first and of the last third."""
    threads: tuple[float, float] = (0.0, 0.0)


def soak(seed: int, for_s: float, every_s: float, folder: Path) -> Soaked:
    """Soak a floor once."""
    result = Soaked()
    with Stage(folder, seed) as stage:
        floor = stage.start_floor()
        began_s = time.monotonic()
        try:
            stage.until(lambda: _is_well(stage), 60.0, "the floor is up")
            samples = _under_blows(stage, seed, for_s, every_s, result)
            healed_s = time.monotonic()
            stage.until(lambda: _is_well(stage), RECOVER_S, "all is well again after the last blow")
            result.recovery_s = round(time.monotonic() - healed_s, 2)
            result.rss_mib = round(stage.rss_mib(), 1)
            killed = stage.cli("kill", "the soak is over")
            if killed.returncode:
                result.violations.append(f"I15 kill: {killed.stdout}{killed.stderr}"[:500])
            result.cpu_s = round(stage.cpu_s(), 1)
            floor.send_signal(signal.SIGTERM)
            out, _ = floor.communicate(timeout=60)
            report = stage.book()
            result.orders, result.fills = len(report.orders), len(report.executions)
            if floor.returncode:
                result.violations.append(f"I13 the floor ended with {floor.returncode}: {stage.words()[-500:]}")
            result.violations += [f"{name} {text}" for name, text in judge(stage, report, _summary(out))]
            _grown(stage, result, for_s)
            _fit(samples, for_s, result)
        except TooLate as late:
            result.violations.append(f"I12 {late}")
            result.violations += [f"I13 {text}" for text in complaints(stage)]
        result.seconds = round(time.monotonic() - began_s, 1)
    return result


def _summary(out: bytes) -> dict[str, Any]:
    lines = [line for line in out.decode().splitlines() if line.startswith("{")]
    return dict(json.loads(lines[-1])) if lines else {}


def _is_well(stage: Stage) -> bool:
    row = stage.view("floor").get("floor", {})
    sessions = stage.view("sessions").values()
    return bool(
        row.get("gate_open")
        and row.get("strategies_running") == STRATEGIES
        and not row.get("orders_unknown")
        and not row.get("breaks")
        and len(sessions) >= STRATEGIES + 2
        and all(each.get("state") == "CONNECTED" for each in sessions)
    )


def _under_blows(stage: Stage, seed: int, for_s: float, every_s: float, result: Soaked) -> list[Sample]:
    coming = list(weather(seed, for_s, every_s, SPEED))
    result.kinds = len({blow.kind.name for blow in coming})
    standing: list[tuple[int, Blow]] = []
    samples: list[Sample] = []
    began_s, sampled_s, number = time.monotonic(), 0.0, 0
    while (now_s := time.monotonic() - began_s) < for_s or standing:
        for n, blow in [each for each in standing if each[1].until_s <= now_s]:
            stage.mend(blow, n)
            standing.remove((n, blow))
        is_still = any(blow.kind.freezes for _, blow in standing)
        if not is_still and coming and coming[0].at_s <= now_s < for_s:
            blow, number = coming.pop(0), number + 1
            if stage.strike(blow, number):
                result.blows += 1
                lasts_s = blow.until_s - blow.at_s
                standing.append((number, msgspec.structs.replace(blow, until_s=now_s + lasts_s)))
        elif now_s - sampled_s > SAMPLE_S and not is_still:
            sampled_s = now_s
            if row := stage.view("floor").get("floor"):
                samples.append(Sample(now_s, stage.rss_mib(), row["orders_total"], row["fills"]))
        time.sleep(0.02)
    return samples


def _grown(stage: Stage, result: Soaked, for_s: float) -> None:
    rows = [json.loads(line) for line in stage.counts.read_text().splitlines() if line.endswith("}")]
    rows = rows[len(rows) // 6 : -3]  # neither its start nor its end
    for what in ("tasks", "threads"):
        values = [row[what] for row in rows]
        if len(values) < 6:
            continue
        third = len(values) // 3
        first, last = statistics.median(values[:third]), statistics.median(values[-third:])
        setattr(result, what, (first, last))
        if for_s >= SLOPE_FROM_S and last > first + GROWTH_MAX:
            result.violations.append(f"I13 {what} grew from {first:g} to {last:g}")


def _fit(samples: list[Sample], for_s: float, result: Soaked) -> None:
    import numpy as np

    warm = [each for each in samples if each.at_s > for_s * WARM_UP_SHARE]
    if for_s < SLOPE_FROM_S or len(warm) < 20:
        return
    at_h = np.array([each.at_s for each in warm]) / 3600
    rss = np.array([each.rss_mib for each in warm])
    orders = np.array([each.orders for each in warm], float)
    level = float(np.median(rss))
    slope = _median_slope(at_h, rss, np.ones(len(warm), bool))
    result.rss_slope_mib_per_h = round(slope, 2)
    result.rss_slope_pct_per_h = round(100 * slope / level, 2)
    # They trade and rest in turn: between two moments of a rest no order has come, and only time has passed.
    drift = _median_slope(at_h, rss, orders)
    result.rss_drift_pct_per_h = round(100 * drift / level, 2)
    if grown := orders[-1] - orders[0]:
        for_time = drift * (at_h[-1] - at_h[0])
        result.rss_kib_per_order = round(1024 * float(rss[-1] - rss[0] - for_time) / float(grown), 2)


def _median_slope(xs: Any, ys: Any, groups: Any) -> float:
    # The median over all pairs of one group: a step here or there does not move it.
    import numpy as np

    first, second = np.triu_indices(len(xs), 1)
    pairs = groups[first] == groups[second]
    slopes = ((ys[second] - ys[first]) / (xs[second] - xs[first]))[pairs]
    return float(np.median(slopes)) if len(slopes) else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--for", dest="for_s", type=float, default=600.0)
    parser.add_argument("--every", dest="every_s", type=float, default=3.0, help="seconds between blows")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder to keep homes and logs in")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        result = soak(asked.seed, asked.for_s, asked.every_s, folder)
        print(msgspec.json.format(msgspec.json.encode(result)).decode())
    finally:
        if asked.keep:
            shutil.copytree(folder, asked.keep, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if result.violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
