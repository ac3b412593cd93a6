"""StrategyRunner: brings market data, own facts and timers to one strategy's handlers.

Owner: the strategy's thread. Nothing here waits: async handlers are the pump's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from ibfloor.crash_points import reach
from ibfloor.data.bar_size import parse_bar_size
from ibfloor.data.subscriber import Delivery, WarmUp
from ibfloor.manager.handler_pump import HandlerPump
from ibfloor.manager.notice import Notice
from ibfloor.manager.worker_context import WorkerContext
from ibfloor.model.entry import BookEntry
from ibfloor.model.fact import (
    OrderDoubted,
    OrderFilled,
    OrderRejected,
    OrderReported,
    OrderWarned,
    PositionMoved,
)
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, Instrument
from ibfloor.model.market import Bar, MarketEvent, Quote, Trade
from ibfloor.portfolio.book import Book
from ibfloor.strategy.registry import MadeStrategy
from ibfloor.strategy.timetable import Timers, Timetable
from ibfloor.strategy.values import Connection, Fill, Offer, Position, Wanted, WantedBars, WantedQuotes, WantedTrades

_ORDER_FACTS = (OrderReported, OrderRejected, OrderWarned, OrderDoubted, OrderFilled)


class StrategyRunner:
    """One running strategy object, from ``on_start`` to ``on_stop``."""

    def __init__(
        self,
        made: MadeStrategy,
        context: WorkerContext,
        pump: HandlerPump,
        *,
        can_trade: bool,
        on_told: Callable[[int], None],
    ) -> None:
        self._strategy = made.strategy
        self._context = context
        self._pump = pump
        self._implemented = made.handlers
        self._wanted: dict[type, set[tuple[Contract, int]]] = {Quote: set(), Trade: set(), Bar: set()}
        self._known: dict[type, dict[object, Instrument]] = {Quote: {}, Trade: {}, Bar: {}}
        self._calls: dict[type, Callable[[Any], Any] | None] = {
            Quote: self._handler("on_quote"),
            Trade: self._handler("on_trade"),
            Bar: self._handler("on_bar"),
        }
        self._timers = Timers()
        self._alarm: asyncio.TimerHandle | None = None
        self._can_trade = can_trade
        self._on_told = on_told

    def start(self, missed: Sequence[Notice]) -> None:
        """Tell the fills that came while the strategy was away, then call ``on_start``."""
        for number, notice in enumerate(missed):
            reach("worker.missed_fill")
            if isinstance(notice.fact, OrderFilled):
                # One handler runs at a time, and each is noted before the next: only the first can be a repeat.
                self._take_fill(notice.fact, notice, may_be_repeat=number == 0)
        self._call("on_start")

    async def stop(self) -> None:
        """Call ``on_stop`` and wait until the handlers are done."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._call("on_stop")
        await self._pump.drained()

    def want(self, wanted: Wanted) -> None:
        """Let events of a subscription through to the handlers."""
        match wanted:
            case WantedBars():
                self._wanted[Bar].add((wanted.contract, parse_bar_size(wanted.bar)))
            case WantedQuotes():
                self._wanted[Quote].add((wanted.contract, 0))
            case WantedTrades():
                self._wanted[Trade].add((wanted.contract, 0))
        for known in self._known.values():
            known.clear()

    def take_market(self, delivery: Delivery) -> None:
        """Take a batch of market data, or a warm-up."""
        if isinstance(delivery, WarmUp):
            for bar in delivery.bars:
                if (wanted := self._as_wanted(bar)) is not None:
                    self._pump.call(self._warm, wanted)
            return
        calls = self._calls
        for event in delivery:
            handler = calls[type(event)]
            if handler is not None and (wanted := self._as_wanted(event)) is not None:
                key = event.instrument.instrument_id if isinstance(event, Quote) else None
                self._pump.call(handler, wanted, key=key)

    def take_notice(self, notice: Notice) -> None:
        """Take a fact of this strategy, after the context has it."""
        fact = notice.fact
        if isinstance(fact, OrderFilled):
            self._take_fill(fact, notice)
        if isinstance(fact, OrderFilled | PositionMoved):
            self._take_position(fact.instrument_id, notice.book)
        elif isinstance(fact, BookEntry):
            for instrument_id in sorted(fact.instruments):
                self._take_position(instrument_id, notice.book)
        if isinstance(fact, _ORDER_FACTS) and notice.order is not None and "on_order" in self._implemented:
            self._pump.call(self._strategy.on_order, notice.order)

    def take_connection(self, connection: Connection) -> None:
        """Take that orders can go out again, or no more."""
        if connection.can_trade != self._can_trade:
            self._can_trade = connection.can_trade
            self._call("on_connection", connection)

    def take_offer(self, offer: Offer) -> None:
        """Take what became of an offer, after the context has the book."""
        self._call("on_offer", offer)

    def set_timer(self, name: str, timetable: Timetable) -> None:
        """Set one of the strategy's timers."""
        self._timers.set(name, timetable, self._context.clock.now_ns())
        self._arm()

    def _take_fill(self, fact: OrderFilled, notice: Notice, *, may_be_repeat: bool = False) -> None:
        # Right after a start the data session has not met what the strategy traded before.
        instrument = self._context.instrument(fact.instrument_id) or notice.instrument
        if instrument is None or fact.cl_ord_id is None or "on_fill" not in self._implemented:
            if instrument is None:
                self._context.log.error("a fill of an instrument the floor has not met", exec_id=fact.exec_id)
            self._pump.call(self._on_told, notice.execution)
            return
        fill = Fill(
            exec_id=fact.exec_id,
            cl_ord_id=fact.cl_ord_id,
            instrument=instrument,
            side=fact.side,
            qty=fact.last_qty,
            px=fact.last_px,
            ts_event_ns=fact.ts_event_ns,
            note="" if notice.order is None else notice.order.request.note,
            may_be_repeat=may_be_repeat,
        )
        self._pump.call(self._tell_fill, fill, notice.execution)

    def _tell_fill(self, fill: Fill, number: int) -> Awaitable[None] | None:
        reach("fill.before_handler")
        handled = self._strategy.on_fill(fill)
        if handled is not None:
            return self._finish_telling(handled, number)
        self._note_told(number)
        return None

    async def _finish_telling(self, handled: Awaitable[None], number: int) -> None:
        await handled
        self._note_told(number)

    def _note_told(self, number: int) -> None:
        reach("fill.after_handler")
        self._on_told(number)

    def _take_position(self, instrument_id: InstrumentId, book: Book) -> None:
        instrument = self._context.instrument(instrument_id)
        if instrument is None or "on_position" not in self._implemented:
            return
        held = book.positions.get(instrument_id)
        position = Position(contract=instrument.contract)
        if held is not None:
            position = Position(contract=instrument.contract, qty=held.qty, avg_px=held.avg_px)
        self._pump.call(self._strategy.on_position, position)

    def _warm(self, bar: Bar) -> Awaitable[None] | None:
        handler = self._calls[Bar]
        if handler is None:
            return None
        self._context.is_warming = True
        try:
            result = handler(bar)
        finally:
            self._context.is_warming = False
        return None if result is None else self._finish_warm(result)

    async def _finish_warm(self, result: Awaitable[None]) -> None:
        self._context.is_warming = True
        try:
            await result
        finally:
            self._context.is_warming = False

    def _as_wanted(self, event: MarketEvent) -> MarketEvent | None:
        # Several strategies may name one instrument by different contracts: each sees its own.
        known = self._known[type(event)]
        key: object = event.instrument.instrument_id
        if isinstance(event, Bar):
            key = (key, event.duration_ns)
        instrument = known.get(key)
        if instrument is None:
            instrument = self._find_wanted(event)
            if instrument is None:
                return None
            known[key] = instrument
        return event if instrument is event.instrument else msgspec.structs.replace(event, instrument=instrument)

    def _find_wanted(self, event: MarketEvent) -> Instrument | None:
        met = event.instrument
        for contract, size_ns in self._wanted[type(event)]:
            if isinstance(event, Bar) and size_ns != event.duration_ns:
                continue
            if contract == met.contract:
                return met
            named = self._context.instrument(contract)
            if named is not None and named.instrument_id == met.instrument_id:
                return msgspec.structs.replace(met, contract=contract)
        return None

    def _arm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        next_ns = self._timers.next_ns
        if next_ns is not None:
            delay_s = self._context.clock.wall_delay_s(next_ns)
            self._alarm = asyncio.get_running_loop().call_later(delay_s, self._ring)

    def _ring(self) -> None:
        for name in self._timers.due(self._context.clock.now_ns()):
            self._call("on_timer", name)
        self._arm()

    def _handler(self, name: str) -> Callable[[Any], Any] | None:
        return getattr(self._strategy, name) if name in self._implemented else None

    def _call(self, name: str, *args: object) -> None:
        if name in self._implemented:
            self._pump.call(getattr(self._strategy, name), *args)
