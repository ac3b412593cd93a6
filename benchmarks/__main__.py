"""Run every benchmark and keep each one's JSON line under ``benchmarks/results``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if "__name__ ==" in path.read_text() and path.stem[0] != "_")

if __name__ == "__main__":
    results = FOLDER / "results"
    results.mkdir(exist_ok=True)
    for name in NAMES:
        line = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]], check=True, capture_output=True, text=True
        ).stdout
        (results / f"{name}.json").write_text(line)
        print(line, end="", flush=True)
