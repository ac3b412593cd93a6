"""Forks ``ibfloor`` processes that have the libraries loaded already: a third of the time of a fresh start.

Run as a script. One JSON line in: ``{"argv": [...], "env": {...}, "out": path, "err": path}``; one out: the pid.
Nothing of ibfloor is imported before the fork, so that a child reads its environment as any process does.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from typing import Any, NoReturn

_LIBRARIES = ("numpy", "pydantic", "pydantic_settings", "rich.console", "ib_async", "structlog", "sqlite3", "typer")


def become(order: dict[str, Any]) -> NoReturn:
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(order["out"], flags, 0o600), 1)
    os.dup2(os.open(order["err"], flags, 0o600), 2)
    os.environ.update(order["env"])
    from ibfloor.cli import main
    from ibfloor.ledger.journal import JournalWriter

    # Small segments: a run of seconds must turn over more than one.
    defaults = JournalWriter.__init__.__kwdefaults__
    assert defaults is not None
    defaults["segment_bytes"] = 16 * 1024
    sys.argv = ["ibfloor", *order["argv"]]
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 1)


def serve() -> None:
    for name in _LIBRARIES:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them: a pid that is gone has ended
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            become(json.loads(line))
        print(pid, flush=True)


if __name__ == "__main__":
    serve()
