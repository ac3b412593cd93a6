"""Tier F: put a bug into a copy of our own source, and see whether the campaign finds it.

``python -m tests.sim.campaign.mutation NAME`` prints what finds one mutant. The tree itself is never touched.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "ibfloor"
MUTANTS = Path(__file__).with_name("mutants.toml")
CPU_MAX_S = 180
"""A mutant that takes longer hangs, and is caught by that."""
WALL_MAX_S = 900.0
_READY = "ready"


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An exact change of one file."""

    file: str
    old: str
    new: str


class Mutant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One bug."""

    name: str
    line: str
    cases: tuple[str, ...]
    """Troubles, as in tier A or B, that ought to find it; tried before the twenty worst."""
    edit: tuple[Edit, ...]
    seeds: int = 3


class Catch(msgspec.Struct, frozen=True):
    """What found a mutant."""

    faults: str
    seed: int
    invariant: str
    text: str
    runs: int


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    mutant: tuple[Mutant, ...]


class StaleMutant(AssertionError):
    """The source has changed under a mutant: its edit does not fit any more."""


def load() -> tuple[Mutant, ...]:
    """Return all mutants, as they stand in their file."""
    return msgspec.toml.decode(MUTANTS.read_bytes(), type=_File).mutant


def mutated(mutant: Mutant, source: Path = SOURCE) -> dict[str, str]:
    """Return the text of each file that a mutant changes; raises ``StaleMutant`` where it does not fit."""
    texts: dict[str, str] = {}
    for edit in mutant.edit:
        text = texts.get(edit.file) or (source / edit.file).read_text(encoding="utf-8")
        if (found := text.count(edit.old)) != 1:
            raise StaleMutant(f"mutant {mutant.name}: {edit.file} has this {found} times, not once:\n{edit.old}")
        texts[edit.file] = text.replace(edit.old, edit.new)
        compile(texts[edit.file], edit.file, "exec")
    return texts


def cases_of(mutant: Mutant, worst: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield troubles and seeds: its own, then the twenty worst."""
    for seed in range(1, mutant.seeds + 1):
        yield from ((faults, seed) for faults in mutant.cases)
    yield from ((faults, 1) for faults in worst if faults not in mutant.cases)


def hunt(mutant: Mutant) -> Catch | None:
    """Run a mutant until something finds it, in a process and a copy of its own; ``None`` when it survives."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = _copy(Path(folder))
        for file, text in mutated(mutant, copy).items():
            (copy / file).write_text(text, encoding="utf-8")
        return _run_there(Path(folder), [mutant.name])


def is_clean(cases: Sequence[tuple[str, int]]) -> Catch | None:
    """Run the same cases on a copy without any bug; ``None`` when nothing is found, as it must be."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        _copy(Path(folder))
        return _run_there(Path(folder), [f"{faults}:{seed}" for faults, seed in cases], "--cases")


def _copy(folder: Path) -> Path:
    copy = folder / "ibfloor"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("vendor"))
    return copy


def _run_there(folder: Path, arguments: list[str], *options: str) -> Catch | None:
    command = [sys.executable, "-m", "tests.sim.campaign.mutation", *options, *arguments]
    env = {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}", "PYTHONHASHSEED": "0"}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=WALL_MAX_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Catch("", 0, "I13", f"no end within {WALL_MAX_S:g} s", 0)
    lines = done.stdout.splitlines()
    if not lines or lines[0] != f"{_READY} {folder}":
        raise RuntimeError(f"{arguments} did not run in its copy: {done.stdout[:300]}{done.stderr[-2000:]}")
    if done.returncode == 0:
        return msgspec.json.decode(lines[-1], type=Catch | None)
    return Catch(lines[-1], 0, "I13", f"the run died ({done.returncode}): {done.stderr[-300:]}", len(lines) - 1)


def _try(cases: Sequence[tuple[str, int]]) -> Catch | None:
    from tests.sim.campaign.run import run_one

    for n, (faults, seed) in enumerate(cases, 1):
        print(f"{faults}:{seed}", flush=True)
        outcome = run_one("A", faults, seed)
        if outcome.violations:
            first = outcome.violations[0]
            return Catch(faults, seed, first.invariant, first.text, n)
    return None


def main() -> int:
    from tests.sim.campaign.troubles import WORST

    import ibfloor

    asked = sys.argv[1:]
    there = Path(ibfloor.__file__).parents[1]
    if there == SOURCE.parent:  # asked by a person: make the copy first
        for name in asked:
            print(
                name, msgspec.json.encode(hunt(next(each for each in load() if each.name == name))).decode(), flush=True
            )
        return 0
    print(f"{_READY} {there}", flush=True)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_MAX_S, CPU_MAX_S))
    if asked[0] == "--cases":
        cases = [(faults, int(seed)) for faults, _, seed in (each.rpartition(":") for each in asked[1:])]
    else:
        cases = list(cases_of(next(each for each in load() if each.name == asked[0]), WORST))
    print(msgspec.json.encode(_try(cases)).decode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
