"""The hop between threads: a bounded queue that wakes the owner's asyncio loop once per burst."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Values in from any thread, out on the owner's loop, in order.

    The owner calls ``open`` on its own loop and ``close`` on the same. ``put`` never blocks; it
    returns ``False`` when the box holds ``capacity`` values: what that means (conflate, fault) is
    the sender's policy. A wake-up is written only when none is pending (``HOT-PATH`` measured).
    """

    def __init__(self, deliver: Callable[[T], None], *, capacity: int = 100_000) -> None:
        self._deliver = deliver
        self._capacity = capacity
        self._values: deque[T] = deque()
        self._is_signalled = False
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._read_fd = -1
        self._write_fd = -1
        self._pair: tuple[socket.socket, socket.socket] | None = None

    def __len__(self) -> int:
        return len(self._values)

    def open(self) -> None:
        """Start delivering on the running loop."""
        self._loop = asyncio.get_running_loop()
        if hasattr(os, "eventfd"):
            self._read_fd = self._write_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self._pair = socket.socketpair()
            for end in self._pair:
                end.setblocking(False)
            self._read_fd, self._write_fd = self._pair[0].fileno(), self._pair[1].fileno()
        self._loop.add_reader(self._read_fd, self._drain)
        if self._values:
            self._signal()

    def close(self) -> None:
        """Stop delivering; values put later are kept but never delivered."""
        if self._loop is None:
            return
        self._loop.remove_reader(self._read_fd)
        with self._lock:
            read_fd, self._loop, self._write_fd = self._read_fd, None, -1
        if self._pair:
            for end in self._pair:
                end.close()
        else:
            os.close(read_fd)

    def put(self, value: T) -> bool:
        """Hand over a value; ``False`` when the box is full and the value was not taken."""
        if len(self._values) >= self._capacity:
            return False
        self._values.append(value)
        if not self._is_signalled:
            self._signal()
        return True

    def _signal(self) -> None:
        with self._lock:  # the descriptor must not be closed, and be another's, between look and write
            if self._write_fd < 0:
                return
            self._is_signalled = True
            with contextlib.suppress(BlockingIOError):  # a full pipe: a wake-up is already under way
                os.write(self._write_fd, b"\x01\0\0\0\0\0\0\0" if self._pair is None else b"\x01")

    def _drain(self) -> None:
        os.read(self._read_fd, 4096 if self._pair else 8)
        self._is_signalled = False  # before draining, so that a late value signals again
        self.deliver_now()

    def deliver_now(self) -> None:
        """Deliver what waits, ahead of the wake-up that is on its way; on the owner's loop."""
        values = self._values
        for _ in range(len(values)):
            self._deliver(values.popleft())
