"""The broker without a wire: ids, changes, what lasts how long."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ibfloor.model.ids import AccountId
from ibfloor.model.money import USD
from ibfloor.model.order import OrdType, Side, TimeInForce
from ibfloor.sim.account import SimAccount
from ibfloor.sim.exchange.engine import Exchange
from ibfloor.sim.exchange.values import BookTop
from ibfloor.sim.gateway.core import Broker
from ibfloor.sim.gateway.events import BrokerEvent, BrokerOrder, Executed, OrderCanceled, OrderShown, Refused, Ticket
from ibfloor.sim.market.securities import default_master

_SPY = default_master().find("STK", "SPY")[0].instrument


class Desk:
    """A broker, its events, and a ticket to fill in."""

    def __init__(self) -> None:
        self.events: list[BrokerEvent] = []
        account = SimAccount(AccountId("DU1"), {USD: Decimal(100_000)})
        self.is_open = True
        exchange = Exchange(self._is_regular)
        self.broker = Broker(exchange, account, self._is_regular, lambda _: Decimal(168), self.events.append)

    def _is_regular(self, _instrument_id: int, _ts_ns: int) -> bool:
        return self.is_open

    def ticket(self, qty: int = 100, limit: str | None = None, **changes: object) -> Ticket:
        fields: dict[str, object] = {
            "instrument": _SPY,
            "exchange": "SMART",
            "side": Side.BUY,
            "qty": Decimal(qty),
            "ord_type": OrdType.MARKET if limit is None else OrdType.LIMIT,
            "limit_px": None if limit is None else Decimal(limit),
            "stop_px": None,
            "time_in_force": TimeInForce.DAY,
            "outside_hours": False,
            "transmit": True,
            "what_if": False,
            "account": "DU1",
            "order_ref": "",
            "attributes": {},
        }
        return Ticket(**{**fields, **changes})  # type: ignore[arg-type]

    def quote(self, bid: str, ask: str, at_ns: int, size: int = 1000) -> None:
        top = BookTop(
            instrument_id=_SPY.instrument_id,
            ts_ns=at_ns,
            bid_px=Decimal(bid),
            bid_qty=Decimal(size),
            ask_px=Decimal(ask),
            ask_qty=Decimal(size),
        )
        self.broker.on_tick(top)

    def order(self, client_id: int, order_id: int) -> BrokerOrder:
        order = self.broker.find(client_id, order_id)
        assert order is not None
        return order


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.quote("168.00", "168.02", 1)
    return desk


def test_perm_ids_are_global_and_order_ids_per_client(desk: Desk) -> None:
    desk.broker.place(1, 5, desk.ticket(limit="160"), 2)
    desk.broker.place(2, 5, desk.ticket(limit="161"), 3)
    assert desk.order(1, 5).perm_id != desk.order(2, 5).perm_id
    assert [desk.broker.next_order_id(client) for client in (1, 2, 3)] == [6, 6, 1]


def test_an_order_id_below_the_highest_used_is_a_duplicate(desk: Desk) -> None:
    desk.broker.place(1, 5, desk.ticket(limit="160"), 2)
    for order_id in (4, 0, -1):
        desk.broker.place(1, order_id, desk.ticket(limit="160"), 3)
    assert [(event.order_id, event.code) for event in desk.events if isinstance(event, Refused)] == [
        (4, 103),
        (0, 103),
        (-1, 103),
    ]


def test_a_held_order_trades_only_when_it_is_transmitted(desk: Desk) -> None:
    desk.broker.place(1, 1, desk.ticket(transmit=False), 2)
    desk.quote("168.00", "168.02", 3)
    assert desk.order(1, 1).status == "PreSubmitted"
    desk.broker.place(1, 1, desk.ticket(), 4)
    assert desk.order(1, 1).status == "Filled"


def test_a_held_order_can_be_canceled(desk: Desk) -> None:
    desk.broker.place(1, 1, desk.ticket(transmit=False), 2)
    desk.broker.cancel(1, 1, 3)
    assert desk.order(1, 1).status == "Cancelled"
    assert isinstance(desk.events[-1], OrderCanceled)


def test_day_orders_end_with_the_day_and_gtc_orders_do_not(desk: Desk) -> None:
    desk.broker.place(1, 1, desk.ticket(limit="160"), 2)
    desk.broker.place(1, 2, desk.ticket(limit="160", time_in_force=TimeInForce.GTC), 3)
    desk.broker.expire_day_orders(4, _SPY.instrument_id)
    assert (desk.order(1, 1).status, desk.order(1, 2).status) == ("Cancelled", "Submitted")


def test_the_rest_of_an_immediate_order_is_canceled_after_its_fill(desk: Desk) -> None:
    desk.broker.place(1, 1, desk.ticket(qty=1500, limit="168.02", time_in_force=TimeInForce.IOC), 2)
    order = desk.order(1, 1)
    assert [order.status, str(order.filled_qty), str(order.remaining_qty)] == ["Cancelled", "1000", "500"]
    assert [type(event) for event in desk.events[-2:]] == [Executed, OrderCanceled]


def test_a_change_below_what_has_traded_ends_the_order(desk: Desk) -> None:
    desk.broker.place(1, 1, desk.ticket(qty=1500, limit="168.02"), 2)
    desk.broker.place(1, 1, desk.ticket(qty=900, limit="168.02"), 3)
    assert [desk.order(1, 1).status, str(desk.order(1, 1).filled_qty)] == ["Cancelled", "1000"]


def test_an_order_outside_hours_is_shown_as_submitted_when_the_market_opens(desk: Desk) -> None:
    desk.is_open = False
    desk.broker.place(1, 1, desk.ticket(limit="160"), 2)
    assert desk.order(1, 1).status == "PreSubmitted"
    desk.is_open = True
    desk.quote("168.00", "168.02", 3)
    shown = [event.order.status for event in desk.events if isinstance(event, OrderShown)]
    assert shown == ["PreSubmitted", "PreSubmitted", "Submitted"]


def test_a_client_cannot_cancel_what_another_placed(desk: Desk) -> None:
    desk.broker.place(1, 1, desk.ticket(limit="160"), 2)
    desk.broker.cancel(2, 1, 3)
    refused = desk.events[-1]
    assert isinstance(refused, Refused)
    assert (refused.client_id, refused.code) == (2, 10147)
    assert desk.order(1, 1).status == "Submitted"


def test_client_0_can_change_and_cancel_a_manual_order_once_it_is_bound(desk: Desk) -> None:
    manual = desk.broker.place_manual_order(desk.ticket(limit="160"), 2)
    assert manual.order_id == 0
    desk.broker.bind_manual_orders()
    bound = desk.broker.order(manual.perm_id)
    desk.broker.place(0, bound.order_id, desk.ticket(limit="161"), 3)
    assert desk.broker.order(manual.perm_id).ticket.limit_px == 161
    desk.broker.cancel(0, bound.order_id, 4)
    assert desk.broker.order(manual.perm_id).status == "Cancelled"
