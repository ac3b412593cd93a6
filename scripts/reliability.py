"""Write docs/reliability.md: troubles of other projects' users, the tests that play them, and what came of it.

``scripts/reliability.py`` runs the marked tests; ``--junit FILE`` reads a run that was made before
(``pytest -m thread --junitxml FILE``). A test names its threads: ``@pytest.mark.thread("NT #3655")``.
Exit code 1 when one of them has failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
TABLE = ROOT / "docs" / "reliability.toml"
_HEAD = """# Reliability

Each row is a public thread of another project: what its users met, what must happen instead, and the test that
plays it. The tests run the floor against the simulated gateway, and the gateway's own book judges. Written by
`scripts/reliability.py` from a test run; the rows are in `docs/reliability.toml`.

NT = nautechsystems/nautilus_trader, vnpy = vnpy/vnpy, ft = freqtrade/freqtrade, pst = pst-group/pysystemtrade,
lumi = Lumiwealth/lumibot, LEAN = QuantConnect/Lean, LEAN-IB = QuantConnect/Lean.Brokerages.InteractiveBrokers.

| thread | what happened to them | what must happen instead | tests | result |
|---|---|---|---|---|
"""


class Ran(NamedTuple):
    """One test that plays a thread, and how it ended."""

    thread: str
    test: str
    result: str


def ran(junit: Path) -> list[Ran]:
    """Return what a run says of the marked tests."""
    found = []
    for case in ElementTree.parse(junit).iter("testcase"):  # noqa: S314
        bad = case.find("failure") is not None or case.find("error") is not None
        result = "failed" if bad else "skipped" if case.find("skipped") is not None else "passed"
        test = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
        names = [prop.get("value", "") for prop in case.iter("property") if prop.get("name") == "thread"]
        found += [Ran(name, test, result) for name in names]
    return found


def page(runs: Iterable[Ran], rows: list[dict[str, object]]) -> str:
    """Return the page; raise ``SystemExit`` for a thread that no row knows."""
    runs = list(runs)
    known = {thread for row in rows for thread in _threads(row)}
    if strangers := {one.thread for one in runs} - known:
        raise SystemExit(f"{TABLE.name} has no row for {', '.join(sorted(strangers))}")
    lines = []
    for row in rows:
        mine = [one for one in runs if one.thread in _threads(row)]
        tests = sorted({one.test.partition("[")[0] for one in mine})
        results = {one.result for one in mine}
        result = next((word for word in ("failed", "skipped", "passed") if word in results), "not played yet")
        shown = "<br>".join(f"`{test.rpartition('/')[2]}`" for test in tests) or "-"
        lines.append(f"| {', '.join(_threads(row))} | {row['happened']} | {row['instead']} | {shown} | {result} |")
    played = sum(1 for line in lines if not line.endswith("not played yet |"))
    return _HEAD + "\n".join(lines) + f"\n\n{played} of {len(lines)} rows are played by a test.\n"


def _threads(row: dict[str, object]) -> list[str]:
    threads = row["threads"]
    assert isinstance(threads, list)
    return threads


def main() -> int:
    """Run the tests or read a run, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--junit", type=Path, help="a run made before; without it the tests are run now")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        junit = asked.junit
        if junit is None:
            junit = Path(scratch) / "junit.xml"
            command = [sys.executable, "-m", "pytest", "-q", "-m", "thread", "--junitxml", str(junit)]
            subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603 - words of our own
        runs = ran(junit)
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))["row"]
    PAGE.write_text(page(runs, rows), encoding="utf-8")
    return 1 if any(one.result == "failed" for one in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
