"""When the broker's lists are proof, and when not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ibfloor.clock import FloorClock
from ibfloor.manager.reconciler import Reconciler
from ibfloor.model.errors import ConnectivityError
from ibfloor.model.fact import SessionState


class _Account:
    """A session whose connection to IB may go while it answers."""

    def __init__(self, before: SessionState, after: SessionState) -> None:
        self.state = before
        self._after = after
        self.asked = 0

    async def snapshot(self) -> str:
        self.asked += 1
        self.state = self._after
        return "lists"


class _Holds:
    def hold(self, *_: object) -> None: ...


def _reconciler(account: Any) -> Reconciler:
    nobody: Any = None
    holds: Any = _Holds()
    return Reconciler(
        account, nobody, nobody, holds, FloorClock(), period_s=1.0, on_account=lambda account, currency: None
    )


def test_lists_of_a_gateway_with_ib_are_taken() -> None:
    account = _Account(SessionState.CONNECTED, SessionState.CONNECTED)

    assert str(asyncio.run(_reconciler(account)._ask_broker())) == "lists"


@pytest.mark.parametrize(
    ("before", "after", "asked"),
    [(SessionState.DEGRADED, SessionState.CONNECTED, 0), (SessionState.CONNECTED, SessionState.DEGRADED, 1)],
)
def test_lists_of_a_gateway_without_ib_prove_no_order_absent(
    before: SessionState, after: SessionState, asked: int
) -> None:
    account = _Account(before, after)

    with pytest.raises(ConnectivityError, match="proves nothing"):
        asyncio.run(_reconciler(account)._ask_broker())
    assert account.asked == asked
