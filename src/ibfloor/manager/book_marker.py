"""Journals the prices and rates that the books were valued at: once a minute of market time while they move.

With them the journal alone tells what every book was worth at any time. Prices are taken of what is held and of
what orders work for: it may be held a moment later. What was traded before the market told any price of it
counts for a minute at what it was traded at. Owner: the main loop; what looks at books runs on the queue's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import tzinfo

from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.manager.marks import Marks
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.model.entry import BookEntry, SplitLeg
from ibfloor.model.fact import CashMoved, FeeReported, InstrumentDefined, OrderFilled, PositionMoved
from ibfloor.model.ids import InstrumentId
from ibfloor.model.marking import TRADED, BooksMarked, MarkTaken, RateTaken
from ibfloor.model.moment import NS_PER_MINUTE, Clock
from ibfloor.portfolio.chronicle import day_of
from ibfloor.portfolio.fx import RateNow
from ibfloor.portfolio.pricing import TRADED_AGE_NS

LOOK_S, LOOK_MAX_S = 0.25, 5.0
"""Between two looks, in wall seconds: a clock may be set meanwhile, so none is far away."""
FIRST_PATIENCE_NS = 10 * NS_PER_MINUTE
"""How long the very first marks wait until everything held has a price: the first day begins with them."""

_CHANGES = (OrderFilled, FeeReported, CashMoved, PositionMoved, BookEntry, InstrumentDefined)


class BookMarker:
    """Says when the books are to be marked, and with what."""

    def __init__(
        self, queue: MessageQueue, marks: Marks, rates: Callable[[], list[RateNow]], clock: Clock, *, tz: tzinfo
    ) -> None:
        self._queue = queue
        self._marks = marks
        self._rates = rates
        self._clock = clock
        self._tz = tz
        self._due_ns = 0
        self._is_changed = True
        self._first_asked_ns = 0
        self._traded: dict[InstrumentId, MarkTaken] = {}
        """At what each instrument was traded last, while that is news."""

    def observe(self, applied: Applied) -> None:
        """Note on the queue's thread that books changed: they are marked anew even at unmoved prices."""
        fact = applied.fact
        if isinstance(fact, _CHANGES):
            self._is_changed = True
        match fact:
            case OrderFilled(instrument_id=key, ts_event_ns=ts_ns) if fact.last_qty:
                if key not in self._traded or self._traded[key].ts_ns <= ts_ns:
                    self._traded[key] = MarkTaken(key, fact.last_px, ts_ns, TRADED)
            case BookEntry():
                for leg in fact.legs:
                    if isinstance(leg, SplitLeg):
                        self._traded.pop(leg.instrument_id, None)

    async def keep(self) -> None:
        """Mark the books whenever it is due, until cancelled."""
        while True:
            await self.mark(is_last=False)
            wait_s = self._clock.wall_delay_s(self._due_ns)
            await asyncio.sleep(min(max(wait_s, LOOK_S), LOOK_MAX_S))

    async def mark(self, *, is_last: bool) -> None:
        """Mark the books if it is due; ``is_last``: now, since the floor ends."""
        fact = await asyncio.wrap_future(self._queue.ask(lambda state: self._on_queue(state, is_last=is_last)))
        if fact is not None:
            self._queue.put(fact)

    def _on_queue(self, state: FloorState, *, is_last: bool) -> BooksMarked | None:
        now_ns = self._clock.now_ns()
        if not state.has_opening or (now_ns < self._due_ns and not is_last):
            return None
        fact = self._marked(state, now_ns)
        if state.marked is None and not is_last and self._is_incomplete(state, fact):
            self._first_asked_ns = self._first_asked_ns or now_ns
            if now_ns < self._first_asked_ns + FIRST_PATIENCE_NS:
                return None
        self._due_ns = now_ns - now_ns % NS_PER_MINUTE + NS_PER_MINUTE
        if not self._is_changed and self._says_the_same(state.marked, fact):
            return None
        self._is_changed = False
        return fact

    def _marked(self, state: FloorState, now_ns: int) -> BooksMarked:
        wanted = state.books.instruments_open() | {order.request.instrument_id for order in state.orders.working()}
        self._traded = {key: each for key, each in self._traded.items() if each.ts_ns >= now_ns - TRADED_AGE_NS}
        taken = {key: each for key, each in self._traded.items() if key in wanted}
        for key, mark in self._marks.of(wanted).items():
            taken[key] = MarkTaken(key, mark.px, mark.ts_ns, mark.source)
        rates = [each.rate for each in self._rates() if each.rate is not None and not each.problem]
        return BooksMarked(
            ts_event_ns=now_ns,
            ts_init_ns=now_ns,
            base=self._marks.base,
            marks=tuple(taken[key] for key in sorted(taken)),
            rates=tuple(RateTaken(each.currency, each.px, each.ts_ns, each.source) for each in rates),
        )

    def _is_incomplete(self, state: FloorState, fact: BooksMarked) -> bool:
        told = {each.instrument_id for each in fact.marks if each.source != TRADED}
        return not state.books.instruments_open() <= told or any(each.problem for each in self._rates())

    def _says_the_same(self, before: BooksMarked | None, now: BooksMarked) -> bool:
        if before is None or day_of(before.ts_event_ns, self._tz) != day_of(now.ts_event_ns, self._tz):
            return False
        then_px = {each.instrument_id: each.px for each in before.marks}
        then_rates = {each.currency: each.rate for each in before.rates}
        return then_px == {each.instrument_id: each.px for each in now.marks} and then_rates == {
            each.currency: each.rate for each in now.rates
        }
