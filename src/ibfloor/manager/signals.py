"""The signals that a floor takes: its end, and the kill switch of the account."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDS = (signal.SIGINT, signal.SIGTERM)
KILLS = signal.SIGUSR1


@contextmanager
def hearing_signals(
    loop: asyncio.AbstractEventLoop, *, end: Callable[[], None], kill: Callable[[], None]
) -> Iterator[None]:
    """Take the end (SIGINT, SIGTERM) and the kill switch (SIGUSR1) by signal, on the loop."""
    for number in ENDS:
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(KILLS, kill)
    try:
        yield
    finally:
        for number in (*ENDS, KILLS):
            loop.remove_signal_handler(number)
