"""The three sessions against the simulated gateway, whose own book is the oracle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ibfloor.model.account import AccountReported, BrokerSnapshot
from ibfloor.model.errors import BrokerRejected
from ibfloor.model.fact import FeeReported, OrderFilled, OrderRejected, OrderReported, SessionChanged, SessionState
from ibfloor.model.ids import UNASSIGNED, ClientOrderId, StrategyId
from ibfloor.model.instrument import Forex, Future, Instrument, Option, Stock
from ibfloor.model.market import MarketEvent, Quote, Trade
from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.model.order import OrderRequest, OrdStatus, OrdType, Side
from ibfloor.sim.gateway.lab import LAB_DAY, GatewayLab
from ibfloor.sim.market.listing import WORLD, read_listing
from ibfloor.sim.market.securities import default_master

ALPHA = StrategyId("alpha")


class Desk:
    """A lab and the floor's three sessions on it."""

    def __init__(self, lab: GatewayLab, floor: Any) -> None:
        self.lab, self.facts = lab, floor.facts
        self.reports: list[AccountReported] = []
        self.ticks: list[MarketEvent] = []
        self._ticked = asyncio.Event()
        self.master = floor.clients.master_session(self.reports.append)
        self.data = floor.clients.data_session(self._take, on_clock=floor.clock.follow)
        self.orders = floor.clients.order_session(ALPHA, 10)

    def _take(self, batch: tuple[MarketEvent, ...]) -> None:
        self.ticks.extend(batch)
        self._ticked.set()

    async def ticked(self, fits: Callable[[MarketEvent], bool]) -> MarketEvent:
        async with asyncio.timeout(20):
            while not (found := [tick for tick in self.ticks if fits(tick)]):
                self._ticked.clear()
                await self._ticked.wait()
        return found[0]

    async def spy(self) -> Instrument:
        instrument: Instrument = await self.data.resolve(Stock("SPY"))
        return instrument

    def request(self, number: int, side: Side = Side.BUY, qty: int = 100, limit: str | None = None) -> OrderRequest:
        return OrderRequest(
            cl_ord_id=ClientOrderId(f"alpha:{number}"),
            strategy=ALPHA,
            instrument_id=self.lab.instrument("SPY").instrument_id,
            side=side,
            order_qty=Decimal(qty),
            ord_type=OrdType.LIMIT if limit else OrdType.MARKET,
            limit_px=Decimal(limit) if limit else None,
        )

    async def reported(self, number: int, status: OrdStatus) -> OrderReported:
        def fits(fact: Any) -> bool:
            return isinstance(fact, OrderReported) and fact.cl_ord_id == f"alpha:{number}" and fact.status is status

        report: OrderReported = await self.facts.wait(fits)
        return report


@pytest.fixture
def on_desk(floor_at: Any, within: Any) -> Any:
    """Run a test with a lab and three open sessions."""

    def run(test: Any, **settings: Any) -> None:
        async def connected() -> None:
            async with GatewayLab(**settings) as lab:
                desk = Desk(lab, floor_at(lab.port))
                sessions = (desk.master, desk.data, desk.orders)
                for session in sessions:
                    await session.open()
                try:
                    await test(desk)
                finally:
                    for session in reversed(sessions):
                        await session.close()

        within(connected)

    return run


def test_order_from_wire_to_book_is_the_gateways_own_truth(on_desk: Any) -> None:
    async def test(desk: Desk) -> None:
        spy = await desk.spy()
        desk.lab.quote("SPY", "168.00", "168.02", size=60, after_s=1)
        desk.orders.submit(desk.request(1), spy, desk.orders.next_order_id())
        await desk.reported(1, OrdStatus.NEW)
        desk.lab.quote("SPY", "168.01", "168.03", size=60, after_s=1)
        await desk.reported(1, OrdStatus.FILLED)
        await desk.facts.wait(lambda fact: isinstance(fact, FeeReported))
        fills = {fact.exec_id: fact for fact in desk.facts.of(OrderFilled)}
        assert sum(fill.last_qty for fill in fills.values()) == 100
        assert {(fill.cl_ord_id, fill.strategy) for fill in fills.values()} == {("alpha:1", "alpha")}
        assert {report.perm_id for report in desk.facts.of(OrderReported)} == {next(iter(fills.values())).perm_id}

    on_desk(test)


def test_cancel_ends_the_order(on_desk: Any) -> None:
    async def test(desk: Desk) -> None:
        spy, order_id = await desk.spy(), desk.orders.next_order_id()
        desk.lab.quote("SPY", "168.00", "168.02", after_s=1)
        desk.orders.submit(desk.request(1, limit="160.00"), spy, order_id)
        await desk.reported(1, OrdStatus.NEW)
        desk.orders.cancel(order_id)
        await desk.reported(1, OrdStatus.CANCELED)
        snapshot = await desk.master.snapshot()
        assert snapshot.open_orders == ()

    on_desk(test)


def test_replace_changes_the_working_order(on_desk: Any) -> None:
    async def test(desk: Desk) -> None:
        spy, order_id = await desk.spy(), desk.orders.next_order_id()
        desk.lab.quote("SPY", "168.00", "168.02", after_s=1)
        desk.orders.submit(desk.request(1, limit="160.00"), spy, order_id)
        await desk.reported(1, OrdStatus.NEW)
        desk.orders.replace(desk.request(1, limit="161.50"), spy, order_id)
        async with asyncio.timeout(20):
            while (order := (await desk.master.snapshot()).open_orders[0]).limit_px != Decimal("161.50"):
                pass
        assert (order.order_ref, order.client_id, order.order_id) == ("alpha:1", 10, order_id)

    on_desk(test)


def test_order_the_broker_refuses_is_rejected_with_its_words(on_desk: Any) -> None:
    async def test(desk: Desk) -> None:
        spy = await desk.spy()
        desk.lab.quote("SPY", "168.00", "168.02", after_s=1)
        desk.orders.submit(desk.request(1, limit="168.001"), spy, desk.orders.next_order_id())
        fact = await desk.facts.wait(lambda fact: isinstance(fact, OrderRejected))
        assert (fact.cl_ord_id, fact.code) == ("alpha:1", 110)
        assert "minimum price variation" in fact.text

    on_desk(test)


def test_snapshot_tells_the_whole_account(on_desk: Any) -> None:
    async def test(desk: Desk) -> None:
        spy = await desk.spy()
        desk.lab.quote("SPY", "168.00", "168.02", after_s=1)
        desk.orders.submit(desk.request(1), spy, desk.orders.next_order_id())
        desk.orders.submit(desk.request(2, limit="160.00"), spy, desk.orders.next_order_id())
        await desk.reported(2, OrdStatus.NEW)
        await desk.reported(1, OrdStatus.FILLED)
        snapshot: BrokerSnapshot = await desk.master.snapshot()
        assert [order.order_ref for order in snapshot.open_orders] == ["alpha:2"]
        assert [(order.order_ref, order.status, order.cum_qty) for order in snapshot.completed_orders] == [
            ("alpha:1", OrdStatus.FILLED, Decimal(100))
        ]
        (fill,) = snapshot.fills
        assert (fill.cl_ord_id, fill.strategy, fill.last_px) == ("alpha:1", "alpha", Decimal("168.02"))
        (fee,) = snapshot.fees
        assert fee.exec_id == fill.exec_id
        (position,) = snapshot.positions
        assert (position.instrument.instrument_id, position.qty) == (spy.instrument_id, Decimal(100))
        (cash,) = snapshot.cash
        assert cash.amount == 1_000_000 - 100 * Decimal("168.02") - fee.fee.amount
        assert snapshot.base_currency == "USD"
        assert snapshot.account == "DU1000001"
        assert desk.reports[0].account == "DU1000001"
        assert {key for key, _, _ in desk.reports[0].values} > {"NetLiquidation"}

    on_desk(test)


def test_same_fill_from_two_sessions_is_the_same_fact(on_desk: Any) -> None:
    async def test(desk: Desk) -> None:
        spy = await desk.spy()
        desk.lab.quote("SPY", "168.00", "168.02", after_s=1)
        desk.orders.submit(desk.request(1), spy, desk.orders.next_order_id())
        await desk.reported(1, OrdStatus.FILLED)
        snapshot = await desk.master.snapshot()
        told = {fact.exec_id: fact for fact in desk.facts.of(OrderFilled)}
        for fill in snapshot.fills:
            assert (fill.cl_ord_id, fill.strategy, fill.last_qty, fill.last_px) == (
                told[fill.exec_id].cl_ord_id,
                told[fill.exec_id].strategy,
                told[fill.exec_id].last_qty,
                told[fill.exec_id].last_px,
            )

    on_desk(test)


def test_manual_trade_belongs_to_nobody(on_desk: Any) -> None:
    async def test(desk: Desk) -> None:
        desk.lab.quote("SPY", "168.00", "168.02", after_s=1)
        desk.lab.place_manual_order("SPY", Side.BUY, 7, "168.05")
        fill = await desk.facts.wait(lambda fact: isinstance(fact, OrderFilled))
        assert (fill.cl_ord_id, fill.strategy, fill.last_qty) == (None, UNASSIGNED, Decimal(7))

    on_desk(test)


def test_cancel_everything_cancels_every_clients_orders(on_desk: Any) -> None:
    async def test(desk: Desk) -> None:
        spy = await desk.spy()
        desk.lab.quote("SPY", "168.00", "168.02", after_s=1)
        for number in (1, 2, 3):
            desk.orders.submit(desk.request(number, limit="160.00"), spy, desk.orders.next_order_id())
        await desk.reported(3, OrdStatus.NEW)
        desk.lab.place_manual_order("SPY", Side.BUY, 7, "150.00")
        desk.master.cancel_everything()
        for number in (1, 2, 3):
            await desk.reported(number, OrdStatus.CANCELED)
        async with asyncio.timeout(20):
            while (await desk.master.snapshot()).open_orders:
                pass

    on_desk(test)


def test_ticks_come_as_quotes_and_trades_with_the_gateways_time(on_desk: Any) -> None:
    async def test(desk: Desk) -> None:
        spy = await desk.spy()
        desk.data.subscribe(spy)
        desk.lab.quote("SPY", "168.00", "168.02", size=500, after_s=1)
        desk.lab.trade("SPY", "168.01", 300, after_s=1)
        trade = await desk.ticked(lambda tick: isinstance(tick, Trade))
        quote = await desk.ticked(lambda tick: isinstance(tick, Quote))
        assert quote.instrument is trade.instrument is spy
        assert isinstance(quote, Quote)
        assert (quote.bid_px, quote.ask_px, quote.bid_qty, quote.ask_qty) == (168.0, 168.02, 500.0, 500.0)
        assert isinstance(trade, Trade)
        assert (trade.last_px, trade.last_qty) == (168.01, 300.0)
        assert abs(trade.ts_event_ns - desk.lab.gateway.now_ns()) < 10 * 1_000_000_000
        desk.data.unsubscribe(spy)

    on_desk(test)


def test_reconnect_resubscribes_and_adopts_and_tells_connected(on_desk: Any) -> None:
    async def test(desk: Desk) -> None:
        spy, order_id = await desk.spy(), desk.orders.next_order_id()
        desk.data.subscribe(spy)
        desk.lab.quote("SPY", "168.00", "168.02", after_s=1)
        desk.orders.submit(desk.request(1, limit="160.00"), spy, order_id)
        await desk.reported(1, OrdStatus.NEW)
        seen = len(desk.facts.all)
        desk.lab.cut_connections()
        for name in ("master", "data", "alpha"):
            await desk.facts.wait(
                lambda fact, name=name: (
                    isinstance(fact, SessionChanged) and fact.session == name and fact.state is SessionState.CONNECTED
                ),
                since=seen,
            )
        desk.ticks.clear()
        desk.lab.quote("SPY", "169.00", "169.02", after_s=1)
        await desk.ticked(lambda tick: isinstance(tick, Quote) and tick.bid_px == 169.0)
        assert desk.orders.next_order_id() > order_id
        desk.orders.cancel(order_id)
        await desk.reported(1, OrdStatus.CANCELED)

    on_desk(test)


@pytest.mark.parametrize(
    ("contract", "min_tick", "multiplier"),
    [
        (Stock("SPY"), Decimal("0.01"), 1),
        (Stock("BAC", primary_exchange="NYSE"), Decimal("0.01"), 1),
        (Forex("EURUSD"), Decimal("0.00005"), 1),
        (Future("ES", "201312", exchange="CME"), Decimal("0.25"), 50),
    ],
)
def test_contract_resolves_to_one_instrument(on_desk: Any, contract: Any, min_tick: Decimal, multiplier: int) -> None:
    async def test(desk: Desk) -> None:
        if not desk.lab.market.master.by_symbol(contract.symbol):
            pytest.skip(f"the lab has no {contract.symbol}")
        instrument = await desk.data.resolve(contract)
        assert instrument.contract == contract
        assert (instrument.min_tick, instrument.multiplier) == (min_tick, multiplier)

    on_desk(test)


def test_unknown_contract_is_refused_in_the_brokers_words(on_desk: Any) -> None:
    async def test(desk: Desk) -> None:
        with pytest.raises(BrokerRejected, match="IB 200: No security definition"):
            await desk.data.resolve(Stock("NOPE"))

    on_desk(test)


def test_ambiguous_contract_is_refused_and_says_what_it_could_mean(on_desk: Any) -> None:
    async def test(desk: Desk) -> None:
        with pytest.raises(BrokerRejected, match=r"ES means \d+ securities \(.*\): name the"):
            await desk.data.resolve(Future("ES", "", exchange="CME"))

    on_desk(test)


def test_history_is_closed_bars_oldest_first(on_desk: Any) -> None:
    async def test(desk: Desk) -> None:
        spy = await desk.spy()
        start_ns = desk.lab.start_ns - 5 * NS_PER_MINUTE
        desk.lab.market.give_history("SPY", start_ns, NS_PER_MINUTE, ["168.00", "168.10", "168.20", "168.30", "168.40"])
        bars = await desk.data.history(spy, bar_ns=NS_PER_MINUTE, duration_ns=10 * NS_PER_MINUTE, end_ns=None)
        assert [bar.close_px for bar in bars] == [168.0, 168.1, 168.2, 168.3, 168.4]
        assert [bar.ts_event_ns for bar in bars] == [start_ns + n * NS_PER_MINUTE for n in range(5)]
        earlier = await desk.data.history(
            spy, bar_ns=NS_PER_MINUTE, duration_ns=2 * NS_PER_MINUTE, end_ns=start_ns + 3 * NS_PER_MINUTE
        )
        assert earlier
        assert earlier[-1].ts_close_ns <= start_ns + 3 * NS_PER_MINUTE

    on_desk(test)


def test_history_without_data_is_empty_not_an_error(on_desk: Any) -> None:
    async def test(desk: Desk) -> None:
        spy = await desk.spy()
        assert await desk.data.history(spy, bar_ns=NS_PER_MINUTE, duration_ns=NS_PER_MINUTE, end_ns=None) == []

    on_desk(test)


def test_second_connection_under_one_id_is_refused(on_desk: Any, floor_at: Any) -> None:
    async def test(desk: Desk) -> None:
        again = floor_at(desk.lab.port).clients.order_session("beta", 10)
        with pytest.raises(Exception, match=r"326.*client id 10 \(beta\)"):
            await again.open()
        assert desk.orders.can_send

    on_desk(test)


def test_an_option_is_found_by_its_terms_and_written_at_its_bid(on_desk: Any) -> None:
    master = read_listing(WORLD, LAB_DAY).master_with(default_master())
    listed = next(
        one.instrument
        for one in master
        if (one.instrument.contract.symbol, one.instrument.contract.right) == ("SPY", "P")
    )

    async def test(desk: Desk) -> None:
        terms = listed.contract
        assert terms.strike is not None
        put = await desk.data.resolve(Option("SPY", terms.expiry, float(terms.strike), "P"))
        assert (put.instrument_id, put.multiplier) == (listed.instrument_id, 100)
        desk.lab.quote(put.local_symbol, "1.20", "1.25", size=60, after_s=1)
        request = msgspec.structs.replace(desk.request(1, Side.SELL, 2, limit="1.20"), instrument_id=put.instrument_id)
        desk.orders.submit(request, put, desk.orders.next_order_id())
        fill = await desk.facts.wait(lambda fact: isinstance(fact, OrderFilled))
        assert (fill.instrument_id, fill.side, fill.last_px, fill.multiplier) == (
            listed.instrument_id,
            Side.SELL,
            Decimal("1.20"),
            100,
        )

    on_desk(test, master=master)


def test_an_option_without_a_right_is_named() -> None:
    with pytest.raises(ValueError, match="'C' for a call, 'P' for a put"):
        Option("SPY", "20131018", 165, "CALL")
