"""A gateway for tests: in this process, on a market and a clock that the test moves by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from ibfloor.clock import NS_PER_S
from ibfloor.model.ids import AccountId
from ibfloor.model.instrument import Instrument
from ibfloor.model.money import USD
from ibfloor.model.order import OrdType, Side, TimeInForce
from ibfloor.sim.account import SimAccount
from ibfloor.sim.faults import Fault, FaultPlan
from ibfloor.sim.gateway.book import BookReport, book_hash
from ibfloor.sim.gateway.clock import SimClock, market_start_ns
from ibfloor.sim.gateway.events import BrokerOrder, Ticket
from ibfloor.sim.gateway.gateway import Gateway
from ibfloor.sim.gateway.limits import Limits
from ibfloor.sim.gateway.scripted import ScriptedMarket
from ibfloor.sim.gateway.tcp import GatewayServer
from ibfloor.sim.market.securities import SecurityMaster

LAB_DAY = date(2013, 10, 7)


class GatewayLab:
    """An ``async with`` around a whole gateway on a free loopback port; ``book`` is the oracle.

    Owner: the running loop. It opens at 10:00 New York time with no tick in the market.
    """

    def __init__(
        self,
        *faults: Fault,
        at: str = "10:00",
        account: str = "DU1000001",
        cash: Decimal = Decimal(1_000_000),
        seed: int = 1,
        limits: Limits | None = None,
        master: SecurityMaster | None = None,
        day: date = LAB_DAY,
    ) -> None:
        self.start_ns = market_start_ns(day, at)
        self.market = ScriptedMarket(master)
        self.account = SimAccount(AccountId(account), {USD: cash})
        clock = SimClock(self.start_ns, is_stepped=True)
        plan = FaultPlan(seed=seed, faults=faults)
        self.gateway = Gateway(self.market, self.account, clock, faults=plan, limits=limits)
        self._server = GatewayServer(self.gateway, "127.0.0.1", 0)

    async def __aenter__(self) -> GatewayLab:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._server.__aexit__(*exc)

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        return self._server.port

    @property
    def book(self) -> BookReport:
        """Return the gateway's own record."""
        return self.gateway.book.report(self.gateway.broker)

    def quote(self, symbol: str, bid: str, ask: str, *, size: int = 1000, after_s: float = 0.0) -> None:
        """Move the market: time passes, then a quote of equal sizes on both sides stands."""
        self.market.quote(symbol, bid, ask, self._at(after_s), bid_qty=size, ask_qty=size)
        self.advance(after_s)

    def trade(self, symbol: str, px: str, qty: int = 100, *, after_s: float = 0.0) -> None:
        """Move the market: time passes, then others trade."""
        self.market.trade(symbol, px, qty, self._at(after_s))
        self.advance(after_s)

    def advance(self, seconds: float) -> None:
        """Let market time pass."""
        self.gateway.advance(int(seconds * NS_PER_S))

    def place_manual_order(self, symbol: str, side: Side, qty: int, limit_px: str) -> BrokerOrder:
        """Place a limit order as if by hand in TWS: no API client owns it."""
        ticket = Ticket(
            instrument=self.instrument(symbol),
            exchange="SMART",
            side=side,
            qty=Decimal(qty),
            ord_type=OrdType.LIMIT,
            limit_px=Decimal(limit_px),
            stop_px=None,
            time_in_force=TimeInForce.DAY,
            outside_hours=False,
            transmit=True,
            what_if=False,
            account=self.account.account,
            order_ref="",
            attributes={},
        )
        order = self.gateway.broker.place_manual_order(ticket, self.gateway.now_ns())
        self.gateway.flush()
        return order

    def instrument(self, symbol: str) -> Instrument:
        """Return what the gateway knows of a symbol; raise ``KeyError`` for none."""
        security = self.market.master.by_symbol(symbol)
        if security is None:
            raise KeyError(symbol)
        return security.instrument

    @property
    def book_hash(self) -> str:
        """Return a digest of the gateway's own record: equal records, equal digests."""
        return book_hash(self.book)

    def inject(self, fault: Fault) -> None:
        """Arm a fault now."""
        self.gateway.faults.inject(fault)
        self.gateway.flush()

    def clear(self, name: str) -> None:
        """Disarm a fault and end what it does."""
        self.gateway.faults.clear(name)
        self.gateway.flush()

    def cut_connections(self) -> None:
        """Drop every client, as a restart of the gateway does."""
        self._server.drop_connections()

    def _at(self, after_s: float) -> int:
        return self.gateway.now_ns() + int(after_s * NS_PER_S)
