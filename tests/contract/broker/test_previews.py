"""Previews: what an order would do to the margin, asked of a peer and of the simulated gateway."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from ibfloor.broker.ib.client import LeanClient
from ibfloor.broker.ib.codes import IbRejected
from ibfloor.broker.ib.pacing import Urgency
from ibfloor.model.errors import ConnectivityError
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.margin import MarginFigure, MarginImpact
from ibfloor.model.money import USD, Currency
from ibfloor.model.order import OrderRequest, OrdType, Side
from ibfloor.sim.gateway.codec import orders, responses
from ibfloor.sim.gateway.lab import GatewayLab

ALPHA = StrategyId("alpha")
CHF = Currency("CHF")
D = Decimal


def request(limit: str | None = "170.25", **changes: Any) -> OrderRequest:
    values: dict[str, Any] = {
        "cl_ord_id": ClientOrderId("preview"),
        "strategy": ALPHA,
        "instrument_id": InstrumentId(756733),
        "side": Side.BUY,
        "order_qty": D(100),
        "ord_type": OrdType.MARKET if limit is None else OrdType.LIMIT,
        "limit_px": None if limit is None else D(limit),
    }
    return OrderRequest(**{**values, **changes})


def answer(order_id: int, **values: Any) -> bytes:
    base: dict[str, Any] = {
        "order_id": order_id,
        "con_id": 756733,
        "action": "BUY",
        "total_qty": D(100),
        "order_type": "LMT",
        "client_id": 10,
        "order_ref": "preview",
        "status": "PreSubmitted",
        "what_if": True,
    }
    return orders.OPEN_ORDER.layout(178).encode({**base, **values})


MARGINS = {
    "init_margin_before": D("1000.5"),
    "init_margin_change": D("250.25"),
    "init_margin_after": D("1250.75"),
    "maint_margin_before": D(800),
    "maint_margin_change": D(200),
    "maint_margin_after": D(1000),
    "equity_with_loan_before": D(100_000),
    "equity_with_loan_change": D(-1),
    "equity_with_loan_after": D(99_999),
    "min_commission": D("0.35"),
    "max_commission": D("1.05"),
    "commission_currency": "USD",
    "warning_text": "Your order would be large",
}


def error(order_id: int, code: int, text: str) -> bytes:
    values: dict[str, Any] = {"req_id": order_id, "code": code, "text": text}
    return responses.ERROR.layout(178).encode(values)


@pytest.fixture
def ask(gateway: Any, run_gateway: Any, floor_at: Any, within: Any, spy: Instrument) -> Any:
    """Run a test with a preview under way: its future, its order id, the session, the facts."""

    def run(test: Any, **settings: float) -> None:
        async def connected() -> None:
            async with run_gateway(gateway):
                floor = floor_at(gateway.port, **settings)
                session = floor.clients.order_session(ALPHA, 10)
                await session.open()
                asked = asyncio.ensure_future(session.preview(request(), spy, CHF))
                try:
                    (sent,) = await gateway.got(3)
                    await test(asked, int(sent[1]), session, floor.facts)
                finally:
                    asked.cancel()
                    await asyncio.wait([asked])
                    await session.close()

        within(connected)

    return run


def test_an_answer_comes_back_as_exact_figures_with_every_warning(gateway: Any, ask: Any) -> None:
    async def test(asked: Any, order_id: int, session: Any, facts: Any) -> None:
        gateway.say(
            error(order_id, 399, "Your order will not be placed at the exchange until 09:30"),
            answer(order_id),  # IB may show the order once before it has the margins
            answer(order_id, **MARGINS),
        )
        impact = await asked
        assert impact == MarginImpact(
            instrument_id=InstrumentId(756733),
            side=Side.BUY,
            order_qty=D(100),
            initial=MarginFigure(before=D("1000.5"), change=D("250.25"), after=D("1250.75")),
            maintenance=MarginFigure(before=D(800), change=D(200), after=D(1000)),
            equity=MarginFigure(before=D(100_000), change=D(-1), after=D(99_999)),
            currency=CHF,
            commission=None,
            commission_min=D("0.35"),
            commission_max=D("1.05"),
            commission_currency=USD,
            warning="IB 399: Your order will not be placed at the exchange until 09:30; Your order would be large",
            ts_ns=impact.ts_ns,
        )
        assert [type(fact).__name__ for fact in facts.all if "Order" in type(fact).__name__] == []
        assert session.next_order_id() == order_id + 1, "the preview's id is used up"

    ask(test)


@pytest.mark.parametrize("code", [201, 110, 321, 9999])
def test_a_refused_preview_raises_with_ibs_own_words(gateway: Any, ask: Any, code: int) -> None:
    async def test(asked: Any, order_id: int, _session: Any, facts: Any) -> None:
        gateway.say(error(order_id, code, "no, for a reason"))
        with pytest.raises(IbRejected, match=f"IB {code}: no, for a reason"):
            await asked
        assert [type(fact).__name__ for fact in facts.all if "Order" in type(fact).__name__] == []

    ask(test)


def test_an_answer_without_margins_is_no_answer(gateway: Any, ask: Any) -> None:
    async def test(asked: Any, order_id: int, _session: Any, _facts: Any) -> None:
        gateway.say(answer(order_id))
        with pytest.raises(ConnectivityError, match=r"did not finish answering a preview in SPY within 0\.2 s"):
            await asked

    ask(test, request_timeout_s=0.2)


def test_a_lost_connection_ends_a_preview_and_a_late_answer_is_nobodys(gateway: Any, ask: Any) -> None:
    async def test(asked: Any, order_id: int, session: Any, facts: Any) -> None:
        gateway.drop()
        with pytest.raises(ConnectivityError, match="the connection was lost"):
            await asked
        await gateway.connected(2)
        await facts.wait(lambda fact: getattr(fact, "state", "") == "CONNECTED", since=2)
        gateway.say(answer(order_id, **MARGINS))
        second = asyncio.ensure_future(session.preview(request(), SPY, USD))
        sent = (await gateway.got(3, 2))[-1]
        assert int(sent[1]) > order_id
        gateway.say(answer(int(sent[1]), **{**MARGINS, "init_margin_change": D(7), "init_margin_before": D("1243.75")}))
        assert (await second).initial.change == D(7)
        assert [type(fact).__name__ for fact in facts.all if "Order" in type(fact).__name__] == []

    ask(test)


SPY = Instrument(instrument_id=InstrumentId(756733), contract=Stock("SPY"), local_symbol="SPY", currency=USD)


def test_a_preview_waits_for_the_message_budget_behind_every_order(
    gateway: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Urgency] = []
    write = LeanClient.write

    def noted(client: LeanClient, frame: bytes, urgency: Urgency, order_id: int = 0) -> None:
        if frame[4:6] == b"3\0":
            sent.append(urgency)
        write(client, frame, urgency, order_id)

    monkeypatch.setattr(LeanClient, "write", noted)

    async def test(asked: Any, order_id: int, _session: Any, _facts: Any) -> None:
        gateway.say(answer(order_id, **MARGINS))
        await asked
        assert sent == [Urgency.REQUEST]

    ask(test)


def test_a_preview_while_not_connected_asks_nothing(gateway: Any, floor_at: Any, within: Any, spy: Instrument) -> None:
    async def alone() -> None:
        session = floor_at(1).clients.order_session(ALPHA, 10)
        with pytest.raises(ConnectivityError, match="not connected"):
            await session.preview(request(), spy, USD)

    within(alone)


def test_the_simulated_gateway_tells_margins_and_its_book_stays_as_it_was(floor_at: Any, within: Any) -> None:
    async def connected() -> None:
        async with GatewayLab() as lab:
            floor = floor_at(lab.port)
            master, session = floor.clients.master_session(lambda report: None), floor.clients.order_session(ALPHA, 10)
            data = floor.clients.data_session(lambda batch: None, on_clock=floor.clock.follow)
            for each in (master, data, session):
                await each.open()
            try:
                spy = await data.resolve(Stock("SPY"))
                lab.quote("SPY", "168.00", "168.02", after_s=1)
                impact = await session.preview(request(), spy, USD)
                assert impact.initial.after - impact.initial.before == impact.initial.change > 0
                assert impact.maintenance.change > 0
                assert impact.commission is not None
                assert impact.commission > 0
                order_id = session.next_order_id()
                session.submit(request(cl_ord_id=ClientOrderId("alpha:1"), limit_px=D("160")), spy, order_id)
                await floor.facts.wait(lambda fact: getattr(fact, "status", "") == "NEW")
                snapshot = await master.snapshot()
                assert [order.order_ref for order in snapshot.open_orders] == ["alpha:1"]
                assert snapshot.fills == ()
                assert snapshot.completed_orders == ()
                with pytest.raises(IbRejected, match="IB 110"):
                    await session.preview(request("170.2505"), spy, USD)
            finally:
                for each in (session, data, master):
                    await each.close()

    within(connected)
