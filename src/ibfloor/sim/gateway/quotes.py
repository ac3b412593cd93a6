"""One market data line: what a client was told of a quote, and what it must be told next."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.ids import InstrumentId
from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.gateway.codec import responses as tell
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.market.source import Market

SAMPLE_NS = NS_PER_S // 4
"""IB samples quotes: a line changes at most this often, in market time."""
_NO_PRICE = Decimal(-1)
_NONE = (_NO_PRICE, Decimal(0))

BID, ASK, LAST, HIGH, LOW, CLOSE, OPEN = 1, 2, 4, 6, 7, 9, 14
BID_SIZE, ASK_SIZE, LAST_SIZE, VOLUME, LAST_TIME, HALTED = 0, 3, 5, 8, 45, 49


class QuoteLine:
    """A subscription of one client to one instrument's quotes. Owner: the gateway's one thread."""

    def __init__(self, session: Session, req_id: int, market: Market, instrument_id: InstrumentId) -> None:
        self._session = session
        self._req_id = req_id
        self._market = market
        self._instrument_id = instrument_id
        self._bid = self._ask = _NONE
        self._day: dict[int, Decimal | None] = {}
        self.next_ns = 0
        """When the line may change again."""
        self._top: BookTop | None = None
        self._print: TapePrint | None = None

    def start(self, now_ns: int) -> None:
        """Tell everything known now."""
        self._top = self._market.top(self._instrument_id)
        self._print = self._market.last_print(self._instrument_id)
        if self._print is None:
            self._tell_day()
        self._tell(now_ns)

    def tell_halt(self, kind: int) -> None:
        """Tell whether the instrument's trading is halted: 0 not, 1 in general, 2 for volatility."""
        self._session.send(tell.TICK_GENERIC, req_id=self._req_id, type=HALTED, value=Decimal(kind))

    def on_tick(self, tick: MarketTick) -> bool:
        """Take a tick; tell it now, or hold it back until ``next_ns``; tell whether that begins now."""
        begins = self._top is None and self._print is None
        if isinstance(tick, BookTop):
            self._top = tick
        else:
            self._print = tick
        if tick.ts_ns < self.next_ns:
            return begins
        self._tell(tick.ts_ns)
        return False

    def on_time(self, now_ns: int) -> None:
        """Tell what was held back."""
        if self._top is not None or self._print is not None:
            self._tell(now_ns)

    def end(self) -> None:
        """Forget what is held back: the client wants no more."""
        self._top = self._print = None

    def _tell(self, now_ns: int) -> None:
        self.next_ns = now_ns + SAMPLE_NS
        top, self._top = self._top, None
        if top is not None:
            bid, ask = (top.bid_px or _NO_PRICE, top.bid_qty), (top.ask_px or _NO_PRICE, top.ask_qty)
            if bid != self._bid:
                self._tell_side(BID, BID_SIZE, bid, self._bid)
                self._bid = bid
            if ask != self._ask:
                self._tell_side(ASK, ASK_SIZE, ask, self._ask)
                self._ask = ask
        tape, self._print = self._print, None
        if tape is not None:
            self._tell_print(tape)

    def _tell_side(
        self, price_type: int, size_type: int, new: tuple[Decimal, Decimal], old: tuple[Decimal, Decimal]
    ) -> None:
        if new[0] != old[0]:
            self._price(price_type, new[0], new[1])
        else:
            self._size(size_type, new[1])

    def _tell_print(self, tape: TapePrint) -> None:
        self._session.send(tell.TICK_STRING, req_id=self._req_id, type=LAST_TIME, value=str(tape.ts_ns // NS_PER_S))
        self._price(LAST, tape.px, tape.qty)
        self._tell_day()

    def _tell_day(self) -> None:
        day = self._market.day(self._instrument_id)
        figures = {
            OPEN: day.open_px,
            HIGH: day.high_px,
            LOW: day.low_px,
            CLOSE: day.prev_close_px,
        }
        for kind, px in figures.items():
            if px is not None and self._day.get(kind) != px:
                self._day[kind] = px
                self._price(kind, px, Decimal(0))
        if day.volume and self._day.get(VOLUME) != day.volume:
            self._day[VOLUME] = day.volume
            self._size(VOLUME, day.volume)

    def _price(self, kind: int, px: Decimal, size: Decimal) -> None:
        self._session.send(tell.TICK_PRICE, req_id=self._req_id, type=kind, price=px, size=size)

    def _size(self, kind: int, size: Decimal) -> None:
        self._session.send(tell.TICK_SIZE, req_id=self._req_id, type=kind, size=size)
