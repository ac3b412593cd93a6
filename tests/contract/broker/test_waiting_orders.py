"""Orders that wait for the message budget while the world changes, and cancels that wait for a connection."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ibfloor.execution.order_table import OrderTable
from ibfloor.model.errors import ConnectivityError
from ibfloor.model.fact import OrderDoubted, OrderRejected, OrderSubmitted, ReplaceRequested, SessionState
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.order import OrderRequest, OrdStatus, OrdType, Refusal, Side
from ibfloor.sim.gateway.codec import responses

ALPHA = StrategyId("alpha")
SLOW = {"messages_per_s": 10, "cancels_per_s": 4, "heartbeat_s": 30.0}


def request(number: int) -> OrderRequest:
    return OrderRequest(
        cl_ord_id=ClientOrderId(f"alpha:{number}"),
        strategy=ALPHA,
        instrument_id=InstrumentId(756733),
        side=Side.BUY,
        order_qty=Decimal(100),
        ord_type=OrdType.LIMIT,
        limit_px=Decimal("170.25"),
    )


def status(order_id: int, word: str) -> bytes:
    values: dict[str, Any] = {
        "order_id": order_id,
        "status": word,
        "filled": Decimal(0),
        "remaining": Decimal(100),
        "client_id": 10,
    }
    return responses.ORDER_STATUS.layout(178).encode({**values, "perm_id": 9001})


def is_state(state: SessionState) -> Any:
    return lambda fact: getattr(fact, "state", None) is state


def sent(gateway: Any, message_id: int) -> list[str]:
    return [fields[1] for fields in gateway.received if fields[0] == str(message_id)]


@pytest.fixture
def trade(gateway: Any, run_gateway: Any, floor_at: Any, within: Any) -> Any:
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


@pytest.mark.parametrize("code", [1100, 2110])
def test_orders_waiting_when_ib_is_lost_end_as_never_sent_and_never_leave(
    gateway: Any, trade: Any, spy: Any, frame: Any, code: int
) -> None:
    async def test(session: Any, facts: Any) -> None:
        ids = {session.next_order_id(): number for number in range(12)}
        for order_id, number in ids.items():
            session.submit(request(number), spy, order_id)
        await gateway.got(3)
        gateway.say(frame(4, 2, -1, code, "Connectivity has been lost.", ""))
        await facts.wait(is_state(SessionState.DEGRADED))
        unsent = {fact.cl_ord_id for fact in facts.of(OrderRejected)}
        assert unsent
        assert all("never sent" in fact.text for fact in facts.of(OrderRejected))
        seen = len(facts.all)
        gateway.say(frame(4, 2, -1, 1102, "Connectivity has been restored.", ""))
        await facts.wait(is_state(SessionState.CONNECTED), since=seen)
        for order_id in list(ids)[:1]:
            session.cancel(order_id)  # whatever waited before it would have left before it is answered
        await gateway.got(4)
        left = {f"alpha:{ids[int(order_id)]}" for order_id in sent(gateway, 3)}
        assert not left & unsent
        assert len(left) + len(unsent) == 12

    trade(test, **SLOW)


def test_an_order_whose_turn_comes_after_the_gate_was_shut_does_not_leave(gateway: Any, trade: Any, spy: Any) -> None:
    async def test(session: Any, facts: Any) -> None:
        is_shut = False
        session.recheck = lambda _: Refusal(rule="kill", text="the kill switch is latched") if is_shut else None
        for number in range(12):
            session.submit(request(number), spy, session.next_order_id())
        before = len(await gateway.got(3))
        is_shut = True
        fact = await facts.wait(lambda fact: isinstance(fact, OrderRejected) and fact.cl_ord_id == "alpha:11")
        assert "the kill switch is latched" in fact.text
        rejected = facts.of(OrderRejected)
        assert len(sent(gateway, 3)) + len(rejected) == 12
        assert len(rejected) >= 12 - 10
        assert before >= 1
        assert facts.of(OrderDoubted) == []

    trade(test, **SLOW)


def test_a_cancel_goes_out_while_ib_is_away_and_again_when_it_is_back(
    gateway: Any, trade: Any, spy: Any, frame: Any
) -> None:
    async def test(session: Any, facts: Any) -> None:
        order_id = session.next_order_id()
        session.submit(request(1), spy, order_id)
        await gateway.got(3)
        gateway.say(status(order_id, "Submitted"))
        await facts.wait(lambda fact: getattr(fact, "status", None) is OrdStatus.NEW)
        gateway.say(frame(4, 2, -1, 1100, "Connectivity has been lost.", ""))
        await facts.wait(is_state(SessionState.DEGRADED))
        session.cancel(order_id)
        await gateway.got(4)
        gateway.say(frame(4, 2, -1, 1102, "Connectivity has been restored.", ""))
        await gateway.got(4, 2)
        gateway.say(status(order_id, "Cancelled"))
        await facts.wait(lambda fact: getattr(fact, "status", None) is OrdStatus.CANCELED)
        assert len(sent(gateway, 3)) == 1

    trade(test)


def test_a_cancel_without_connection_waits_and_goes_out_after_the_reconnect(gateway: Any, trade: Any, spy: Any) -> None:
    async def test(session: Any, facts: Any) -> None:
        first, second = session.next_order_id(), session.next_order_id()
        for number, order_id in enumerate((first, second)):
            session.submit(request(number), spy, order_id)
        await gateway.got(3, 2)
        gateway.say(status(first, "Submitted"), status(second, "Submitted"))
        seen = len(facts.all)
        gateway.drop()
        await facts.wait(is_state(SessionState.DISCONNECTED), since=seen)
        for order_id in (first, second):
            with pytest.raises(ConnectivityError, match="goes out when it is back"):
                session.cancel(order_id)
        # What ended meanwhile is told on the reconnect, before the cancels are due.
        gateway.on_request = lambda fields: [status(second, "Cancelled")] if fields[0] == "5" else []
        await gateway.got(4)
        await facts.wait(is_state(SessionState.CONNECTED), since=seen)
        assert sent(gateway, 4) == [str(first)]

    trade(test)


def test_change_that_waited_when_ib_was_lost_leaves_the_order_as_it_was(
    gateway: Any, trade: Any, spy: Any, frame: Any
) -> None:
    async def test(session: Any, facts: Any) -> None:
        first = session.next_order_id()
        session.submit(request(0), spy, first)
        gateway.say(status(first, "Submitted"))
        await facts.wait(lambda fact: getattr(fact, "status", None) is OrdStatus.NEW)
        for number in range(1, 12):
            session.submit(request(number), spy, session.next_order_id())
        larger = msgspec.structs.replace(request(0), order_qty=Decimal(300))
        session.replace(larger, spy, first)
        gateway.say(frame(4, 2, -1, 1100, "Connectivity has been lost.", ""))
        await facts.wait(is_state(SessionState.DEGRADED))
        table = OrderTable()
        table.apply(OrderSubmitted(request=request(0), order_id=first, client_id=10, ts_event_ns=1, ts_init_ns=1))
        for fact in facts.all:
            if isinstance(fact, OrderRejected) and fact.cl_ord_id == "alpha:0":
                table.apply(ReplaceRequested(ts_event_ns=1, ts_init_ns=1, request=larger))
            table.apply(fact)
        order = table.get(ClientOrderId("alpha:0"))
        assert order is not None
        assert (order.status, order.request.order_qty) == (OrdStatus.NEW, Decimal(100))
        assert "never sent" in order.text
        assert [fields[17] for fields in await gateway.got(3) if fields[1] == str(first)] == ["100"]

    trade(test, **SLOW)


def test_second_change_that_waited_leaves_the_order_in_doubt_while_the_first_is_unanswered(
    gateway: Any, trade: Any, spy: Any, frame: Any
) -> None:
    async def test(session: Any, facts: Any) -> None:
        first = session.next_order_id()
        session.submit(request(0), spy, first)
        for number in range(1, 12):
            session.submit(request(number), spy, session.next_order_id())
        session.replace(msgspec.structs.replace(request(0), order_qty=Decimal(300)), spy, first)
        gateway.say(frame(4, 2, -1, 1100, "Connectivity has been lost.", ""))
        await facts.wait(is_state(SessionState.DEGRADED))
        assert [fact.cl_ord_id for fact in facts.of(OrderDoubted)] == ["alpha:0"]

    trade(test, **SLOW)


@pytest.mark.slow
def test_order_of_one_strategy_does_not_wait_behind_the_flood_of_another(
    gateway: Any, run_gateway: Any, floor_at: Any, within: Any, spy: Any
) -> None:
    async def test() -> None:
        async with run_gateway(gateway):
            floor = floor_at(gateway.port, **SLOW)
            flood, quiet = (
                floor.clients.order_session(StrategyId(name), number) for name, number in (("alpha", 10), ("beta", 11))
            )
            await flood.open()
            await quiet.open()
            try:
                for number in range(60):
                    flood.submit(request(number), spy, flood.next_order_id())
                await gateway.got(3)
                quiet.submit(request(99), spy, quiet.next_order_id())
                while (sent := [fields[26] for fields in gateway.received if fields[0] == "3"])[-1] != "alpha:99":
                    await gateway.got(3, len(sent) + 1)
                assert len(sent) < 15, "ten seconds of orders were before it"
            finally:
                await flood.close()
                await quiet.close()

    within(test)
