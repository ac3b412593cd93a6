"""``make campaign``: run tiers, say what each came to, and end with one line of JSON."""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import msgspec
from tests.sim.campaign.mutation import load
from tests.sim.campaign.replays import replays
from tests.sim.campaign.results import Options, TierResult
from tests.sim.campaign.tiers import TIERS
from tests.sim.campaign.troubles import TROUBLES

from ibfloor.manager.lag import percentile

SOAK = "E"


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign; 1 when an invariant did not hold."""
    options = _parser().parse_args(arguments)
    if options.list:
        for trouble in TROUBLES.values():
            print(f"{trouble.name:20} {trouble.line}")
        for mutant in load():
            print(f"mutant {mutant.name:29} {mutant.line}")
        return 0
    _fix_hashes()
    if options.replays:
        return _show_replays()
    chosen = options.tier.upper().split(",") if options.tier else list(TIERS)
    wanted = Options(
        is_slice=options.slice,
        fault=options.fault,
        seed=options.seed,
        first_seed=options.first_seed,
        processes=options.processes,
    )
    if unknown := [name for name in chosen if name not in TIERS]:
        print(f"there is no tier {unknown[0]}: {', '.join(TIERS)}", file=sys.stderr)
        return 2
    results = {}
    with ThreadPoolExecutor(1) as beside:
        # The soak waits more than it works: minutes beside the tiers in virtual time, not after them.
        is_whole = len(chosen) > 1 and not options.slice
        running = {name: beside.submit(TIERS[name], wanted) for name in chosen if name == SOAK and is_whole}
        for name in chosen:
            results[name] = running[name].result() if name in running else TIERS[name](wanted)
            print(_line(results[name]), flush=True)
    print(summary(results))
    return 1 if any(result.violations for result in results.values()) else 0


def summary(results: dict[str, TierResult]) -> str:
    """Return the last line: one JSON object with the figures."""
    recoveries = [took_s for result in results.values() for took_s in result.recoveries_s]
    figures = {name: value for result in results.values() for name, value in result.figures.items()}
    tiers = {name: _row(results[name]) for name in results}
    for name in sorted(TIERS.keys() - results.keys()):
        tiers[name] = {"ran": False, "why": "not chosen"}
    document = {
        "violations": sum(result.violations for result in results.values()),
        "mutants_caught": _whole(figures.get("mutants_caught")),
        "mutants": _whole(figures.get("mutants")),
        "recovery_p50_s": _rounded(recoveries, 0.5),
        "recovery_p99_s": _rounded(recoveries, 0.99),
        "rss_slope_pct_per_h": figures.get("rss_slope_pct_per_h"),
        "tiers": tiers,
    }
    return msgspec.json.encode(document).decode()


def _show_replays() -> int:
    differ = 0
    for faults, seed, first, second in replays():
        differ += first != second
        print(f"{faults} seed {seed}: {first} {'again' if first == second else f'and then {second}'}", flush=True)
    return 1 if differ else 0


def _row(result: TierResult) -> dict[str, object]:
    return {
        "ran": True,
        "what": result.line,
        "runs": result.runs,
        "violations": result.violations,
        "orders": result.orders,
        "fills": result.fills,
        "idle": result.idle,
        "cpu_s": round(result.cpu_s, 1),
        "seconds": round(result.wall_s, 1),
        **result.figures,
    }


def _line(result: TierResult) -> str:
    each_s = result.cpu_s / max(result.runs, 1)
    idle = f"; never happened: {', '.join(result.idle)}" if result.idle else ""
    return (
        f"tier {result.tier}: {result.line}: {result.runs} runs, {result.violations} violations, "
        f"{result.orders} orders, {result.fills} fills, {each_s:.2f} core-s a run, {result.wall_s:.0f} s{idle}"
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _rounded(values: list[float], share: float) -> float | None:
    return round(percentile(values, share), 2) if values else None


def _fix_hashes() -> None:
    if os.environ.get("PYTHONHASHSEED") != "0":  # a replay must walk through sets as the run did
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.sim.campaign", *sys.argv[1:]])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make campaign", description="Put the floor through faults, from seeds.")
    parser.add_argument("--slice", action="store_true", help="a minute's worth of every tier: what CI runs")
    parser.add_argument("--tier", default="", help="tiers to run, with commas between; all by default")
    parser.add_argument(
        "--fault", default="", help="one trouble alone, or two with a plus sign between (B); a point (D), a mutant (F)"
    )
    parser.add_argument("--seed", type=int, default=None, help="one seed alone")
    parser.add_argument("--first-seed", type=int, default=1, help="count seeds from here")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--replays", action="store_true", help="run ten seeds twice, and compare")
    parser.add_argument("--list", action="store_true", help="list troubles and mutants")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
