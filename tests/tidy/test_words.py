"""What no file of the project may hold: promises without an issue, this machine's paths, registries' hosts."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN_PACKAGE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
UNDONE = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b(?!\(#\d+\))")
HOSTS = re.compile(
    "|".join(
        re.escape(name)
        for name in ("py" + "pi.org", "files.python" + "hosted.org", "registry.npm" + "js.org", "deb.deb" + "ian.org")
    )
)
MACHINE_PATHS = re.compile(r"(?<![\w.~])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me/\w+|Us" + r"ers/\w+)/[\w.]")
BARE_IGNORES = re.compile(r"#\s*type:\s*ignore(?!\[)|#\s*noqa(?!:)")


def tracked_texts() -> list[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: nothing says which files are the project's")
    texts = []
    for name in listed.stdout.split("\0"):
        file = ROOT / name
        if not name or not file.is_file() or file.suffix in {".png", ".woff2", ".parquet"}:
            continue
        texts.append((name, file.read_text(encoding="utf-8")))
    return texts


def found(pattern: re.Pattern[str], *, suffixes: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in tracked_texts()
        if not suffixes or name.endswith(suffixes)
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_nothing_is_left_undone_without_an_issue_number() -> None:
    assert found(UNDONE, suffixes=(".py", ".js", ".css", ".md", ".toml", "Makefile")) == []


def test_no_file_names_a_package_registry() -> None:
    assert found(HOSTS) == []


def test_no_file_holds_a_path_of_one_machine() -> None:
    assert found(MACHINE_PATHS) == []


def test_what_is_silenced_is_named() -> None:
    assert found(BARE_IGNORES, suffixes=(".py",)) == []


def test_no_package_is_a_drawer_for_odds_and_ends() -> None:
    names = {part for file in (ROOT / "src").rglob("*.py") for part in (*file.parts, file.stem)}
    assert names & FORBIDDEN_PACKAGE_NAMES == set()


def test_every_locked_requirement_has_a_hash() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        blocks = re.split(r"\n(?=\S)", lock.read_text().strip())
        without = [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block]
        assert without == [], lock.name
