from __future__ import annotations

from datetime import date

import pytest

from ibfloor.strategy.calendars import trading_days_left


@pytest.mark.parametrize(
    ("today", "last", "left"),
    [
        (date(2013, 11, 27), date(2013, 12, 2), 2),  # Thanksgiving and a weekend lie between
        (date(2013, 11, 29), date(2013, 12, 2), 1),
        (date(2013, 12, 2), date(2013, 12, 2), 0),
        (date(2013, 12, 3), date(2013, 12, 2), 0),
        (date(2013, 10, 7), date(2013, 12, 20), 54),  # far ahead holidays do not matter yet
    ],
)
def test_days_left_are_those_on_which_the_exchange_trades(today: date, last: date, left: int) -> None:
    assert trading_days_left(today, last, "XNYS") == left


def test_a_calendar_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="no trading calendar 'CMEX'"):
        trading_days_left(date(2013, 12, 2), date(2013, 12, 6), "CMEX")
