"""The log's three places, its clock, and that a flood neither blocks nor goes unsaid."""

import io
import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import structlog

from ibfloor.model.fact import BreakCleared
from ibfloor.model.moment import NS_PER_S
from ibfloor.model.view import LogView
from ibfloor.ops import logging as floor_log
from ibfloor.ops.log_tail import LogTail
from ibfloor.ops.logging import floor_logging


class StillClock:
    speed = 60.0

    def now_ns(self) -> int:
        return 1_382_362_200 * NS_PER_S + 250_000_000  # 2013-10-21 13:30:00.25 UTC

    def wall_delay_s(self, until_ns: int) -> float:
        return 0.0


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_line_reaches_file_console_and_tail_with_the_floors_time(tmp_path: Path) -> None:
    console, tail = io.StringIO(), LogTail()
    with floor_logging(tmp_path, StillClock(), console=console, tail=tail) as file:
        structlog.get_logger("ibfloor.manager").info("order filled", cl_ord_id="sma:1", last_qty=5)

    (line,) = lines_of(file)
    assert line["ts"] == "2013-10-21T13:30:00.250000+00:00"
    assert (line["event"], line["cl_ord_id"], line["level"], line["logger"]) == (
        "order filled",
        "sma:1",
        "info",
        "ibfloor.manager",
    )
    assert "13:30:00.250" in console.getvalue()
    assert "order filled" in console.getvalue()
    (row,) = tail.lines()
    assert row == LogView(
        number=1,
        ts_ns=StillClock().now_ns(),
        level="INFO",
        source="manager",
        text="order filled cl_ord_id=sma:1 last_qty=5",
    )


def test_a_fact_is_told_to_people_by_what_names_it_and_kept_whole_in_the_file(tmp_path: Path) -> None:
    console, tail = io.StringIO(), LogTail()
    fact = BreakCleared(ts_event_ns=5, ts_init_ns=6, key="cash:USD", reason="they agree")
    with floor_logging(tmp_path, StillClock(), console=console, tail=tail) as file:
        structlog.get_logger("ibfloor.manager").error("not applied", fact=fact)
    (row,) = tail.lines()
    assert row.text == "not applied fact=BreakCleared (key cash:USD, reason they agree)"
    assert "ts_event_ns" not in console.getvalue()
    assert lines_of(file)[0]["fact"] == repr(fact)


def test_libraries_logging_takes_the_same_way(tmp_path: Path) -> None:
    tail = LogTail()
    with floor_logging(tmp_path, StillClock(), console=None, tail=tail) as file:
        logging.getLogger("some.library").warning("lost %s packets", 3)
        try:
            raise ValueError("a bad thing")
        except ValueError:
            logging.getLogger("some.library").exception("it failed")

    first, second = lines_of(file)
    assert (first["event"], first["logger"], first["level"]) == ("lost 3 packets", "some.library", "warning")
    assert first["ts"].startswith("2013-10-21")
    assert "ValueError: a bad thing" in second["exception"]
    assert tail.lines()[1].text == "it failed ValueError: a bad thing"


def test_a_strategys_line_is_shown_as_the_strategys(tmp_path: Path) -> None:
    tail = LogTail()
    with floor_logging(tmp_path, StillClock(), console=None, tail=tail):
        structlog.get_logger("ibfloor.strategy").bind(strategy="sma-spy").error("no idea")
    assert (tail.lines()[0].source, tail.lines()[0].level) == ("sma-spy", "ERROR")


def test_lines_under_the_level_are_left_out(tmp_path: Path) -> None:
    with floor_logging(tmp_path, StillClock(), console=None, level="WARNING") as file:
        structlog.get_logger("x").info("quiet")
        logging.getLogger("y").info("quiet too")
    assert lines_of(file) == []


def test_the_tail_keeps_the_newest_and_tells_each_line() -> None:
    told: list[LogView] = []
    tail = LogTail(capacity=2, on_line=told.append)
    for n in range(3):
        tail.put(ts_ns=n, level="INFO", source="x", text=str(n))
    assert [line.text for line in tail.lines()] == ["1", "2"]
    assert [line.number for line in told] == [1, 2, 3]


def test_logging_is_as_before_when_the_floor_has_ended(tmp_path: Path) -> None:
    before = logging.getLogger().handlers[:]
    with floor_logging(tmp_path, StillClock(), console=None):
        assert logging.getLogger().handlers != before
    assert logging.getLogger().handlers == before


def test_log_files_are_kept_from_strangers(tmp_path: Path) -> None:
    with floor_logging(tmp_path, StillClock(), console=None):
        assert (tmp_path / "logs").stat().st_mode & 0o077 == 0


class StuckHandler(logging.Handler):
    """A terminal that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.go.wait(10)
        assert isinstance(record.msg, dict)
        self.texts.append(f"{record.msg['event']} {record.msg.get('lines', '')}".strip())


def test_a_stuck_disk_costs_lines_not_time_and_the_loss_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor_log, "QUEUE_CAPACITY", 4)
    stuck = StuckHandler()
    with floor_log._configured(StillClock(), "INFO", [stuck]):
        log = structlog.get_logger("x")
        for n in range(50):
            log.info(f"line {n}")  # returns at once, though nothing is written
        stuck.go.set()
        deadline = time.monotonic() + 5
        while len(stuck.texts) < 4 and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        log.info("room again")

    kept = [text for text in stuck.texts if text.startswith("line ")]
    told = [text for text in stuck.texts if text.startswith("log lines dropped")]
    assert told == [f"log lines dropped {50 - len(kept)}"]
    assert stuck.texts[-1] == "room again"
