"""WorkerContext: the floor as one strategy sees it. Owner: the strategy's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from ibfloor.data.bar_size import parse_bar_size
from ibfloor.data.subscriber import Kind, Subscriber
from ibfloor.execution.ticket import BracketTicket, OrderTicket
from ibfloor.execution.trade_manager import TradeManager
from ibfloor.manager.combos import Combos
from ibfloor.manager.purse import WorkerPurse
from ibfloor.manager.services import Services
from ibfloor.manager.worker_offers import WorkerOffers
from ibfloor.model.fact import InstrumentDefined
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.instrument import Contract, Instrument
from ibfloor.model.margin import MarginImpact
from ibfloor.model.market import Bar
from ibfloor.model.moment import Clock
from ibfloor.model.money import Currency
from ibfloor.model.order import Accepted, Order, Refusal, Refused
from ibfloor.model.terms import OcaKind
from ibfloor.portfolio.book import Book
from ibfloor.strategy.context import StrategyLog
from ibfloor.strategy.timetable import Timetable
from ibfloor.strategy.values import Offer, Position, Wanted, WantedBars, WantedQuotes, WantedTrades


class WorkerContext:
    """Implements ``strategy.context.StrategyContext`` over the worker's TradeManager and the shared parts."""

    def __init__(
        self,
        strategy: StrategyId,
        services: Services,
        trade: TradeManager,
        subscriber: Subscriber,
        log: StrategyLog,
        *,
        restarts: int,
        on_want: Callable[[Wanted], None],
        on_timer: Callable[[str, Timetable], None],
        on_define: Callable[[InstrumentDefined], None],
        on_offer: Callable[[Offer], object],
    ) -> None:
        self._strategy = strategy
        self._services = services
        self._trade = trade
        self._subscriber = subscriber
        self._log = log
        self._restarts = restarts
        self._on_want = on_want
        self._on_timer = on_timer
        self._on_define = on_define
        self.book = Book(strategy=strategy)
        """The own book, replaced by the worker at every notice."""
        self.is_warming = False
        self._combos = Combos(services.data.instrument, services.data.by_id, lambda: trade.working)
        self._defined: set[InstrumentId] = set()
        self.offers = WorkerOffers(strategy, services, define=self._define, tell=on_offer)

    @property
    def strategy(self) -> StrategyId:
        """The strategy's name."""
        return self._strategy

    @property
    def clock(self) -> Clock:
        """Market time."""
        return self._services.clock

    @property
    def log(self) -> StrategyLog:
        """The strategy's own log lines."""
        return self._log

    @property
    def restarts(self) -> int:
        """How often supervision has restarted the strategy."""
        return self._restarts

    def instrument(self, which: Contract | InstrumentId) -> Instrument | None:
        """Return the broker's definition; ``None`` while it is not known yet."""
        data = self._services.data
        if isinstance(which, Contract):
            return self._combos.of(which) if which.legs else data.instrument(which)
        return self._combos.by_id(which) if which < 0 else data.by_id(which)

    def position(self, contract: Contract) -> Position:
        """Return the strategy's own position."""
        instrument = self.instrument(contract)
        held = None if instrument is None else self.book.positions.get(instrument.instrument_id)
        if held is None:
            return Position(contract=contract)
        return Position(contract=contract, qty=held.qty, avg_px=held.avg_px)

    def orders(self) -> Sequence[Order]:
        """Return the strategy's own working orders."""
        return self._trade.working

    def equity(self) -> Decimal | None:
        """Return cash and positions in account currency; ``None`` while a mark or rate is missing."""
        return self._services.marks.equity(self.book)

    def cash(self) -> Mapping[Currency, Decimal]:
        """Return the strategy's own cash."""
        return self.book.cash

    @property
    def purse(self) -> WorkerPurse:
        """What the strategy sizes its orders by."""
        return WorkerPurse(self._strategy, self._services)

    def submit(self, ticket: OrderTicket) -> Accepted | Refused:
        """Gate, journal and send an order."""
        self._define(ticket.instrument)
        return self._trade.submit(ticket)

    async def preview(self, ticket: OrderTicket) -> MarginImpact | Refused:
        """Return what an order would do to the margin; the gate remembers it."""
        services = self._services
        answer = await self._trade.preview(ticket, services.marks.base)
        if isinstance(answer, MarginImpact):
            services.gate.previews.take(self._strategy, answer)
        return answer

    def submit_bracket(self, ticket: BracketTicket) -> tuple[Accepted | Refused, ...]:
        """Gate, journal and send an entry with its exits: all of them, or none."""
        self._define(ticket.entry.instrument)
        return self._trade.submit_bracket(ticket)

    def submit_group(self, tickets: Sequence[OrderTicket], kind: OcaKind) -> tuple[Accepted | Refused, ...]:
        """Gate, journal and send orders of which one fill ends or reduces the rest: all of them, or none."""
        for ticket in tickets:
            self._define(ticket.instrument)
        return self._trade.submit_group(tickets, kind)

    def _define(self, instrument: Instrument) -> None:
        # The books settle a trade by its kind of security: they must know it before the first fill.
        if instrument.instrument_id in self._defined:
            return
        for leg in instrument.legs:
            self._define(leg.instrument)
        self._defined.add(instrument.instrument_id)
        now_ns = self.clock.now_ns()
        self._on_define(InstrumentDefined(ts_event_ns=now_ns, ts_init_ns=now_ns, instrument=instrument))

    def cancel(self, cl_ord_id: ClientOrderId) -> Accepted | Refused:
        """Journal and send a cancel."""
        return _answer(cl_ord_id, self._trade.cancel(cl_ord_id))

    def replace(
        self, cl_ord_id: ClientOrderId, *, qty: Decimal, limit_px: Decimal | None, stop_px: Decimal | None
    ) -> Accepted | Refused:
        """Gate, journal and send a change; ``qty`` is the whole order's new quantity."""
        order = self._trade.get(cl_ord_id)
        instrument = None if order is None else self.instrument(order.request.instrument_id)
        if instrument is None:
            text = f"{cl_ord_id} is not a working order of this strategy"
            return Refused(cl_ord_id, Refusal(rule="order", text=text))
        return _answer(
            cl_ord_id,
            self._trade.replace(cl_ord_id, instrument, order_qty=qty, limit_px=limit_px, stop_px=stop_px),
        )

    def subscribe(self, wanted: Wanted) -> None:
        """Have market data delivered to the strategy's handlers."""
        self._on_want(wanted)
        data = self._services.data
        match wanted:
            case WantedBars():
                data.subscribe(
                    self._subscriber, wanted.contract, bar_ns=parse_bar_size(wanted.bar), warmup=wanted.warmup
                )
            case WantedQuotes():
                data.subscribe(self._subscriber, wanted.contract, kinds=Kind.QUOTES)
            case WantedTrades():
                data.subscribe(self._subscriber, wanted.contract, kinds=Kind.TRADES)

    async def history(self, contract: Contract, *, bar: str, count: int) -> list[Bar]:
        """Return the last closed bars, oldest first."""
        bar_ns = parse_bar_size(bar)
        return await asyncio.wrap_future(self._services.data.history(contract, bar_ns=bar_ns, count=count))

    def set_timer(self, name: str, timetable: Timetable) -> None:
        """Set a timer on market time."""
        self._on_timer(name, timetable)


def _answer(cl_ord_id: ClientOrderId, refusal: Refusal | None) -> Accepted | Refused:
    return Accepted(cl_ord_id) if refusal is None else Refused(cl_ord_id, refusal)
