"""Keeps market data of everything held, whoever holds it: a position without a mark has no value.

A broker gives so many lines and no more: what is flat gives its line back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import partial

import structlog

from ibfloor.data.manager import DataManager
from ibfloor.data.subscriber import Delivery, Kind, Subscriber
from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.model.booking import instrument_in, position_in
from ibfloor.model.entry import BookEntry
from ibfloor.model.errors import ConnectivityError
from ibfloor.model.fact import BreakCleared, BreakFound, InstrumentDefined, OrderFilled, PositionMoved
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract
from ibfloor.model.market import Quote
from ibfloor.model.moment import NS_PER_S

GRACE_NS = 300 * NS_PER_S
"""How long what has become flat keeps its line (market time): many a position is flat for a moment only."""

log = structlog.get_logger("marks")


class _Wastebasket:
    def put(self, value: Delivery, /) -> bool:
        return True


class MarkKeeper:
    """Wants quotes only so that the board has them; one subscriber per instrument. Owner: the queue's thread.

    Held is what any book holds, and what books and account differ in. A strategy's own subscription is
    another subscriber's: the line ends with the last of them.
    """

    def __init__(self, data: DataManager, state: FloorState) -> None:
        self._data = data
        self._state = state
        self._kept: dict[InstrumentId, Subscriber] = {}
        self._undefined: set[InstrumentId] = set()
        self._flat: dict[InstrumentId, int] = {}
        """Since when."""
        self._refusals: deque[tuple[InstrumentId, str]] = deque()
        """Put in on the data thread."""
        self._dark: dict[InstrumentId, Quote | None] = {}
        """What has no line, with the last quote of before."""

    def observe(self, applied: Applied) -> None:
        """Watch an instrument that came into a book: who traded it may stop, and wants no quotes any more."""
        fact = applied.fact
        match fact:
            case PositionMoved() | OrderFilled():
                self._look([fact.instrument_id], fact.ts_init_ns)
            case BookEntry():
                self._look(fact.instruments, fact.ts_init_ns)
            case BreakFound() | BreakCleared():
                if (key := instrument_in(fact.key)) is not None:
                    self._look([key], fact.ts_init_ns)
            case InstrumentDefined() if fact.instrument.instrument_id in self._undefined:
                self._look([fact.instrument.instrument_id], fact.ts_init_ns)
        if self._flat:
            self._let_go(fact.ts_init_ns)
        if self._refusals or self._dark:
            self._tell()

    def watch_held(self) -> None:
        """Ask for the quotes of everything held, the same order every time: there may be more than lines."""
        broken = {key for each in self._state.breaks if (key := instrument_in(each)) is not None}
        for key in sorted(self._state.books.instruments_open() | broken):
            self._keep(key)

    def _look(self, keys: Iterable[InstrumentId], now_ns: int) -> None:
        for key in sorted(set(keys)):
            if self._state.books.is_open(key) or position_in(key) in self._state.breaks:
                self._keep(key)
            elif key in self._kept:
                self._flat.setdefault(key, now_ns)
            else:
                self._undefined.discard(key)

    def _keep(self, key: InstrumentId) -> None:
        self._flat.pop(key, None)
        if key in self._kept:
            return
        instrument = self._state.instruments.get(key)
        if instrument is None:
            self._undefined.add(key)
            return
        subscriber = Subscriber(f"mark of {key}", _Wastebasket(), partial(self._refused, key))
        try:
            self._data.subscribe(subscriber, instrument.contract, kinds=Kind.QUOTES)
        except ConnectivityError:
            return  # not connected yet: the floor watches everything held once it is
        self._undefined.discard(key)
        self._kept[key] = subscriber

    def _let_go(self, now_ns: int) -> None:
        for key in [key for key, since_ns in self._flat.items() if now_ns - since_ns >= GRACE_NS]:
            del self._flat[key]
            self._dark.pop(key, None)
            self._data.unsubscribe_all(self._kept.pop(key))

    def _refused(self, key: InstrumentId, contract: Contract, text: str) -> None:
        self._refusals.append((key, text))

    def _tell(self) -> None:
        found: dict[InstrumentId, str] = {}
        while self._refusals:
            key, text = self._refusals.popleft()
            if key in self._kept:
                found[key] = text
        fresh = {key: text for key, text in found.items() if key not in self._dark}
        self._dark |= {key: self._data.quote(key) for key in found}
        if fresh:
            log.error(
                "no market data of what is held", instruments=self._names(fresh), reason=next(iter(fresh.values()))
            )
        back = [key for key, before in self._dark.items() if self._data.quote(key) is not before]
        for key in back:
            del self._dark[key]
        if back:
            log.warning("market data of what is held has come", instruments=self._names(back))

    def _names(self, keys: Iterable[InstrumentId]) -> list[str]:
        return [str(self._state.instruments[key].contract) for key in sorted(keys)]
