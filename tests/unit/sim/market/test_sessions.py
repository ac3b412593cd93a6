"""Trading hours, holidays and IB's text of them."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from ibfloor.model.moment import from_datetime
from ibfloor.sim.market.sessions import CME_INDEX, FOREX, US_STOCKS, Session

NEW_YORK = ZoneInfo("US/Eastern")


def at(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK))


@pytest.mark.parametrize(
    ("session", "text", "is_open", "is_regular"),
    [
        (US_STOCKS, "2026-11-23 03:59", False, False),
        (US_STOCKS, "2026-11-23 04:00", True, False),
        (US_STOCKS, "2026-11-23 09:30", True, True),
        (US_STOCKS, "2026-11-23 15:59:59", True, True),
        (US_STOCKS, "2026-11-23 16:00", True, False),
        (US_STOCKS, "2026-11-23 20:00", False, False),
        (US_STOCKS, "2026-11-22 12:00", False, False),  # a Sunday
        (US_STOCKS, "2026-11-26 12:00", False, False),  # Thanksgiving
        (US_STOCKS, "2026-11-27 12:59", True, True),  # the short Friday after it
        (US_STOCKS, "2026-11-27 13:00", True, False),
        (CME_INDEX, "2026-11-22 18:00", True, False),
        (CME_INDEX, "2026-11-23 17:00", False, False),
        (CME_INDEX, "2026-11-23 09:30", True, True),
        (FOREX, "2026-11-22 17:14", False, False),
        (FOREX, "2026-11-22 17:15", True, True),
        (FOREX, "2026-11-26 12:00", True, True),
        (FOREX, "2026-12-25 12:00", False, False),
    ],
)
def test_a_session_is_open_by_its_exchanges_clock(session: Session, text: str, is_open: bool, is_regular: bool) -> None:
    assert (session.is_open(at(text)), session.is_regular(at(text))) == (is_open, is_regular)


def test_open_follows_the_change_of_the_clocks() -> None:
    before, after = (US_STOCKS.regular_hours(date(2026, 3, day)) for day in (6, 9))
    assert before is not None
    assert after is not None
    assert (after[0] - before[0]) // 3_600_000_000_000 == 3 * 24 - 1


def test_day_of_a_time_after_the_close_is_the_next_session() -> None:
    assert US_STOCKS.day_of(at("2026-11-25 20:30")) == date(2026, 11, 27)
    assert CME_INDEX.day_of(at("2026-11-22 19:00")) == date(2026, 11, 23)


def test_hours_are_written_as_ib_writes_them() -> None:
    text = US_STOCKS.hours_text(at("2026-11-25 10:00"), days=3)
    assert text == "20261125:0400-20261125:2000;20261126:CLOSED;20261127:0400-20261127:2000"
    liquid = US_STOCKS.hours_text(at("2026-11-25 10:00"), days=3, regular=True)
    assert liquid == "20261125:0930-20261125:1600;20261126:CLOSED;20261127:0930-20261127:1300"
    assert CME_INDEX.hours_text(at("2026-11-23 10:00"), days=1) == "20261122:1700-20261123:1600"
