"""vn.py and NautilusTrader, unmodified, trade through the gateway and agree with its book."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest

from ibfloor.sim.gateway.book import BookReport

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Drive = Callable[[str], Coroutine[Any, Any, tuple[dict[str, Any], BookReport]]]
Held = Callable[[BookReport], dict[str, Decimal]]


@pytest.mark.parametrize("peer", ["nautilus", "vnpy"])
def test_a_trading_platform_does_all_it_can_without_a_complaint(peer: str, drive: Drive, held: Held) -> None:
    report, book = asyncio.run(drive(peer))
    assert report["failures"] == []
    assert report["log"] == []
    assert report["passed"] == report["steps"]
    assert held(book) == {"SPY": 70}
    assert report["positions"] == {"SPY": 70}
    assert report["fills"] == {
        row.exec_id: [row.side.lower(), float(row.qty), float(row.px)] for row in book.executions
    }
