from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibfloor.model.ids import InstrumentId
from ibfloor.model.order import OrdType, Side
from ibfloor.sim.exchange.engine import Exchange
from ibfloor.sim.exchange.values import BookTop, ExchangeEvent, ExchangeOrder, Filled, Gone, TapePrint

SPY = InstrumentId(1)


class Pit:
    """An exchange with all parts of an order; every call is one nanosecond later."""

    def __init__(self) -> None:
        self.is_regular = True
        self.exchange = Exchange(lambda _instrument_id, _ts_ns: self.is_regular)
        self.now_ns = 0

    def order(self, key: int, side: Side, qty: int, ord_type: OrdType = OrdType.MARKET, **parts: Any) -> ExchangeOrder:
        prices = {name: Decimal(value) for name, value in parts.items() if name.endswith("_px")}
        return ExchangeOrder(
            key=key, instrument_id=SPY, side=side, qty=Decimal(qty), ord_type=ord_type, **{**parts, **prices}
        )

    def place(self, key: int, side: Side, qty: int, ord_type: OrdType = OrdType.MARKET, **parts: Any) -> list[Any]:
        self.now_ns += 1
        return self.exchange.submit(self.order(key, side, qty, ord_type, **parts), self.now_ns)

    def top(self, bid: str, ask: str, size: int = 100) -> list[Any]:
        self.now_ns += 1
        qty = Decimal(size)
        top = BookTop(
            instrument_id=SPY, ts_ns=self.now_ns, bid_px=Decimal(bid), bid_qty=qty, ask_px=Decimal(ask), ask_qty=qty
        )
        return self.exchange.on_tick(top)

    def print(self, px: str, qty: int = 1) -> list[Any]:
        self.now_ns += 1
        tape = TapePrint(instrument_id=SPY, ts_ns=self.now_ns, px=Decimal(px), qty=Decimal(qty))
        return self.exchange.on_tick(tape)

    def wait(self, until_ns: int) -> list[Any]:
        self.now_ns = until_ns
        return self.exchange.on_time(until_ns)

    @staticmethod
    def fills(events: list[ExchangeEvent]) -> list[tuple[int, int, str]]:
        return [(event.key, int(event.qty), str(event.px)) for event in events if isinstance(event, Filled)]

    @staticmethod
    def ended(events: list[ExchangeEvent]) -> list[tuple[int, str]]:
        return [(event.key, event.reason) for event in events if isinstance(event, Gone)]


@pytest.fixture
def pit() -> Pit:
    made = Pit()
    made.top("10.00", "10.02")
    return made
