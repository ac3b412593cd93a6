"""The floor as ``ibfloor`` runs it, with a thread beside it that counts what must not grow.

``python floor.py COUNTS ARGUMENTS...``: the arguments are ibfloor's; a line of JSON goes to COUNTS every second.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from pathlib import Path

EVERY_S = 1.0


def tasks_alive() -> int:
    """Return how many asyncio tasks of all loops have not ended."""
    every = getattr(asyncio.tasks, "_scheduled_tasks", None)  # since Python 3.12
    if every is None:
        every = asyncio.tasks._all_tasks  # type: ignore[attr-defined]
    for _ in range(100):
        try:
            return sum(not task.done() for task in list(every))
        except RuntimeError:  # the set changed while it was read
            continue
    return -1


def count(out: Path) -> None:
    """Write the counts down, for ever."""
    with out.open("a", encoding="utf-8", buffering=1) as file:
        while True:
            row = {"at_s": time.monotonic(), "tasks": tasks_alive(), "threads": threading.active_count()}
            file.write(json.dumps(row) + "\n")
            time.sleep(EVERY_S)


def main() -> None:
    out, *arguments = sys.argv[1:]
    threading.Thread(target=count, args=(Path(out),), daemon=True, name="counter").start()
    from ibfloor.cli import main as ibfloor

    sys.argv = ["ibfloor", *arguments]
    ibfloor()


if __name__ == "__main__":
    main()
