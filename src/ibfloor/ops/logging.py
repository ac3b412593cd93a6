"""The log, for people: the console, a file of JSON lines that rotates, and the screen's tail.

Whoever logs only queues a record: files and terminals are written on one logging thread, so that a
slow disk never delays an order. Times are the floor's clock's. The journal, not the log, is the truth.
"""

from __future__ import annotations

import logging
import logging.handlers
import queue
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ibfloor.model.moment import Clock, to_datetime
from ibfloor.ops.log_tail import LogTail

FILE_NAME = "floor.jsonl"
FILE_BYTES_MAX = 20_000_000
FILES_KEPT = 10
QUEUE_CAPACITY = 20_000


@contextmanager
def floor_logging(
    home: Path,
    clock: Clock,
    *,
    level: str = "INFO",
    console: TextIO | None = sys.stderr,
    tail: LogTail | None = None,
    file_name: str = FILE_NAME,
) -> Iterator[Path]:
    """Send all logging, structlog's and the standard library's, to its places until the block ends.

    Yields the path of the JSON lines file in ``home/logs``. ``console=None`` prints nothing.
    """
    folder = home / "logs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / file_name
    handlers: list[logging.Handler] = [_file_handler(file)]
    if console is not None:
        handlers.append(_console_handler(console))
    if tail is not None:
        handlers.append(_TailHandler(tail))
    with _configured(clock, level, handlers):
        yield file


@contextmanager
def _configured(clock: Clock, level: str, handlers: list[logging.Handler]) -> Iterator[None]:
    before_render = _processors(clock)
    entry = _QueueHandler(before_render)
    listener = logging.handlers.QueueListener(entry.queue, *handlers)
    root = logging.getLogger()
    old_level, old_handlers = root.level, root.handlers[:]
    root.handlers[:] = [entry]
    root.setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before_render,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    listener.start()
    try:
        yield
    finally:
        root.handlers[:] = old_handlers
        root.setLevel(old_level)
        structlog.reset_defaults()
        listener.stop()
        for handler in handlers:
            handler.close()


def _processors(clock: Clock) -> list[Processor]:
    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("ts_ns", clock.now_ns())
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.format_exc_info,
        stamp,
    ]


class _QueueHandler(logging.handlers.QueueHandler):
    """Hand records over without waiting; what does not fit is counted, and told when there is room."""

    def __init__(self, foreign_processors: list[Processor]) -> None:
        self.queue: queue.Queue[logging.LogRecord] = queue.Queue(QUEUE_CAPACITY)
        super().__init__(self.queue)
        self._foreign = foreign_processors
        self._dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        if not isinstance(record.msg, dict):  # the standard library's own: give it the same fields
            event: EventDict = {"event": record.getMessage(), "_record": record}
            if record.exc_info:
                event["exc_info"] = record.exc_info
            logger = logging.getLogger(record.name)
            for processor in self._foreign:
                event = processor(logger, record.levelname.lower(), event)  # type: ignore[assignment]
            event.pop("_record", None)
            record.args, record.exc_info = (), None
            _carry(record, event)
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            if self._dropped and self.queue.qsize() < QUEUE_CAPACITY // 2:
                dropped, self._dropped = self._dropped, 0
                self.queue.put_nowait(_dropped_record(record, dropped))
            self.queue.put_nowait(record)
        except queue.Full:
            self._dropped += 1


def _dropped_record(after: logging.LogRecord, dropped: int) -> logging.LogRecord:
    now_ns = after.msg.get("ts_ns", 0) if isinstance(after.msg, dict) else 0
    record = logging.LogRecord("ibfloor.ops.logging", logging.WARNING, "", 0, "", (), None)
    _carry(
        record,
        {"event": "log lines dropped", "lines": dropped, "level": "warning", "logger": record.name, "ts_ns": now_ns},
    )
    return record


def _carry(record: logging.LogRecord, event: EventDict) -> None:
    # The marks by which structlog's formatter knows a record that is already an event.
    record.__dict__.update(msg=event, _logger=logging.getLogger(record.name), _name=record.levelname.lower())


class _TailHandler(logging.Handler):
    def __init__(self, tail: LogTail) -> None:
        super().__init__()
        self._tail = tail

    def emit(self, record: logging.LogRecord) -> None:
        event = dict(record.msg) if isinstance(record.msg, dict) else {"event": record.getMessage()}
        source = str(event.get("strategy") or event.get("logger", record.name)).removeprefix("ibfloor.")
        self._tail.put(ts_ns=int(event.get("ts_ns", 0)), level=record.levelname, source=source, text=_one_line(event))


_KNOWN = ("event", "ts_ns", "level", "logger", "exception", "_from_structlog", "_record")


def _one_line(event: EventDict) -> str:
    fields = " ".join(f"{key}={_readable(value)}" for key, value in event.items() if key not in _KNOWN)
    exception = str(event.get("exception", "")).strip().rpartition("\n")[2]
    return " ".join(part for part in (str(event.get("event", "")), fields, exception) if part)


def _readable(value: object) -> object:
    # A fact is told by its kind and what names it. The file has it whole.
    if not isinstance(value, msgspec.Struct):
        return value
    fields = msgspec.structs.asdict(value).items()
    named = [f"{name} {each}" for name, each in fields if isinstance(each, str) and each and not name.startswith("ts_")]
    return f"{type(value).__name__} ({', '.join(named)})" if named else type(value).__name__


def _file_handler(file: Path) -> logging.Handler:
    handler = logging.handlers.RotatingFileHandler(
        file, maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8", delay=False
    )
    handler.setFormatter(_formatter(_iso_time, structlog.processors.JSONRenderer(default=str)))
    return handler


def _console_handler(console: TextIO) -> logging.Handler:
    handler = logging.StreamHandler(console)
    renderer = structlog.dev.ConsoleRenderer(colors=console.isatty(), pad_event_to=32)
    handler.setFormatter(_formatter(_clock_time, renderer))
    return handler


def _formatter(
    timestamp: Callable[[WrappedLogger, str, EventDict], EventDict], renderer: Processor
) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, timestamp, renderer]
    )


def _iso_time(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {"ts": to_datetime(event.pop("ts_ns", 0)).isoformat(timespec="microseconds"), **event}


def _clock_time(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    moment = to_datetime(event.pop("ts_ns", 0))
    fields = {key: _readable(value) for key, value in event.items()}
    return {"timestamp": f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}", **fields}
