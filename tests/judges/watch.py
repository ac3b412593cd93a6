"""One build of the official client as a pair of eyes: run with the build's folder on PYTHONPATH.

Argument: the port. Reads one JSON list of wishes a line (``["place", id, qty, limit]``, ``["cancel", id]``,
``["executions"]``), carries them out, asks the time so that all before it has been told, and answers with one JSON
line of what it was told since: executions, fees, states, errors, complaints, and whether its loop still runs.
"""

from __future__ import annotations

import json
import logging
import runpy
import sys
import threading
from pathlib import Path
from typing import Any

_DRIVE = runpy.run_path(str(Path(__file__).with_name("drive.py")))
Judge, Complaints, Missing = _DRIVE["Judge"], _DRIVE["Complaints"], _DRIVE["Missing"]
stock, order, with_tail, run_loop = _DRIVE["stock"], _DRIVE["order"], _DRIVE["_with_tail"], _DRIVE["_run"]


def code_of(args: tuple[Any, ...]) -> int:
    """Return an error's code: newer builds have a time before it."""
    return int(args[2] if isinstance(args[2], int) else args[1])


def event_of(name: str, args: tuple[Any, ...]) -> list[Any] | None:
    """Return what a test wants to know of a callback; ``None`` for nothing."""
    if name == "execDetails":
        execution = args[2]
        return ["exec", execution.execId, execution.orderId, str(execution.shares), str(execution.price)]
    if name in ("commissionReport", "commissionAndFeesReport"):
        report = args[0]
        return ["fee", report.execId, str(getattr(report, "commission", getattr(report, "commissionAndFees", "")))]
    if name == "orderStatus":
        return ["status", args[0], args[1], str(args[2])]
    if name == "error":
        return ["error", args[0], code_of(args)]
    return ["closed"] if name == "connectionClosed" else None


def do(judge: Any, wish: list[Any]) -> None:
    """Carry out one wish."""
    if wish[0] == "place":
        _, order_id, qty, limit = wish
        price = {"lmtPrice": float(limit)} if limit else {}
        judge.placeOrder(order_id, stock(), order("BUY", qty, "LMT" if limit else "MKT", **price))
    elif wish[0] == "cancel":
        with_tail(judge.cancelOrder, wish[1])
    elif wish[0] == "executions":
        from ibapi.execution import ExecutionFilter

        judge.reqExecutions(judge.ask(), ExecutionFilter())


def main() -> None:
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    logging.getLogger().setLevel(logging.INFO)
    judge = Judge()
    failures: list[str] = []
    judge.connect("127.0.0.1", int(sys.argv[1]), 7)
    loop = threading.Thread(target=run_loop, args=(judge, failures), daemon=True)
    loop.start()
    judge.until("nextValidId")
    at = 0
    for line in sys.stdin:
        for wish in json.loads(line):
            do(judge, wish)
        judge.reqCurrentTime()
        try:
            judge.until("currentTime", since=at)
        except Missing:
            failures.append("silent")
        told, at = judge.heard[at:], len(judge.heard)
        events = [event for name, args in told if (event := event_of(name, args)) is not None]
        answer = {"events": events, "log": complaints.texts, "failures": failures, "alive": loop.is_alive()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    judge.disconnect()


if __name__ == "__main__":
    main()
