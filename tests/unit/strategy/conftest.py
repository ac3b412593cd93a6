"""A desk for one strategy: the StrategyContext on a deterministic, hand-driven market."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from ibfloor.execution.ticket import BracketTicket, OrderTicket
from ibfloor.model.ids import ClientOrderId, ExecId, InstrumentId, StrategyId, cl_ord_id
from ibfloor.model.instrument import Contract, Instrument, Stock
from ibfloor.model.margin import MarginImpact
from ibfloor.model.market import Bar, Quote
from ibfloor.model.moment import NS_PER_MINUTE, NS_PER_S, from_datetime
from ibfloor.model.money import USD, Currency
from ibfloor.model.order import (
    Accepted,
    Order,
    OrderRequest,
    OrdStatus,
    OrdType,
    Refusal,
    Refused,
    Side,
)
from ibfloor.model.terms import Oca, OcaKind, OrderTerms
from ibfloor.risk.left import InstrumentLeft, LimitsLeft
from ibfloor.strategy.base import Strategy
from ibfloor.strategy.handlers import overridden
from ibfloor.strategy.timetable import Timers, Timetable
from ibfloor.strategy.values import Fill, Offer, Position, Wanted, WantedBars, WantedQuotes

NEW_YORK = ZoneInfo("America/New_York")
HALF_SPREAD = 0.01


def new_york(at: str) -> int:
    return from_datetime(datetime.fromisoformat(f"2026-03-02T{at}").replace(tzinfo=NEW_YORK))


class HandClock:
    speed = 1.0

    def __init__(self, now_ns: int) -> None:
        self.ns = now_ns

    def now_ns(self) -> int:
        return self.ns

    def wall_delay_s(self, until_ns: int) -> float:
        return max(0.0, (until_ns - self.ns) / NS_PER_S)


class Lines:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def debug(self, event: str, **fields: object) -> None:
        self.lines.append(("debug", event, fields))

    def info(self, event: str, **fields: object) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.lines.append(("error", event, fields))


class Desk:
    """Orders work at once and fill at the touch, ``lot`` shares at a time.

    As on the floor, a change or a cancel shows in an order's status only when its report is delivered.
    """

    def __init__(self, strategy: Strategy[Any], *, at: str = "09:26") -> None:
        self.strategy = StrategyId("desk")
        self.trader = strategy
        self.clock = HandClock(new_york(at))
        self.log = Lines()
        self.is_warming = False
        self.restarts = 0
        self.allocated: Decimal | None = None
        self.lot = Decimal(1_000_000)
        self.refuse: Callable[[OrderRequest], Refusal | None] = lambda request: None
        self.reject: Callable[[OrderRequest], bool] = lambda request: False
        self.wanted: list[Wanted] = []
        self.past: dict[str, list[Bar]] = {}
        self.all_orders: dict[ClientOrderId, Order] = {}
        self.changes: list[OrderRequest] = []
        self.fills: list[Fill] = []
        self.timers = Timers()
        self.offered: list[tuple[OrderTicket, float]] = []
        self.withdrawn: list[ClientOrderId] = []
        self._books: dict[str, Quote] = {}
        self._held: dict[str, Decimal] = {}
        self._instruments: dict[str, Instrument] = {}
        self._handlers = overridden(type(strategy))
        self._events: deque[Callable[[], object]] = deque()

    # what the strategy sees

    @property
    def purse(self) -> Desk:
        return self

    @property
    def offers(self) -> Desk:
        return self

    def make(self, ticket: OrderTicket, for_s: float) -> Offer | Refused:
        self.offered.append((ticket, for_s))
        return Refused(ClientOrderId(""), Refusal(rule="crossing", text="crossing is off"))

    def withdraw(self, offer_id: ClientOrderId) -> None:
        self.withdrawn.append(offer_id)

    def capital(self) -> Decimal | None:
        return self.allocated

    def worth_of_one(self, contract: Contract) -> Decimal | None:
        quote = self._books.get(contract.symbol)
        return None if quote is None else (Decimal(repr(quote.bid_px)) + Decimal(repr(quote.ask_px))) / 2

    def limits(self) -> LimitsLeft:
        return LimitsLeft(version=1, can_enter=True, orders_now=3)

    def limits_of(self, contract: Contract) -> InstrumentLeft | None:
        room = InstrumentLeft(buy_qty=Decimal(7), sell_qty=Decimal(7), long_qty=None, short_qty=None)
        return room if contract.symbol in self._instruments else None

    def instrument(self, which: Contract | InstrumentId) -> Instrument | None:
        if isinstance(which, Contract):
            return self.instrument_of(which.symbol)
        return next((each for each in self._instruments.values() if each.instrument_id == which), None)

    def position(self, contract: Contract) -> Position:
        return Position(contract=contract, qty=self._held.get(contract.symbol, Decimal(0)))

    def orders(self) -> Sequence[Order]:
        return [order for order in self.all_orders.values() if not order.status.is_done]

    def equity(self) -> Decimal | None:
        return Decimal(100_000)

    def cash(self) -> Mapping[Currency, Decimal]:
        return {USD: Decimal(100_000)}

    def submit(self, ticket: OrderTicket) -> Accepted | Refused:
        return self._submit(ticket, ticket.terms)

    async def preview(self, ticket: OrderTicket) -> MarginImpact | Refused:
        return Refused(ClientOrderId(""), Refusal(rule="connection", text="no broker stands behind this desk"))

    def submit_bracket(self, ticket: BracketTicket) -> tuple[Accepted | Refused, ...]:
        entry = self._submit(ticket.entry, ticket.entry.terms)
        terms = OrderTerms(bracket=entry.cl_ord_id)
        return entry, *(self._submit(each, terms) for each in ticket.exits)

    def submit_group(self, tickets: Sequence[OrderTicket], kind: OcaKind) -> tuple[Accepted | Refused, ...]:
        terms = OrderTerms(oca=Oca(group="desk:group", kind=kind))
        return tuple(self._submit(each, terms) for each in tickets)

    def _submit(self, ticket: OrderTicket, terms: OrderTerms | None) -> Accepted | Refused:
        request = ticket.named(cl_ord_id(self.strategy, len(self.all_orders) + 1), self.strategy, terms)
        refusal = self.refuse(request)
        if refusal:
            return Refused(request.cl_ord_id, refusal)
        status = OrdStatus.PENDING_NEW
        order = Order(request=request, status=status, client_id=1, order_id=len(self.all_orders) + 1)
        self.all_orders[request.cl_ord_id] = order
        answer = OrdStatus.REJECTED if self.reject(request) else OrdStatus.NEW
        self._events.append(lambda: self._call("on_order", order))
        self._events.append(lambda: self._report(request.cl_ord_id, answer))
        return Accepted(request.cl_ord_id)

    def cancel(self, order_id: ClientOrderId) -> Accepted | Refused:
        self._events.append(lambda: self._report(order_id, OrdStatus.PENDING_CANCEL))
        self._events.append(lambda: self._report(order_id, OrdStatus.CANCELED))
        return Accepted(order_id)

    def replace(
        self, order_id: ClientOrderId, *, qty: Decimal, limit_px: Decimal | None, stop_px: Decimal | None
    ) -> Accepted | Refused:
        request = self.all_orders[order_id].request
        changed = msgspec.structs.replace(request, order_qty=qty, limit_px=limit_px, stop_px=stop_px)
        self.changes.append(changed)
        self._events.append(lambda: self._report(order_id, OrdStatus.PENDING_REPLACE))
        self._events.append(lambda: self._take_change(changed))
        return Accepted(order_id)

    def subscribe(self, wanted: Wanted) -> None:
        self.wanted.append(wanted)

    async def history(self, contract: Contract, *, bar: str, count: int) -> list[Bar]:
        return self.past.get(contract.symbol, [])[-count:]

    def set_timer(self, name: str, timetable: Timetable) -> None:
        self.timers.set(name, timetable, self.clock.now_ns())

    # what the test does

    def start(self) -> None:
        self.trader.bind(self)
        self.call("on_start")
        self.is_warming = True
        for wanted in self.wanted:
            if isinstance(wanted, WantedBars) and wanted.warmup:
                for bar in self.past.get(wanted.contract.symbol, [])[-wanted.warmup :]:
                    self.call("on_bar", bar)
        self.is_warming = False

    def instrument_of(self, symbol: str) -> Instrument:
        if symbol not in self._instruments:
            number = InstrumentId(len(self._instruments) + 1)
            self._instruments[symbol] = Instrument(
                instrument_id=number, contract=Stock(symbol), local_symbol=symbol, currency=USD
            )
        return self._instruments[symbol]

    def bar_at(self, symbol: str, start_ns: int, *prices: float) -> Bar:
        open_px, high_px, low_px, close_px = prices if len(prices) == 4 else prices * 4
        return Bar(
            self.instrument_of(symbol), start_ns, NS_PER_MINUTE, open_px, high_px, low_px, close_px, volume=1000.0
        )

    def bar(self, symbol: str, *prices: float) -> None:
        """Let the minute that ends now close with open, high, low, close (or one price)."""
        bar = self.bar_at(symbol, self.clock.ns - NS_PER_MINUTE, *prices)
        self.touch(symbol, bar.close_px)
        if any(isinstance(each, WantedBars) and each.contract.symbol == symbol for each in self.wanted):
            self.call("on_bar", bar)

    def touch(self, symbol: str, px: float) -> None:
        """Move the market, and deliver the quote where it is wanted."""
        bid, ask = round(px - HALF_SPREAD, 2), round(px + HALF_SPREAD, 2)
        self._books[symbol] = Quote(self.instrument_of(symbol), self.clock.ns, bid, ask, 500.0, 500.0)
        self.settle()
        if any(isinstance(each, WantedQuotes) and each.contract.symbol == symbol for each in self.wanted):
            self.call("on_quote", self._books[symbol])

    def forward(self, seconds: float) -> None:
        """Let market time pass, firing timers on the way."""
        end = self.clock.ns + int(seconds * NS_PER_S)
        while (due := self.timers.next_ns) is not None and due <= end:
            self.clock.ns = due
            for name in self.timers.due(due):
                self.call("on_timer", name)
        self.clock.ns = end

    def call(self, handler: str, *args: object) -> None:
        self._call(handler, *args)
        self.settle()

    def step(self, status: OrdStatus) -> None:
        """Deliver reports until an order has a status."""
        while status not in {order.status for order in self.all_orders.values()}:
            self._events.popleft()()

    def held(self, symbol: str) -> Decimal:
        return self._held.get(symbol, Decimal(0))

    def working(self, ord_type: OrdType) -> list[Order]:
        return [order for order in self.orders() if order.request.ord_type is ord_type]

    def _call(self, handler: str, *args: object) -> None:
        if handler in self._handlers:
            result = getattr(self.trader, handler)(*args)
            if inspect.iscoroutine(result):
                asyncio.run(result)

    def _change(self, order_id: ClientOrderId, **changes: Any) -> Order:
        order = self.all_orders[order_id] = msgspec.structs.replace(self.all_orders[order_id], **changes)
        return order

    def _report(self, order_id: ClientOrderId, status: OrdStatus) -> None:
        if not self.all_orders[order_id].status.is_done:
            self._call("on_order", self._change(order_id, status=status))

    def _take_change(self, changed: OrderRequest) -> None:
        order = self.all_orders[changed.cl_ord_id]
        if not order.status.is_done:
            self._change(changed.cl_ord_id, request=changed)
            self._report(changed.cl_ord_id, OrdStatus.PARTIALLY_FILLED if order.cum_qty else OrdStatus.NEW)

    def settle(self) -> None:
        for _ in range(100):
            if self._events:
                self._events.popleft()()
            elif (order := next((each for each in self.orders() if self._px(each)), None)) is not None:
                self._fill(order)
            else:
                return
        raise AssertionError("the strategy sends orders without end")

    def _px(self, order: Order) -> float | None:
        request = order.request
        book = next((each for each in self._books.values() if each.instrument_id == request.instrument_id), None)
        if book is None or order.status in (OrdStatus.PENDING_NEW, OrdStatus.UNKNOWN):
            return None
        px = book.ask_px if request.side is Side.BUY else book.bid_px
        sign = request.side.sign
        if request.limit_px is not None and px * sign > float(request.limit_px) * sign:
            return None
        if request.stop_px is not None and px * sign < float(request.stop_px) * sign:
            return None
        return px

    def _fill(self, order: Order) -> None:
        request, px = order.request, Decimal(str(self._px(order)))
        qty = min(self.lot, order.leaves_qty)
        instrument = self.instrument(request.instrument_id)
        assert instrument is not None
        symbol = instrument.contract.symbol
        self._held[symbol] = self.held(symbol) + qty * request.side.sign
        cum_qty = order.cum_qty + qty
        status = OrdStatus.FILLED if cum_qty == request.order_qty else OrdStatus.PARTIALLY_FILLED
        changed = self._change(order.cl_ord_id, cum_qty=cum_qty, status=status)
        fill = Fill(
            exec_id=ExecId(f"x.{len(self.fills)}.01"),
            cl_ord_id=order.cl_ord_id,
            instrument=instrument,
            side=request.side,
            qty=qty,
            px=px,
            ts_event_ns=self.clock.ns,
            note=request.note,
        )
        self.fills.append(fill)
        self._call("on_fill", fill)
        self._call("on_order", changed)


@pytest.fixture
def make_desk() -> Callable[..., Desk]:
    return Desk
