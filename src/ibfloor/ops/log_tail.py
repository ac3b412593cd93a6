"""The newest log lines in memory, for the screen."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from ibfloor.model.view import LogView


class LogTail:
    """A bounded ring of log lines; any thread may put and read.

    ``on_line`` is called with each line on the logging thread; it must not block and must not log.
    """

    def __init__(self, *, capacity: int = 500, on_line: Callable[[LogView], None] | None = None) -> None:
        self._lines: deque[LogView] = deque(maxlen=capacity)
        self._on_line = on_line
        self._lock = threading.Lock()
        self._number = 0

    def put(self, *, ts_ns: int, level: str, source: str, text: str) -> None:
        """Take one line and give it the next number."""
        with self._lock:
            self._number += 1
            line = LogView(number=self._number, ts_ns=ts_ns, level=level, source=source, text=text)
            self._lines.append(line)
        if self._on_line is not None:
            self._on_line(line)

    def lines(self) -> tuple[LogView, ...]:
        """Return the lines kept, oldest first."""
        with self._lock:
            return tuple(self._lines)
