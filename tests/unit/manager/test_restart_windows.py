from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ibfloor.manager.restart_windows import parse_window

NEW_YORK = ZoneInfo("America/New_York")
LEAD = timedelta(minutes=2)


def end_of(window: str, now: str) -> str:
    end = parse_window(window).ends_at(datetime.fromisoformat(now).replace(tzinfo=NEW_YORK), LEAD)
    return "" if end is None else f"{end:%a %H:%M}"


@pytest.mark.parametrize(
    ("window", "now", "end"),
    [
        ("23:40-00:15", "2026-11-23 23:37:59", ""),
        ("23:40-00:15", "2026-11-23 23:38:00", "Tue 00:15"),
        ("23:40-00:15", "2026-11-24 00:14:59", "Tue 00:15"),
        ("23:40-00:15", "2026-11-24 00:15:00", ""),
        ("00:01-00:30", "2026-11-23 23:59:30", "Tue 00:30"),
        ("Sun 00:55-03:00", "2026-11-21 01:30:00", ""),
        ("Sun 00:55-03:00", "2026-11-22 01:30:00", "Sun 03:00"),
        ("Sun 23:00-02:00", "2026-11-23 01:30:00", "Mon 02:00"),
        ("Sun 23:00-02:00", "2026-11-24 01:30:00", ""),
        # The night the clocks go back: the window that names 01:30 to 03:00 holds through both of the 01 hours.
        ("Sun 00:55-03:00", "2026-11-01 01:30:00", "Sun 03:00"),
        # The night they go forward: 02:30 is not on the clock that night.
        ("Sun 02:30-03:30", "2026-03-08 03:10:00", "Sun 03:30"),
    ],
)
def test_window_holds_from_its_lead_to_its_end(window: str, now: str, end: str) -> None:
    assert end_of(window, now) == end


def test_the_second_of_a_doubled_hour_is_in_the_window_too() -> None:
    twice = datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK, fold=1)
    assert parse_window("Sun 00:55-03:00").ends_at(twice, LEAD) is not None
