"""The lists of an account that is asked for: what ends meanwhile is not open, and what came is kept small."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ib_async import Contract, Order, OrderState

from ibfloor.broker.ib.master_session import _COMPLETED, IbMasterSession
from ibfloor.model.account import ListedOrder


def listed(perm_id: int, status: str = "Submitted") -> tuple[Contract, Order, OrderState]:
    order = Order(orderId=4, clientId=10, permId=perm_id, orderRef="sma:1", action="BUY", totalQuantity=100)
    order.orderType = "MKT"
    return Contract(conId=756733), order, OrderState(status=status)


@pytest.mark.parametrize(("told", "is_open"), [("Filled", False), ("Cancelled", False), ("Submitted", True)])
def test_live_message_of_before_the_list_opens_no_order_that_is_over(floor_at: Any, told: str, is_open: bool) -> None:
    session: IbMasterSession = floor_at(1).clients.master_session(lambda _: None)
    session._on_status([b"3", b"4", told.encode(), b"100", b"0", b"585", b"901", b"0", b"585", b"10", b"", b"0"])
    found = list(session._still_open([listed(901), listed(902), listed(903, "Cancelled")]))
    assert [order.perm_id for order in found] == ([901, 902] if is_open else [902])


def test_completed_orders_wait_for_the_end_of_their_list_as_what_the_floor_needs_of_them(floor_at: Any) -> None:
    async def listen() -> list[Any]:
        session: IbMasterSession = floor_at(1).clients.master_session(lambda _: None)
        pending = session._requests.start(_COMPLETED)
        for perm_id in (901, 902):
            session._on_completed_order(*listed(perm_id, "Filled"))
        return pending.items

    waiting = asyncio.run(listen())
    assert all(isinstance(each, ListedOrder) for each in waiting)  # the library's are four times as large
    assert [each.perm_id for each in waiting] == [901, 902]
