"""A line of values that one owner handles one by one: in from any thread, out on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol

Handle = Callable[[Any], None]


class Line(Protocol):
    """Values in order; ``put`` never blocks and never drops."""

    @property
    def depth(self) -> int:
        """Return how many values wait."""

    def start(self, handle: Handle) -> None:
        """Begin to handle values; what was put before comes first."""

    def put(self, value: object) -> None:
        """Take a value from any thread."""

    def stop(self) -> None:
        """Handle what was put so far, then end."""


class ThreadLine:
    """A ``Line`` whose owner is a thread of its own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._values: SimpleQueue[object] = SimpleQueue()
        self._end = object()
        self._thread: Thread | None = None

    @property
    def depth(self) -> int:
        """Return how many values wait."""
        return self._values.qsize()

    def start(self, handle: Handle) -> None:
        """Start the thread."""
        self._thread = Thread(target=self._run, args=(handle,), name=self._name)
        self._thread.start()

    def put(self, value: object) -> None:
        """Take a value from any thread."""
        self._values.put(value)

    def stop(self) -> None:
        """Handle what was put so far, then end the thread."""
        self._values.put(self._end)
        if self._thread is not None:
            self._thread.join()

    def _run(self, handle: Handle) -> None:
        while (value := self._values.get()) is not self._end:
            handle(value)
