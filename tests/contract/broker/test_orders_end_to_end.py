"""Orders from a strategy's hand to the simulated gateway and back; the gateway's own book is the oracle."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

import ibfloor as floor
from ibfloor import Accepted, Bracket, OrdStatus, Refused, Side, Stock, Strategy, StrategyParams
from ibfloor.broker.ib.clients import IbClients
from ibfloor.broker.ib.settings import IbSettings
from ibfloor.clock import FloorClock
from ibfloor.execution.order_table import OrderTable
from ibfloor.execution.ticket import BracketTicket, OrderTicket
from ibfloor.execution.trade_manager import TradeManager
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.fact import AnyFact, OrderFilled, OrderRejected, OrderSubmitted
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.instrument import Contract, Instrument
from ibfloor.model.market import Halt, Quote
from ibfloor.model.moment import to_datetime
from ibfloor.model.money import USD
from ibfloor.model.order import Order
from ibfloor.model.terms import OcaKind
from ibfloor.portfolio.books import Books
from ibfloor.risk.gate import RiskGate
from ibfloor.risk.limits import AccountLimits, RiskLimits, StrategyLimits
from ibfloor.sim.faults import Fault
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.events import BrokerOrder
from ibfloor.sim.gateway.lab import GatewayLab

ALPHA = StrategyId("alpha")
SPY = Stock("SPY")
BUY, SELL = (SPY, Side.BUY, 100), (SPY, Side.SELL, 100)
D = Decimal
LIMITS = RiskLimits(
    version=1,
    base_currency=USD,
    account=AccountLimits(max_gross_exposure=D(10_000_000)),
    strategy=StrategyLimits(
        max_order_qty=D(10_000),
        max_order_notional=D(5_000_000),
        max_position_qty=D(100),
        max_position_notional=None,
        collar_pct=D(5),
        quote_age_max_s=D(60),
        order_rate_per_s=None,
        order_burst=D(1),
    ),
)


class Log:
    def warning(self, event: str, **fields: object) -> None: ...


class Pit:
    """One strategy's whole way out and back: gate, journal, session, order table, books; and its context."""

    is_warming = False
    log = Log()
    strategy = ALPHA

    def __init__(self, lab: GatewayLab) -> None:
        self.lab = lab
        self.clock = FloorClock()
        settings = IbSettings(host="127.0.0.1", port=lab.port, heartbeat_s=0.2, heartbeat_deadline_s=0.5)
        clients = IbClients(settings, self.clock, self.take, rng=random.Random(7))
        self.session = clients.order_session(ALPHA, 10)
        self.data = clients.data_session(lambda batch: None, on_clock=self.clock.follow)
        self.seen: list[AnyFact] = []
        self.journal: list[AnyFact] = []
        self.table, self.books = OrderTable(), Books()
        self.risk = RiskGate(LIMITS)
        self.gate = SharedGate(self.risk, self._quote, self.clock)
        self.alarms: list[str] = []
        self.spy: Instrument
        self._changed = asyncio.Event()
        self.trade = TradeManager(
            ALPHA,
            client_id=10,
            last_intent=0,
            gate=self.gate,
            journal=self,
            door=self.session,
            sink=self.take,
            clock=self.clock,
            instruments=lambda _: self.spy,
            later=self.soon,
            alarm=self.alarms.append,
        )
        self.trader = Strategy[StrategyParams](StrategyParams())
        self.trader.bind(self)  # type: ignore[arg-type] # as much of a floor as an order needs

    def append(self, fact: AnyFact) -> None:
        self.journal.append(fact)

    def take(self, fact: AnyFact) -> None:
        self.seen.append(fact)
        if not self.table.is_news(fact):
            return
        order = self.table.apply(fact)
        self.books.apply(fact)
        self.gate.apply(fact, order)
        if order is not None:
            self.trade.update(order)
        self._changed.set()

    def soon(self, act: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(0.05, act)

    def instrument(self, which: Contract | InstrumentId) -> Instrument:
        return self.spy

    def orders(self) -> Sequence[Order]:
        return self.trade.working

    def submit(self, ticket: OrderTicket) -> Accepted | Refused:
        return self.trade.submit(ticket)

    def submit_bracket(self, ticket: BracketTicket) -> tuple[Accepted | Refused, ...]:
        return self.trade.submit_bracket(ticket)

    def submit_group(self, tickets: Sequence[OrderTicket], kind: OcaKind) -> tuple[Accepted | Refused, ...]:
        return self.trade.submit_group(tickets, kind)

    def cancel(self, cl_ord_id: ClientOrderId) -> Accepted | Refused:
        refusal = self.trade.cancel(cl_ord_id)
        return Accepted(cl_ord_id) if refusal is None else Refused(cl_ord_id, refusal)

    def replace(self, cl_ord_id: ClientOrderId, **change: Any) -> Accepted | Refused:
        change["order_qty"] = change.pop("qty")
        refusal = self.trade.replace(cl_ord_id, self.spy, **change)
        return Accepted(cl_ord_id) if refusal is None else Refused(cl_ord_id, refusal)

    def _quote(self, _instrument_id: InstrumentId) -> Quote:
        return Quote(self.spy, self.clock.now_ns(), 168.0, 168.02, 500.0, 500.0)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def stands(self, answer: object, status: OrdStatus) -> None:
        assert isinstance(answer, Accepted), answer
        await self.until(lambda: self.status(answer) is status)

    def status(self, answer: Accepted) -> OrdStatus | None:
        order = self.table.get(answer.cl_ord_id)
        return None if order is None else order.status

    def theirs(self, answer: Accepted | Refused | None) -> BrokerOrder:
        """Return what the gateway holds of an intent: exactly one order."""
        assert isinstance(answer, Accepted)
        (order,) = [
            each for each in self.lab.gateway.broker._orders.values() if each.ticket.order_ref == answer.cl_ord_id
        ]
        return order

    @property
    def held(self) -> Decimal:
        position = self.books.book(ALPHA).positions.get(self.spy.instrument_id)
        return D(0) if position is None else position.qty

    def agrees(self) -> None:
        """Hold our fills and position against the gateway's."""
        ours = {fact.exec_id: (fact.last_qty, fact.last_px) for fact in self.seen if isinstance(fact, OrderFilled)}
        assert ours == {row.exec_id: (row.qty, row.px) for row in self.lab.book.executions}
        assert {row.symbol: row.qty for row in self.lab.book.positions if row.qty} == (
            {"SPY": self.held} if self.held else {}
        )


@pytest.fixture
def in_pit(within: Any) -> Any:
    def run(test: Any) -> None:
        async def connected() -> None:
            async with GatewayLab() as lab:
                pit = Pit(lab)
                lab.quote("SPY", "168.00", "168.02", size=1000)
                await pit.data.open()
                await pit.session.open()
                pit.spy = await pit.data.resolve(SPY)
                try:
                    await test(pit)
                finally:
                    await pit.session.close()
                    await pit.data.close()

        within(connected)

    return run


def test_every_kind_of_order_stands_at_the_gateway_as_it_was_meant(in_pit: Any) -> None:
    async def test(pit: Pit) -> None:
        until = to_datetime(pit.lab.gateway.now_ns()) + timedelta(hours=1)
        wanted: list[tuple[Any, str, str, dict[str, Any]]] = [
            (floor.Limit(*BUY, 160), "LMT", "DAY", {"lmt_price": D(160)}),
            (floor.Limit(*BUY, 160, tif="GTC", outside_rth=True), "LMT", "GTC", {"outside_rth": True}),
            (
                floor.Limit(*BUY, 160, tif=floor.GoodTill(until)),
                "LMT",
                "GTD",
                {"good_till_date": f"{until:%Y%m%d-%H:%M:%S}"},
            ),
            (floor.Limit(*BUY, 160, good_after=until), "LMT", "DAY", {"good_after_time": f"{until:%Y%m%d-%H:%M:%S}"}),
            (floor.Stop(*BUY, 175), "STP", "DAY", {"aux_price": D(175)}),
            (floor.StopLimit(*BUY, 175, 176), "STP LMT", "DAY", {"aux_price": D(175), "lmt_price": D(176)}),
            (floor.Trail(*BUY, by=2), "TRAIL", "DAY", {"aux_price": D(2)}),
            (floor.Trail(*BUY, by=floor.Percent(1.5)), "TRAIL", "DAY", {"trailing_percent": D("1.5")}),
            (
                floor.TrailLimit(*BUY, by=2, offset=0.1),
                "TRAIL LIMIT",
                "DAY",
                {"aux_price": D(2), "lmt_price_offset": D("0.1")},
            ),
            (floor.MarketIfTouched(*BUY, 160), "MIT", "DAY", {"aux_price": D(160)}),
            (floor.LimitIfTouched(*BUY, 160, 159), "LIT", "DAY", {"aux_price": D(160), "lmt_price": D(159)}),
            (floor.MarketOnClose(*BUY), "MOC", "DAY", {}),
            (floor.LimitOnClose(*BUY, 160), "LOC", "DAY", {"lmt_price": D(160)}),
            (floor.MarketOnOpen(*BUY), "MKT", "OPG", {}),
            (floor.LimitOnOpen(*BUY, 160), "LMT", "OPG", {"lmt_price": D(160)}),
            (floor.Relative(*BUY, offset=0.01, cap=165), "REL", "DAY", {"lmt_price": D(165), "aux_price": D("0.01")}),
            (floor.Limit(*BUY, 160, algo=floor.adaptive("Patient")), "LMT", "DAY", {"algo_strategy": "Adaptive"}),
        ]
        for order, kind, tif, fields in wanted:
            answer = pit.trader.submit(order)
            assert isinstance(answer, Accepted), answer
            await pit.stands(answer, OrdStatus.NEW)
            theirs = pit.theirs(answer).ticket
            assert (theirs.type_text, theirs.tif_text) == (kind, tif)
            assert {name: theirs.attributes.get(name) for name in fields} == fields
            assert isinstance(pit.trader.cancel(answer), Accepted)
            await pit.stands(answer, OrdStatus.CANCELED)
        assert pit.lab.book.executions == []

    in_pit(test)


def test_orders_that_fill_at_once_or_not_at_all(in_pit: Any) -> None:
    async def test(pit: Pit) -> None:
        killed = pit.trader.submit(floor.Limit(SPY, Side.BUY, 100, 167.5, tif="FOK"))
        await pit.stands(killed, OrdStatus.CANCELED)
        best = pit.trader.submit(floor.MarketToLimit(*BUY))
        await pit.stands(best, OrdStatus.FILLED)
        assert pit.held == 100
        pit.agrees()

    in_pit(test)


def test_the_contracts_own_rules_come_with_it(in_pit: Any) -> None:
    async def test(pit: Pit) -> None:
        rules = pit.spy.rules
        assert {"MKT", "STPLMT", "OPG"} <= set(rules.order_types)
        assert "SMART" in rules.exchanges
        assert rules.price_steps[-1][1] == D("0.01")
        assert rules.is_open(pit.lab.gateway.now_ns(), outside_rth=False) is True
        refused = pit.trader.submit(floor.Limit(*BUY, D("160.001")))
        assert isinstance(refused, Refused)
        assert pit.lab.book.orders == []

    in_pit(test)


def test_bracket_follows_its_fills_and_ends_flat(in_pit: Any) -> None:
    async def test(pit: Pit) -> None:
        bracket = pit.trader.bracket(floor.Limit(*BUY, 167), take_profit=170, stop=165)
        assert isinstance(bracket, Bracket), bracket
        await pit.stands(bracket.entry, OrdStatus.NEW)
        await pit.stands(bracket.stop, OrdStatus.NEW)
        entry, profit, stop = (pit.theirs(each) for each in (bracket.entry, bracket.take_profit, bracket.stop))
        assert {profit.parent_perm_id, stop.parent_perm_id} == {entry.perm_id}
        assert not any(order.is_held for order in (entry, profit, stop)), "all are let go by the last"
        pit.lab.quote("SPY", "166.98", "167.00", size=40, after_s=1)
        await pit.until(lambda: pit.held == 40)
        assert pit.risk.exposures.slot(ALPHA, pit.spy.instrument_id).sells == 40
        pit.lab.quote("SPY", "166.98", "167.00", size=500, after_s=1)
        await pit.stands(bracket.entry, OrdStatus.FILLED)
        pit.lab.quote("SPY", "170.00", "170.02", size=30, after_s=1)
        await pit.until(lambda: pit.held == 70)
        pit.lab.quote("SPY", "164.99", "165.00", size=500, after_s=1)
        pit.lab.trade("SPY", "164.99", after_s=1)
        await pit.until(lambda: pit.held == 0)
        await pit.until(lambda: not pit.trade.working)
        slot = pit.risk.exposures.slot(ALPHA, pit.spy.instrument_id)
        assert (slot.qty, slot.buys, slot.sells) == (D(0), D(0), D(0))
        assert pit.alarms == []
        pit.agrees()

    in_pit(test)


def test_stop_of_a_filled_bracket_can_be_moved(in_pit: Any) -> None:
    async def test(pit: Pit) -> None:
        bracket = pit.trader.bracket(floor.Market(*BUY), take_profit=172, stop=165)
        assert isinstance(bracket, Bracket), bracket
        await pit.stands(bracket.entry, OrdStatus.FILLED)
        await pit.stands(bracket.stop, OrdStatus.NEW)
        assert bracket.stop is not None
        assert isinstance(pit.trader.replace(bracket.stop, stop=166), Accepted)
        stop = bracket.stop.cl_ord_id
        await pit.until(lambda: pit.trade._working[stop].request.stop_px == 166)
        assert pit.theirs(bracket.stop).stop_px == 166
        assert not [fact for fact in pit.seen if isinstance(fact, OrderRejected)]
        pit.lab.quote("SPY", "165.90", "165.92", after_s=1)
        pit.lab.trade("SPY", "165.90", after_s=1)
        await pit.until(lambda: pit.held == 0)
        await pit.stands(bracket.take_profit, OrdStatus.CANCELED)
        pit.agrees()

    in_pit(test)


def test_stop_the_broker_takes_away_is_sent_again(in_pit: Any) -> None:
    async def test(pit: Pit) -> None:
        bracket = pit.trader.bracket(floor.Market(*BUY), stop=165)
        assert isinstance(bracket, Bracket), bracket
        await pit.stands(bracket.entry, OrdStatus.FILLED)
        await pit.stands(bracket.stop, OrdStatus.NEW)
        lost = pit.theirs(bracket.stop)
        pit.lab.gateway.broker.cancel(lost.client_id, lost.order_id, pit.lab.gateway.now_ns())
        pit.lab.gateway.flush()
        await pit.until(lambda: bool(pit.alarms))
        (again,) = pit.trade.working
        await pit.stands(Accepted(again.cl_ord_id), OrdStatus.NEW)
        theirs = pit.theirs(Accepted(again.cl_ord_id))
        assert (theirs.ticket.side, theirs.ticket.qty, theirs.stop_px, theirs.ticket.tif_text) == (
            SELL[1],
            D(100),
            D(165),
            "GTC",
        )
        assert "sent again" in pit.alarms[0]

    in_pit(test)


def test_entry_whose_stop_is_taken_away_is_canceled_before_it_fills(in_pit: Any) -> None:
    async def test(pit: Pit) -> None:
        bracket = pit.trader.bracket(floor.Limit(*BUY, 167), take_profit=170, stop=165)
        assert isinstance(bracket, Bracket), bracket
        await pit.stands(bracket.stop, OrdStatus.NEW)
        lost = pit.theirs(bracket.stop)
        pit.lab.gateway.broker.cancel(lost.client_id, lost.order_id, pit.lab.gateway.now_ns())
        pit.lab.gateway.flush()
        await pit.stands(bracket.entry, OrdStatus.CANCELED)
        await pit.until(lambda: not pit.trade.working)
        assert pit.lab.book.executions == []

    in_pit(test)


def test_entry_with_an_exit_at_the_close(in_pit: Any) -> None:
    async def test(pit: Pit) -> None:
        bracket = pit.trader.bracket(floor.Market(*BUY), at_close=True)
        assert isinstance(bracket, Bracket), bracket
        await pit.stands(bracket.entry, OrdStatus.FILLED)
        await pit.stands(bracket.at_close, OrdStatus.NEW)
        theirs = pit.theirs(bracket.at_close).ticket
        assert (theirs.type_text, theirs.side) == ("MOC", Side.SELL)

    in_pit(test)


def test_fill_of_one_of_a_group_cancels_the_other(in_pit: Any) -> None:
    async def test(pit: Pit) -> None:
        first, second = pit.trader.one_cancels_all(floor.Limit(*BUY, 167), floor.Stop(*BUY, 170))
        await pit.stands(first, OrdStatus.NEW)
        await pit.stands(second, OrdStatus.NEW)
        assert {pit.theirs(each).ticket.oca_type for each in (first, second)} == {1}
        pit.lab.quote("SPY", "166.98", "167.00", after_s=1)
        await pit.stands(first, OrdStatus.FILLED)
        await pit.stands(second, OrdStatus.CANCELED)
        assert pit.held == 100
        pit.agrees()

    in_pit(test)


def test_nothing_is_written_that_was_not_journaled(in_pit: Any) -> None:
    async def test(pit: Pit) -> None:
        pit.trader.bracket(floor.Limit(*BUY, 167), take_profit=170, stop=165)
        await pit.until(lambda: len(pit.lab.book.orders) >= 3)
        journaled = {fact.request.cl_ord_id for fact in pit.journal if isinstance(fact, OrderSubmitted)}
        assert {row.order_ref for row in pit.lab.book.orders} <= journaled

    in_pit(test)


def test_halted_instrument_takes_exits_and_cancels_and_no_entry_until_it_trades_again(in_pit: Any) -> None:
    async def test(pit: Pit) -> None:
        halts, spy = pit.risk.permissions.halts, pit.spy.instrument_id
        told: list[Halt] = []

        def on_halted(instrument: Instrument, halt: Halt) -> None:
            pit.gate.limits.take_halt(instrument.instrument_id, halt)
            told.append(halt)
            pit._changed.set()

        pit.data.on_halted = on_halted
        pit.data.subscribe(pit.spy)
        await pit.until(lambda: told == [Halt.NONE])
        await pit.stands(pit.trader.submit(floor.Market(SPY, Side.BUY, 40)), OrdStatus.FILLED)
        rests = pit.trader.submit(floor.Limit(SPY, Side.BUY, 10, 160))
        await pit.stands(rests, OrdStatus.NEW)
        assert isinstance(rests, Accepted)
        pit.lab.inject(Fault(name="halt", what=do.Halt(symbol="SPY", for_s=60)))
        await pit.until(lambda: spy in halts)
        entry = pit.trader.submit(floor.Limit(SPY, Side.BUY, 10, 168))
        assert isinstance(entry, Refused)
        assert (entry.reason.rule, entry.reason.text) == ("halted", "SPY is halted by its exchange")
        assert isinstance(pit.trader.cancel(rests), Accepted)
        await pit.stands(rests, OrdStatus.CANCELED)
        out = pit.trader.submit(floor.Market(SPY, Side.SELL, 40))
        await pit.stands(out, OrdStatus.NEW)
        pit.lab.quote("SPY", "168.10", "168.12", after_s=1)
        assert len(pit.lab.book.executions) == 1, "it waits at the broker"
        pit.lab.clear("halt")
        await pit.stands(out, OrdStatus.FILLED)
        await pit.until(lambda: spy not in halts)
        await pit.stands(pit.trader.submit(floor.Market(SPY, Side.BUY, 10)), OrdStatus.FILLED)
        pit.agrees()

    in_pit(test)
