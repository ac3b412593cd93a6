"""Trading hours, holidays and IB's text of them."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from ibfloor.model.moment import NS_PER_MINUTE, from_datetime
from ibfloor.sim.market.sessions import CFE, CME_INDEX, FOREX, LONDON, NYMEX, SESSIONS, TOKYO, US_STOCKS, XETRA, Session

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
        (US_STOCKS, "2026-11-27 17:00", False, False),
        (CME_INDEX, "2026-11-22 17:59", False, False),  # the week begins on Sunday at six
        (CME_INDEX, "2026-11-22 18:00", True, False),
        (CME_INDEX, "2026-11-23 16:59", True, False),
        (CME_INDEX, "2026-11-23 17:59", False, False),
        (CME_INDEX, "2026-11-23 18:00", True, False),
        (CME_INDEX, "2026-11-20 17:00", False, False),  # and ends on Friday at five
        (CME_INDEX, "2026-11-20 18:00", False, False),
        (CME_INDEX, "2026-11-27 12:59", True, True),
        (CME_INDEX, "2026-11-27 13:00", False, False),
        (NYMEX, "2026-11-26 12:59", True, True),
        (NYMEX, "2026-11-26 13:00", False, False),  # short on Thanksgiving, as the exchange's calendar says
        (CFE, "2026-11-27 13:14", True, True),
        (CFE, "2026-11-27 13:15", False, False),
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
    assert text == "20261125:0400-20261125:2000;20261126:CLOSED;20261127:0400-20261127:1700"
    liquid = US_STOCKS.hours_text(at("2026-11-25 10:00"), days=3, regular=True)
    assert liquid == "20261125:0930-20261125:1600;20261126:CLOSED;20261127:0930-20261127:1300"
    assert CME_INDEX.hours_text(at("2026-11-23 10:00"), days=1) == "20261122:1700-20261123:1600"


@pytest.mark.parametrize(
    ("session", "zone", "text", "opens"),
    [
        (TOKYO, "Asia/Tokyo", "2024-11-05 08:59", False),
        (TOKYO, "Asia/Tokyo", "2024-11-05 09:00", True),
        (TOKYO, "Asia/Tokyo", "2024-11-05 11:29:59", True),
        (TOKYO, "Asia/Tokyo", "2024-11-05 11:30", False),
        (TOKYO, "Asia/Tokyo", "2024-11-05 12:29:59", False),
        (TOKYO, "Asia/Tokyo", "2024-11-05 12:30", True),
        (TOKYO, "Asia/Tokyo", "2024-11-05 15:29", True),  # half an hour longer since that day
        (TOKYO, "Asia/Tokyo", "2024-11-01 15:00", False),
        (TOKYO, "Asia/Tokyo", "2024-11-04 10:00", False),  # a holiday made up for
        (XETRA, "Europe/Berlin", "2024-12-23 17:29", True),
        (XETRA, "Europe/Berlin", "2024-12-24 10:00", False),
        (XETRA, "Europe/Berlin", "2024-12-30 14:00", False),  # closes at two
        (XETRA, "Europe/Berlin", "2024-05-01 10:00", False),
        (LONDON, "Europe/London", "2024-12-24 12:29", True),
        (LONDON, "Europe/London", "2024-12-24 12:30", False),
        (LONDON, "Europe/London", "2024-05-06 10:00", False),  # a bank holiday
    ],
)
def test_foreign_venues_keep_their_own_days_and_pauses(session: Session, zone: str, text: str, opens: bool) -> None:
    moment = from_datetime(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))
    assert session.is_regular(moment) == opens


def test_hours_with_a_pause_are_two_spans_of_one_day() -> None:
    moment = from_datetime(datetime(2024, 11, 1, 10, tzinfo=ZoneInfo("Asia/Tokyo")))
    parts = ["20241101:0900-20241101:1130", "20241101:1230-20241101:1500"]
    assert TOKYO.hours_text(moment, days=5, regular=True).split(";") == [
        *parts,
        *("20241102:CLOSED", "20241103:CLOSED", "20241104:CLOSED"),
        *("20241105:0900-20241105:1130", "20241105:1230-20241105:1530"),
    ]


@pytest.mark.parametrize("name", SESSIONS)
def test_the_hours_that_are_told_are_those_that_orders_trade_by(name: str) -> None:
    session = SESSIONS[name]
    zone = ZoneInfo(session.time_zone)
    start = from_datetime(datetime(2024, 11, 25, tzinfo=zone))  # a week with Thanksgiving and a short day
    for regular in (False, True):
        told = []
        for text in session.hours_text(start, days=8, regular=regular).split(";"):
            if "CLOSED" not in text:
                edges = (datetime.strptime(edge, "%Y%m%d:%H%M").replace(tzinfo=zone) for edge in text.split("-"))
                told.append(tuple(from_datetime(edge) for edge in edges))
        is_on = session.is_regular if regular else session.is_open
        for minute in range(0, 7 * 24 * 60, 15):
            now_ns = start + minute * NS_PER_MINUTE
            assert is_on(now_ns) == any(begin <= now_ns < end for begin, end in told), (name, regular, minute)
