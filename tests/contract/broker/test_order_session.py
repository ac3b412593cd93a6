"""An order's life on a strategy's own session, against a peer that says what the test wants."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from ibfloor.model.errors import ConnectivityError
from ibfloor.model.fact import FeeReported, OrderDoubted, OrderFilled, OrderRejected, OrderReported, OrderWarned
from ibfloor.model.ids import ClientOrderId, StrategyId
from ibfloor.model.order import OrderRequest, OrdStatus, OrdType, Side
from ibfloor.sim.gateway.codec import orders, responses

ALPHA = StrategyId("alpha")


def request(number: int = 1, **changes: Any) -> OrderRequest:
    values: dict[str, Any] = {
        "cl_ord_id": ClientOrderId(f"alpha:{number}"),
        "strategy": ALPHA,
        "instrument_id": 756733,
        "side": Side.BUY,
        "order_qty": Decimal(100),
        "ord_type": OrdType.LIMIT,
        "limit_px": Decimal("170.25"),
    }
    return OrderRequest(**{**values, **changes})


def listed(order_id: int, qty: int, ref: str) -> bytes:
    values: dict[str, Any] = {
        "order_id": order_id,
        "con_id": 756733,
        "symbol": "SPY",
        "sec_type": "STK",
        "action": "BUY",
        "total_qty": Decimal(qty),
        "order_type": "LMT",
        "lmt_price": Decimal(170),
        "order_ref": ref,
        "client_id": 10,
        "perm_id": 4242,
        "status": "Submitted",
    }
    return orders.OPEN_ORDER.layout(178).encode(values)


def status(order_id: int, word: str, filled: int, remaining: int, client_id: int = 10) -> bytes:
    return responses.ORDER_STATUS.layout(178).encode(
        {
            "order_id": order_id,
            "status": word,
            "filled": Decimal(filled),
            "remaining": Decimal(remaining),
            "perm_id": 9001,
            "client_id": client_id,
        }
    )


def is_a(kind: type) -> Any:
    return lambda fact: isinstance(fact, kind)


@pytest.fixture
def trade(gateway: Any, run_gateway: Any, floor_at: Any, within: Any) -> Any:
    """Run a test with an open order session."""

    def run(test: Any, **settings: float) -> None:
        async def connected() -> None:
            async with run_gateway(gateway):
                floor = floor_at(gateway.port, **settings)
                session = floor.clients.order_session(ALPHA, 10)
                await session.open()
                try:
                    await test(session, floor.facts)
                finally:
                    await session.close()

        within(connected)

    return run


def test_order_fill_and_fee_come_back_as_facts(gateway: Any, trade: Any, spy: Any, frame: Any) -> None:
    async def test(session: Any, facts: Any) -> None:
        order_id = session.next_order_id()
        session.submit(request(), spy, order_id)
        (sent,) = await gateway.got(3)
        assert sent[1] == str(order_id)
        assert sent[16:20] == ["BUY", "100", "LMT", "170.25"]
        assert sent[26] == "alpha:1"
        gateway.say(status(order_id, "Submitted", 0, 100))
        gateway.say(
            frame(
                *(11, -1, order_id, 756733, "SPY", "STK", "", 0, "", "", "ARCA", "USD", "SPY", "SPY"),
                *("0000e0d5.1.01.01", "20131018 09:31:05 US/Eastern", "DU1", "ARCA", "BOT", 100, 170.2501, 9001, 10, 0),
                *(100, 170.2501, "alpha:1", "", 0, "", 2, 0),
            ),
            frame(59, 1, "0000e0d5.1.01.01", 0.35, "USD", 1.7976931348623157e308, 0, ""),
        )
        fee = await facts.wait(is_a(FeeReported))
        (fill,) = facts.of(OrderFilled)
        (report,) = facts.of(OrderReported)
        assert (report.cl_ord_id, report.status, report.perm_id) == ("alpha:1", OrdStatus.NEW, 9001)
        assert (fill.cl_ord_id, fill.strategy, fill.side) == ("alpha:1", "alpha", Side.BUY)
        assert (fill.last_qty, fill.last_px) == (Decimal(100), Decimal("170.2501"))
        assert fill.ts_event_ns == 1382103065_000000000
        assert (fee.exec_id, fee.fee.amount, fee.fee.currency) == ("0000e0d5.1.01.01", Decimal("0.35"), "USD")

    trade(test)


def test_order_ids_never_go_back(gateway: Any, trade: Any, spy: Any, frame: Any) -> None:
    gateway.next_valid_id = 40

    async def test(session: Any, facts: Any) -> None:
        assert session.next_order_id() == 40
        session.raise_order_id_floor(99)
        assert session.next_order_id() == 100
        gateway.next_valid_id = 7
        seen = len(facts.all)
        gateway.drop()
        await facts.wait(lambda fact: getattr(fact, "state", None) == "CONNECTED", since=seen)
        assert session.next_order_id() == 101

    trade(test)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (201, OrderRejected),
        (200, OrderRejected),
        (399, OrderWarned),
        (10349, OrderWarned),
        (404, OrderWarned),
        (2109, OrderWarned),
        (103, OrderDoubted),
        (104, OrderDoubted),
        (31337, OrderDoubted),
    ],
)
def test_what_a_code_does_to_a_new_order(gateway: Any, trade: Any, spy: Any, frame: Any, code: int, kind: type) -> None:
    async def test(session: Any, facts: Any) -> None:
        order_id = session.next_order_id()
        session.submit(request(), spy, order_id)
        await gateway.got(3)
        gateway.say(frame(4, 2, order_id, code, "the broker's own words", ""))
        fact = await facts.wait(is_a(kind))
        assert fact.cl_ord_id == "alpha:1"
        assert "the broker's own words" in getattr(fact, "text", "") + getattr(fact, "reason", "")
        orders = (OrderRejected, OrderWarned, OrderDoubted, OrderReported)
        assert [type(other) for other in facts.all if isinstance(other, orders)] == [kind]

    trade(test)


def test_cancel_is_confirmed_by_202_and_status(gateway: Any, trade: Any, spy: Any, frame: Any) -> None:
    async def test(session: Any, facts: Any) -> None:
        order_id = session.next_order_id()
        session.submit(request(), spy, order_id)
        session.cancel(order_id)
        (sent,) = await gateway.got(4)
        assert sent[:3] == ["4", "1", str(order_id)]
        gateway.say(frame(4, 2, order_id, 202, "Order Canceled - reason:", ""))
        fact = await facts.wait(is_a(OrderReported))
        assert fact.status is OrdStatus.CANCELED

    trade(test)


@pytest.mark.parametrize("code", [161, 10147, 10148, 135])
def test_cancel_that_fails_asks_instead_of_ending_the_order(
    gateway: Any, trade: Any, spy: Any, frame: Any, code: int
) -> None:
    async def test(session: Any, facts: Any) -> None:
        order_id = session.next_order_id()
        session.submit(request(), spy, order_id)
        session.cancel(order_id)
        await gateway.got(4)
        gateway.say(frame(4, 2, order_id, code, "cannot be cancelled", ""))
        fact = await facts.wait(is_a(OrderDoubted))
        assert fact.cl_ord_id == "alpha:1"

    trade(test)


def test_rejected_change_leaves_the_order_in_question_not_rejected(
    gateway: Any, trade: Any, spy: Any, frame: Any
) -> None:
    async def test(session: Any, facts: Any) -> None:
        order_id = session.next_order_id()
        session.submit(request(), spy, order_id)
        await gateway.got(3)
        gateway.say(status(order_id, "Submitted", 0, 100))
        await facts.wait(is_a(OrderReported))
        session.replace(request(limit_px=Decimal("170.26")), spy, order_id)
        await gateway.got(3, 2)
        gateway.say(frame(4, 2, order_id, 201, "Order rejected - reason: no", ""))
        await facts.wait(is_a(OrderDoubted))
        assert not facts.of(OrderRejected)

    trade(test)


def test_change_taken_is_told_though_the_status_is_the_same_as_before(
    gateway: Any, trade: Any, spy: Any, frame: Any
) -> None:
    async def test(session: Any, facts: Any) -> None:
        order_id = session.next_order_id()
        session.submit(request(), spy, order_id)
        await gateway.got(3)
        gateway.say(status(order_id, "Submitted", 0, 100))
        gateway.say(status(order_id, "Submitted", 0, 100))
        await facts.wait(is_a(OrderReported))
        session.replace(request(limit_px=Decimal("170.26")), spy, order_id)
        await gateway.got(3, 2)
        gateway.say(status(order_id, "Submitted", 0, 100))
        await facts.wait(lambda fact: len(facts.of(OrderReported)) == 2)
        assert [fact.status for fact in facts.of(OrderReported)] == [OrdStatus.NEW, OrdStatus.NEW]

    trade(test)


def test_status_from_before_a_change_does_not_confirm_the_change(gateway: Any, trade: Any, spy: Any) -> None:
    async def test(session: Any, facts: Any) -> None:
        def told(cum_qty: int) -> Any:
            return lambda fact: isinstance(fact, OrderReported) and fact.cum_qty == cum_qty

        order_id = session.next_order_id()
        session.submit(request(), spy, order_id)
        await gateway.got(3)
        gateway.say(status(order_id, "Submitted", 0, 100))
        await facts.wait(told(0))
        session.replace(request(order_qty=Decimal(40)), spy, order_id)
        await gateway.got(3, 2)
        gateway.say(status(order_id, "Submitted", 10, 90))
        assert (await facts.wait(told(10))).status is OrdStatus.PENDING_REPLACE
        gateway.say(status(order_id, "Submitted", 11, 29))
        assert (await facts.wait(told(11))).status is not OrdStatus.PENDING_REPLACE

    trade(test)


def test_a_list_older_than_a_change_is_mended_by_asking_again(gateway: Any, trade: Any, spy: Any, frame: Any) -> None:
    async def test(session: Any, facts: Any) -> None:
        def told(qty: int) -> Any:
            return lambda fact: isinstance(fact, OrderReported) and fact.order_qty == qty

        order_id = session.next_order_id()
        session.submit(request(), spy, order_id)
        await gateway.got(3)
        gateway.say(listed(order_id, 100, "alpha:1"))
        await facts.wait(is_a(OrderReported))
        session.replace(request(order_qty=Decimal(140)), spy, order_id)
        await gateway.got(3, 2)
        now = listed(order_id, 140, "alpha:1")
        gateway.on_request = lambda fields: [now, frame(53, 1)] if fields[0] == "5" else []
        gateway.say(now)
        gateway.say(listed(order_id, 100, "alpha:1"))
        await facts.wait(told(100))
        await facts.wait(told(140))

    trade(test)


def test_change_is_doubted_in_time_though_the_order_fills_meanwhile(gateway: Any, trade: Any, spy: Any) -> None:
    async def test(session: Any, facts: Any) -> None:
        order_id = session.next_order_id()
        session.submit(request(), spy, order_id)
        await gateway.got(3)
        gateway.say(status(order_id, "Submitted", 0, 100))
        await facts.wait(is_a(OrderReported))
        session.replace(request(order_qty=Decimal(40)), spy, order_id)
        await gateway.got(3, 2)
        gateway.say(status(order_id, "Submitted", 10, 90))
        assert "no answer" in (await facts.wait(is_a(OrderDoubted))).reason

    trade(test, ack_timeout_s=0.3, heartbeat_s=0.05)


def test_lost_connection_doubts_the_order_nobody_acknowledged(gateway: Any, trade: Any, spy: Any) -> None:
    async def test(session: Any, facts: Any) -> None:
        known, unknown = session.next_order_id(), session.next_order_id()
        session.submit(request(1), spy, known)
        session.submit(request(2), spy, unknown)
        await gateway.got(3, 2)
        gateway.say(status(known, "Submitted", 0, 100))
        await facts.wait(is_a(OrderReported))
        gateway.drop()
        fact = await facts.wait(is_a(OrderDoubted))
        assert fact.cl_ord_id == "alpha:2"
        assert len(facts.of(OrderDoubted)) == 1
        assert len(await gateway.got(3, 2)) == 2, "an order must never be sent again"

    trade(test)


def test_order_without_any_answer_is_doubted_in_time(gateway: Any, trade: Any, spy: Any) -> None:
    async def test(session: Any, facts: Any) -> None:
        session.submit(request(), spy, session.next_order_id())
        fact = await facts.wait(is_a(OrderDoubted))
        assert "no answer within 0.1 s" in fact.reason

    trade(test, ack_timeout_s=0.1, heartbeat_s=0.05)


def test_submit_without_connection_writes_nothing_and_says_so(gateway: Any, trade: Any, spy: Any) -> None:
    async def test(session: Any, facts: Any) -> None:
        gateway.drop()
        await facts.wait(lambda fact: getattr(fact, "state", None) == "DISCONNECTED")
        with pytest.raises(ConnectivityError):
            session.submit(request(), spy, session.next_order_id())
        assert not session.can_send
        assert not [fields for fields in gateway.received if fields[0] == "3"]

    trade(test, backoff_first_s=5.0, backoff_max_s=5.0)


@pytest.mark.slow
def test_orders_over_the_budget_wait_and_cancels_pass_them(gateway: Any, trade: Any, spy: Any) -> None:
    async def test(session: Any, facts: Any) -> None:
        ids = [session.next_order_id() for _ in range(12)]
        for number, order_id in enumerate(ids):
            session.submit(request(number), spy, order_id)
        session.cancel(ids[0])
        await gateway.got(4)
        before = [fields[1] for fields in gateway.received if fields[0] == "3"]
        assert len(before) < 12, "the budget must have held some orders back"
        sent = await gateway.got(3, 12)
        assert [fields[1] for fields in sent] == [str(order_id) for order_id in ids]

    trade(test, messages_per_s=10, cancels_per_s=4, heartbeat_s=30.0)


def test_orders_that_waited_for_the_budget_in_vain_are_rejected_as_never_sent(
    gateway: Any, trade: Any, spy: Any
) -> None:
    async def test(session: Any, facts: Any) -> None:
        for number in range(12):
            session.submit(request(number), spy, session.next_order_id())
        sent = len(await gateway.got(3))
        gateway.drop()
        await facts.wait(is_a(OrderRejected))
        await facts.wait(is_a(OrderDoubted))
        unsent = {fact.cl_ord_id for fact in facts.of(OrderRejected)}
        doubted = {fact.cl_ord_id for fact in facts.of(OrderDoubted)}
        assert unsent
        assert not unsent & doubted
        assert len(unsent | doubted) == 12
        assert len(doubted) >= sent

    trade(test, messages_per_s=10, cancels_per_s=4, heartbeat_s=30.0)


def test_nul_in_an_order_reference_is_refused(gateway: Any, trade: Any, spy: Any) -> None:
    async def test(session: Any, facts: Any) -> None:
        with pytest.raises(ConnectivityError, match="NUL"):
            session.submit(request(cl_ord_id=ClientOrderId("alpha\0:1")), spy, session.next_order_id())

    trade(test)


def test_open_orders_of_an_earlier_life_are_adopted_by_their_reference(
    gateway: Any, trade: Any, spy: Any, frame: Any
) -> None:
    gateway.on_request = lambda fields: [listed(77, 5, "alpha:9"), frame(53, 1)] if fields[0] == "5" else []

    async def test(session: Any, facts: Any) -> None:
        fact = await facts.wait(is_a(OrderReported))
        assert (fact.cl_ord_id, fact.status, fact.perm_id) == ("alpha:9", OrdStatus.NEW, 4242)
        assert session.next_order_id() == 78
        session.cancel(77)
        (sent,) = await gateway.got(4)
        assert sent[2] == "77"

    trade(test)


def test_execution_is_booked_by_order_reference_even_before_any_status(gateway: Any, trade: Any, frame: Any) -> None:
    async def test(session: Any, facts: Any) -> None:
        gateway.say(
            frame(
                *(11, -1, 5, 756733, "SPY", "STK", "", 0, "", "", "ARCA", "USD", "SPY", "SPY"),
                *("e.1.01", "20131018-13:31:05", "DU1", "ARCA", "SLD", 7, 170.5, 9001, 10, 0),
                *(7, 170.5, "alpha:33", "", 0, "", 2, 0),
            )
        )
        fill = await facts.wait(is_a(OrderFilled))
        assert (fill.cl_ord_id, fill.strategy, fill.side) == ("alpha:33", "alpha", Side.SELL)

    trade(test)


def test_two_sessions_have_their_own_ids_and_never_answer_for_each_other(
    gateway: Any, run_gateway: Any, floor_at: Any, within: Any, spy: Any
) -> None:
    async def test() -> None:
        async with run_gateway(gateway):
            floor = floor_at(gateway.port)
            session = floor.clients.order_session(ALPHA, 10)
            await session.open()
            order_id = session.next_order_id()
            session.submit(request(), spy, order_id)
            await gateway.got(3)
            gateway.say(status(order_id, "Filled", 100, 0, client_id=11), status(order_id, "Submitted", 0, 100))
            fact = await floor.facts.wait(is_a(OrderReported))
            assert fact.status is OrdStatus.NEW
            await session.close()

    within(test)


def test_sessions_close_leaves_no_task_behind(gateway: Any, trade: Any) -> None:
    async def test(session: Any, facts: Any) -> None:
        await session.close()
        assert {task.get_name() for task in asyncio.all_tasks() if "session" in task.get_name()} == set()

    trade(test)
