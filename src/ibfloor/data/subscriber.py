"""Who gets market data, and what happens when one is slow.

Policy of a full mailbox: quotes and trades conflate to the newest per instrument (what is lost is
counted in ``dropped``), bars and warm-ups wait in order and are never lost. What waited goes out
first, as soon as there is room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto
from typing import Protocol

import msgspec

from ibfloor.model.instrument import Contract, Instrument
from ibfloor.model.market import Bar, MarketBatch, Quote, Trade


class Kind(Flag):
    """Kinds of ticks one can subscribe to."""

    NONE = 0
    QUOTES = auto()
    TRADES = auto()


class WarmUp(msgspec.Struct, frozen=True):
    """Closed bars of before the subscription, oldest first; the next live bar follows the last.

    Comes once per bar subscription with ``warmup``, before its first live bar, even when empty.
    """

    instrument: Instrument
    duration_ns: int
    bars: tuple[Bar, ...]


Delivery = MarketBatch | WarmUp
"""What a subscriber's mailbox holds."""


class Box(Protocol):
    """The side of a ``Mailbox[Delivery]`` that the DataManager sees."""

    def put(self, value: Delivery, /) -> bool:
        """Take a value without blocking; ``False`` when full."""


@dataclass(frozen=True, eq=False, slots=True)
class Subscriber:
    """One receiver of market data: its name, its mailbox, and where its errors go.

    ``on_error(contract, text)`` is called on the data thread and must not block.
    """

    name: str
    mailbox: Box
    on_error: Callable[[Contract, str], None]


class Outlet:
    """The DataManager's side of one subscriber. Owner: the data thread."""

    __slots__ = ("_bars", "_put", "_ticks", "dropped", "is_open", "subscriber")

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber
        self.is_open = True
        self.dropped = 0
        """Quotes and trades conflated away."""
        self._put = subscriber.mailbox.put
        self._bars: deque[Delivery] = deque()
        self._ticks: dict[tuple[type, int], Quote | Trade] = {}

    @property
    def is_behind(self) -> bool:
        """Tell whether something waits for room in the mailbox."""
        return bool(self._bars or self._ticks)

    def send_ticks(self, batch: MarketBatch) -> None:
        """Hand over quotes and trades, or keep the newest of each instrument."""
        if ((not self._bars and not self._ticks) or self.catch_up()) and self._put(batch):
            return
        ticks = self._ticks
        for event in batch:
            if isinstance(event, Bar):
                self._bars.append((event,))
                continue
            key = (type(event), event.instrument.instrument_id)
            self.dropped += ticks.pop(key, None) is not None
            ticks[key] = event

    def send_bars(self, delivery: Delivery) -> None:
        """Hand over bars or a warm-up, or keep them in order."""
        if ((not self._bars and not self._ticks) or self.catch_up()) and self._put(delivery):
            return
        self._bars.append(delivery)

    def catch_up(self) -> bool:
        """Send what waits: bars, then the newest ticks; ``False`` when the mailbox is still full."""
        bars = self._bars
        while bars:
            if not self._put(bars[0]):
                return False
            bars.popleft()
        if self._ticks:
            if not self._put(tuple(self._ticks.values())):
                return False
            self._ticks.clear()
        return True
