"""Combinations and rolls from a strategy's hand to the simulated gateway and back; its own book is the oracle."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest
from tests.contract.broker.test_orders_end_to_end import ALPHA, Pit

from ibfloor import Accepted, Contract, Future, Instrument, Limit, Market, OrdStatus, Refused, Side, Stock, Stop
from ibfloor.execution.recovery import settle
from ibfloor.execution.ticket import OrderTicket
from ibfloor.manager.combos import Combos
from ibfloor.model.fact import AnyFact, FeeReported, InstrumentDefined, OrderFilled, OrderSubmitted
from ibfloor.model.ids import ClientOrderId, InstrumentId
from ibfloor.model.margin import MarginImpact
from ibfloor.model.market import Quote
from ibfloor.model.money import USD
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.strategy.values import Position

D = Decimal
SPY, QQQ = Stock("SPY"), Stock("QQQ")
NEAR, FAR = (Future("ES", day, exchange="CME") for day in ("20131220", "20140321"))
QUOTES = {SPY: (168.0, 168.02), QQQ: (78.0, 78.01), NEAR: (1680.0, 1680.25), FAR: (1674.0, 1674.25)}
Scene = Callable[["Spreads"], Coroutine[Any, Any, None]]


class Spreads(Pit):
    """A strategy that trades stocks and futures, and combinations of them."""

    def __init__(self, lab: GatewayLab) -> None:
        super().__init__(lab)
        self.known: dict[Contract, Instrument] = {}
        self.quotes: dict[InstrumentId, tuple[float, float]] = {}
        self.combos = Combos(self.known.get, self.by_id, lambda: self.trade.working)

    async def meet(self) -> None:
        for contract, touch in QUOTES.items():
            instrument = self.known[contract] = await self.data.resolve(contract)
            self.quotes[instrument.instrument_id] = touch
            self.books.apply(InstrumentDefined(ts_event_ns=1, ts_init_ns=1, instrument=instrument))
        self.spy = self.known[SPY]

    def by_id(self, which: InstrumentId) -> Instrument | None:
        return next((each for each in self.known.values() if each.instrument_id == which), None)

    def instrument(self, which: Contract | InstrumentId) -> Instrument:
        if isinstance(which, Contract):
            found = self.combos.of(which) if which.legs else self.known.get(which)
        else:
            found = self.combos.by_id(which) if which < 0 else self.by_id(which)
        assert found is not None
        return found

    def position(self, contract: Contract) -> Position:
        return Position(contract=contract, qty=self.holds(contract))

    def replace(self, cl_ord_id: ClientOrderId, **change: Any) -> Accepted | Refused:
        order = self.trade.get(cl_ord_id)
        assert order is not None
        change["order_qty"] = change.pop("qty")
        refusal = self.trade.replace(cl_ord_id, self.instrument(order.request.instrument_id), **change)
        return Accepted(cl_ord_id) if refusal is None else Refused(cl_ord_id, refusal)

    async def preview(self, ticket: OrderTicket) -> MarginImpact | Refused:
        return await self.trade.preview(ticket, USD)

    def _quote(self, instrument_id: InstrumentId) -> Quote | None:  # type: ignore[override] # one may have none
        touch, instrument = self.quotes.get(instrument_id), self.by_id(instrument_id)
        if touch is None or instrument is None:
            return None
        return Quote(instrument, self.clock.now_ns(), *touch, 500.0, 500.0)

    def holds(self, contract: Contract) -> Decimal:
        held = self.books.book(ALPHA).positions.get(self.known[contract].instrument_id)
        return D(0) if held is None else held.qty

    def claims(self, contract: Contract) -> tuple[Decimal, Decimal]:
        slot = self.risk.exposures.slot(ALPHA, self.known[contract].instrument_id)
        return slot.buys, slot.sells

    def pair(self, ratio: int = 2, *, guaranteed: bool = True) -> Contract:
        return self.trader.combo([(SPY, 1, Side.BUY), (QQQ, ratio, Side.SELL)], guaranteed=guaranteed)

    def agrees(self) -> None:
        """Hold our executions, positions, cash and fees against the gateway's."""
        ours = {fact.exec_id: (fact.last_qty, fact.last_px) for fact in self.seen if isinstance(fact, OrderFilled)}
        assert ours == {row.exec_id: (row.qty, row.px) for row in self.lab.book.executions}
        held = {row.con_id: row.qty for row in self.lab.book.positions if row.qty}
        mine = self.books.book(ALPHA)
        assert {key: each.qty for key, each in mine.positions.items() if each.qty} == held
        assert mine.cash.get(USD, D(0)) + 1_000_000 == self.lab.account.cash[USD]
        fees = sum((fact.fee.amount for fact in self.seen if isinstance(fact, FeeReported)), D(0))
        assert fees == sum((row.commission for row in self.lab.book.executions), D(0))

    async def settled(self) -> None:
        """Wait until every execution has its fee: then the cash is whole."""
        count = len(self.lab.book.executions)
        await self.until(lambda: len([f for f in self.seen if isinstance(f, FeeReported)]) == count)


@pytest.fixture
def play(within: Any) -> Callable[[Scene], None]:
    def run(scene: Scene) -> None:
        async def connected() -> None:
            async with GatewayLab() as lab:
                pit = Spreads(lab)
                for contract, (bid, ask) in QUOTES.items():
                    name = "ESZ3" if contract is NEAR else "ESH4" if contract is FAR else contract.symbol
                    quote(lab, name, f"{bid:.2f}", f"{ask:.2f}")
                await pit.data.open()
                await pit.session.open()
                try:
                    await pit.meet()
                    await scene(pit)
                finally:
                    await pit.session.close()
                    await pit.data.close()

        within(connected)

    return run


def quote(lab: GatewayLab, symbol: str, bid: str, ask: str, *, size: int = 1000, after_s: float = 0.0) -> None:
    lab.quote(symbol, bid, ask, size=size, after_s=after_s)


def test_a_combination_is_one_order_whose_legs_alone_are_booked(play: Any) -> None:
    async def scene(pit: Spreads) -> None:
        answer = pit.trader.buy(pit.pair(), 20)
        await pit.stands(answer, OrdStatus.FILLED)
        order = pit.table.get(answer.cl_ord_id)
        assert order is not None
        assert (order.cum_qty, order.avg_px) == (D(20), D("168.02") - 2 * D("78.0"))
        assert (pit.holds(SPY), pit.holds(QQQ)) == (D(20), D(-40))
        assert pit.claims(SPY) == pit.claims(QQQ) == (D(0), D(0))
        assert len([fact for fact in pit.seen if isinstance(fact, OrderFilled)]) == 2, "the whole is no execution"
        assert len([fact for fact in pit.journal if isinstance(fact, OrderSubmitted)]) == 1
        theirs = pit.theirs(answer).ticket
        assert [(leg.instrument.local_symbol, leg.ratio, leg.side) for leg in theirs.legs] == [
            ("SPY", 1, Side.BUY),
            ("QQQ", 2, Side.SELL),
        ]
        await pit.settled()
        pit.agrees()

    play(scene)


def test_parts_of_a_combination_keep_its_legs_in_proportion(play: Any) -> None:
    async def scene(pit: Spreads) -> None:
        answer = pit.trader.submit(Limit(pit.pair(), Side.BUY, 30, D("11.90")))
        await pit.stands(answer, OrdStatus.NEW)
        assert (pit.claims(SPY), pit.claims(QQQ)) == ((D(30), D(0)), (D(0), D(60)))
        assert pit.trader.target(SPY, 30) is None, "its leg is on its way there"
        assert pit.trader.target(QQQ, -60) is None
        quote(pit.lab, "QQQ", "78.07", "78.08", size=40, after_s=1)
        await pit.stands(answer, OrdStatus.PARTIALLY_FILLED)
        assert (pit.holds(SPY), pit.holds(QQQ)) == (D(20), D(-40))
        assert (pit.claims(SPY), pit.claims(QQQ)) == ((D(10), D(0)), (D(0), D(20)))
        assert isinstance(answer, Accepted)
        assert isinstance(pit.trader.replace(answer, qty=25), Accepted)
        await pit.until(lambda: pit.theirs(answer).ticket.qty == 25)
        await pit.stands(answer, OrdStatus.PARTIALLY_FILLED)
        assert isinstance(pit.trader.cancel(answer), Accepted)
        await pit.stands(answer, OrdStatus.CANCELED)
        assert pit.claims(SPY) == pit.claims(QQQ) == (D(0), D(0))
        await pit.settled()
        pit.agrees()

    play(scene)


def test_selling_a_combination_turns_its_legs_and_it_may_pay_money(play: Any) -> None:
    async def scene(pit: Spreads) -> None:
        answer = pit.trader.submit(Limit(pit.pair(3, guaranteed=False), Side.SELL, 10, D("-66.10")))
        await pit.stands(answer, OrdStatus.FILLED)
        assert (pit.holds(SPY), pit.holds(QQQ)) == (D(-10), D(30))
        order = pit.table.get(answer.cl_ord_id)
        assert order is not None
        assert order.avg_px == D("168.00") - 3 * D("78.01")
        sent = pit.theirs(answer).ticket.attributes["smart_combo_params"]
        assert sent == [{"tag": "NonGuaranteed", "value": "1"}]
        await pit.settled()
        pit.agrees()

    play(scene)


def test_a_combination_is_previewed_as_one_order(play: Any) -> None:
    async def scene(pit: Spreads) -> None:
        impact = await pit.trader.preview(Limit(pit.pair(), Side.BUY, 10, D("12.00")))
        assert isinstance(impact, MarginImpact), impact
        assert impact.initial.change > 0
        assert impact.instrument_id == pit.instrument(pit.pair()).instrument_id
        assert pit.lab.book.orders == []
        assert not [fact for fact in pit.seen if "Order" in type(fact).__name__]

    play(scene)


@pytest.mark.thread("pst #1569")
@pytest.mark.thread("pst #1246")
def test_a_roll_is_one_order_on_the_futures_own_exchange(play: Any) -> None:
    async def scene(pit: Spreads) -> None:
        assert pit.trader.trading_days_left(NEAR) == 54
        await pit.stands(pit.trader.buy(NEAR, 3), OrdStatus.FILLED)
        guard = pit.trader.submit(Stop(NEAR, Side.SELL, 3, D(1600)))
        assert isinstance(guard, Accepted)
        left = pit.trader.roll(NEAR, FAR)
        assert isinstance(left, Refused)
        assert f"{guard.cl_ord_id} works in ES 20131220: cancel it first" in left.reason.text
        assert isinstance(pit.trader.cancel(guard), Accepted)
        await pit.stands(guard, OrdStatus.CANCELED)
        rolled = pit.trader.roll(NEAR, FAR, limit=D("-6.50"))
        await pit.stands(rolled, OrdStatus.NEW)
        waits = pit.trader.buy(FAR, 1)
        assert isinstance(waits, Refused)
        assert "rolls it: other orders wait" in waits.reason.text
        assert isinstance(pit.trader.roll(NEAR, FAR), Refused), "nor a second roll"
        assert isinstance(pit.trader.submit(Stop(NEAR, Side.SELL, 3, D(1600))), Refused), "it would be left behind"
        assert pit.theirs(rolled).ticket.exchange == "CME"
        pit.quotes[pit.known[FAR].instrument_id] = (1673.25, 1673.5)
        quote(pit.lab, "ESH4", "1673.25", "1673.50", after_s=1)
        await pit.stands(rolled, OrdStatus.FILLED)
        assert (pit.holds(NEAR), pit.holds(FAR)) == (D(0), D(3))
        assert isinstance(pit.trader.buy(FAR, 1), Accepted), "the roll is done"
        assert isinstance(pit.trader.roll(NEAR, FAR), Refused), "nothing is held any more"
        await pit.until(lambda: pit.holds(FAR) == 4)
        await pit.settled()
        pit.agrees()

    play(scene)


def test_a_short_position_rolls_the_other_way(play: Any) -> None:
    async def scene(pit: Spreads) -> None:
        await pit.stands(pit.trader.sell(NEAR, 2), OrdStatus.FILLED)
        await pit.stands(pit.trader.roll(NEAR, FAR, 1), OrdStatus.FILLED)
        assert (pit.holds(NEAR), pit.holds(FAR)) == (D(-1), D(-1))
        assert isinstance(pit.trader.roll(NEAR, FAR, 2), Refused), "more than is held"
        await pit.settled()
        pit.agrees()

    play(scene)


def test_a_restart_in_the_midst_adopts_the_order_and_books_each_leg_once(play: Any, floor_at: Any) -> None:
    async def scene(pit: Spreads) -> None:
        answer = pit.trader.submit(Limit(pit.pair(), Side.BUY, 30, D("11.90")))
        await pit.stands(answer, OrdStatus.NEW)
        quote(pit.lab, "QQQ", "78.07", "78.08", size=40, after_s=1)
        await pit.stands(answer, OrdStatus.PARTIALLY_FILLED)
        floor = floor_at(pit.lab.port)
        master = floor.clients.master_session(lambda report: None)
        await master.open()
        try:
            snapshot = await master.snapshot()
        finally:
            await master.close()
        known = settle(pit.table, snapshot, 1, asked_at=pit.table.changes)
        assert known.facts == (), "nothing that our own table does not know"
        (listed,) = snapshot.open_orders
        assert listed.combo is not None
        # A floor that lost its ledger: the broker's lists alone make the order and its legs again.
        again = Spreads(pit.lab)
        facts: list[AnyFact] = list(settle(again.table, snapshot, 1, asked_at=0).facts)
        for fact in facts:
            again.take(fact)
        adopted = again.table.get(answer.cl_ord_id)
        mine = pit.table.get(answer.cl_ord_id)
        assert adopted is not None
        assert mine is not None
        assert (adopted.cum_qty, adopted.avg_px, adopted.status) == (mine.cum_qty, mine.avg_px, mine.status)
        again.known.update(pit.known)
        assert (again.holds(SPY), again.holds(QQQ), again.claims(SPY), again.claims(QQQ)) == (
            pit.holds(SPY),
            pit.holds(QQQ),
            pit.claims(SPY),
            pit.claims(QQQ),
        )
        made = again.combos.by_id(adopted.request.instrument_id)
        assert made is not None
        assert made.instrument_id == adopted.request.instrument_id == mine.request.instrument_id

    play(scene)


def test_what_cannot_be_honoured_is_refused_with_the_reason(play: Any) -> None:
    async def scene(pit: Spreads) -> None:
        pair, many = pit.pair(), [(SPY, 1, Side.BUY)] * 7
        refusals: list[tuple[Market | Limit | Stop, str]] = [
            (Market(pit.trader.combo([(SPY, 1, Side.BUY)]), Side.BUY, 1), "2 to 6 legs, not 1"),
            (Market(pit.trader.combo(many), Side.BUY, 1), "2 to 6 legs, not 7"),
            (Market(pit.trader.combo(many[:2]), Side.BUY, 1), "a leg twice"),
            (Stop(pair, Side.BUY, 1, 12), "a market or a limit order, not STP"),
            (Limit(pair, Side.BUY, 1, D("12.005")), "no multiple of 0.01"),
            (Limit(pair, Side.BUY, 1, D("20")), "more than 5 % through what the legs cost now, 12.02"),
            (Market(pair, Side.BUY, 101), "leg SPY: the strategy's position could become 101"),
            (Market(pair, Side.SELL, 60), "leg QQQ: the strategy's position could become 120"),
            (Market(pair, Side.BUY, D("0.5")), "whole numbers"),
        ]
        for order, said in refusals:
            refused = pit.trader.submit(order)
            assert isinstance(refused, Refused)
            assert said in refused.reason.text
        bracket = pit.trader.bracket(Market(pair, Side.BUY, 1), stop=10)
        assert isinstance(bracket, Refused)
        assert "no part of a bracket" in bracket.reason.text
        assert isinstance(pit.trader.target(pair, 5), Refused)
        assert pit.claims(SPY) == pit.claims(QQQ) == (D(0), D(0))
        with pytest.raises(ValueError, match="whole number above zero"):
            pit.pair(0)
        pit.risk.lock(pit.known[QQQ].instrument_id, "a break")
        locked = pit.trader.buy(pair, 1)
        assert isinstance(locked, Refused)
        assert "leg QQQ: the instrument is locked" in locked.reason.text
        pit.quotes.pop(pit.known[SPY].instrument_id)
        blind = pit.trader.buy(pair, 1)
        assert isinstance(blind, Refused)
        assert "leg SPY: the order's value is not known: no price" in blind.reason.text
        assert pit.lab.book.orders == []

    play(scene)
