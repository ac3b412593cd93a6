"""A strategy's view of market and time."""

from __future__ import annotations

from datetime import datetime

from ibfloor.model.instrument import Contract, Instrument
from ibfloor.model.market import Bar
from ibfloor.model.moment import to_datetime
from ibfloor.strategy.seat import Seat
from ibfloor.strategy.timetable import DailyAt, Every
from ibfloor.strategy.values import WantedBars, WantedQuotes, WantedTrades


class Watching(Seat):
    """Subscriptions, history and timers."""

    def subscribe_bars(self, contract: Contract, bar: str = "1 min", *, warmup: int = 0) -> None:
        """Have closed bars come to ``on_bar``, after the last ``warmup`` ones from history.

        Raises ``ValueError`` that lists the bar sizes there are, for any other.
        """
        self.floor.subscribe(WantedBars(contract=contract, bar=bar, warmup=warmup))

    def subscribe_quotes(self, contract: Contract) -> None:
        """Have best bid and ask come to ``on_quote``."""
        self.floor.subscribe(WantedQuotes(contract=contract))

    def subscribe_trades(self, contract: Contract) -> None:
        """Have the tape come to ``on_trade``."""
        self.floor.subscribe(WantedTrades(contract=contract))

    async def history(self, contract: Contract, bar: str = "1 min", *, count: int = 500) -> list[Bar]:
        """Return the last ``count`` closed bars, oldest first; raise ``BrokerRejected`` with the broker's text."""
        return await self.floor.history(contract, bar=bar, count=count)

    def instrument(self, contract: Contract) -> Instrument | None:
        """Return the broker's definition (tick, multiplier, hours); ``None`` while it is not known yet."""
        return self.floor.instrument(contract)

    def every(self, seconds: float, name: str) -> None:
        """Have ``on_timer(name)`` called every so many market seconds."""
        self.floor.set_timer(name, Every(seconds))

    def schedule(self, at: str, *, tz: str = "America/New_York", name: str = "") -> None:
        """Have ``on_timer`` called on weekdays at a time of day such as ``"15:55"``; its name is ``at`` by default."""
        self.floor.set_timer(name or at, DailyAt(at, tz))

    @property
    def is_warming(self) -> bool:
        """Tell whether the bar in hand comes from history: orders are refused meanwhile."""
        return self.floor.is_warming

    @property
    def now(self) -> datetime:
        """Return market time, aware, in UTC."""
        return to_datetime(self.now_ns)

    @property
    def now_ns(self) -> int:
        """Return market time in UTC nanoseconds."""
        return self.floor.clock.now_ns()
