"""How long before an auction its orders are taken, on short days too."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ibfloor.model.moment import from_datetime
from ibfloor.sim.exchange.values import Auction
from ibfloor.sim.gateway.ticket_hours import too_late
from ibfloor.sim.market.securities import default_master


@pytest.mark.parametrize(
    ("symbol", "at", "is_late"),
    [
        ("BAC", "2026-11-27 12:49", False),
        ("BAC", "2026-11-27 12:50", True),  # ten minutes before one o'clock
        ("BAC", "2026-11-27 13:00", False),  # for the next day
        ("AAPL", "2026-11-27 12:54", False),
        ("AAPL", "2026-11-27 12:55", True),
        ("BAC", "2026-11-26 15:55", False),  # a holiday has no auction
    ],
)
def test_a_short_day_closes_its_auction_earlier(symbol: str, at: str, is_late: bool) -> None:
    security = default_master("20261127").by_symbol(symbol)
    assert security is not None
    now_ns = from_datetime(datetime.fromisoformat(at).replace(tzinfo=ZoneInfo("US/Eastern")))
    assert (too_late(security, Auction.CLOSE, "MOC", now_ns) is not None) == is_late
