"""Contract months: which are listed on a day, and when each ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import msgspec

from ibfloor.sim.market.sessions import US_STOCKS

MONTH_CODES = "FGHJKMNQUVXZ"


class ContractMonth(msgspec.Struct, frozen=True):
    """One listed month: its letter, its text at IB, its last day of trading."""

    code: str
    month: str
    last_day: date


def contract_months(day: date, codes: str, count: int, expires: str) -> list[ContractMonth]:
    """Return the months in front on a day; raise ``KeyError`` for an unknown way to expire."""
    last_day_of = EXPIRIES[expires]
    months = [(day.year + years, n + 1) for years in range(3) for n, code in enumerate(MONTH_CODES) if code in codes]
    listed = [
        ContractMonth(MONTH_CODES[month - 1], f"{year}{month:02d}", last_day_of(year, month)) for year, month in months
    ]
    return [month for month in listed if month.last_day > day][:count]


def option_days(day: date, weeks: int, months: int) -> list[date]:
    """Return the Fridays (Thursdays before a holiday) on which options expire, in order."""
    friday = day + timedelta(days=(4 - day.weekday()) % 7)
    weekly = [friday + timedelta(weeks=n) for n in range(weeks)]
    monthly = [month.last_day for month in contract_months(day, MONTH_CODES, weeks + months, "third_friday")]
    later = [each for each in monthly if each not in weekly][:months]
    return sorted({_trading_day(each) for each in (*weekly, *later)})


def third_friday(year: int, month: int) -> date:
    """Return the third Friday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=14 + (4 - first.weekday()) % 7)


def _vix(year: int, month: int) -> date:
    # thirty days before the third Friday of the month after
    return third_friday(year + month // 12, month % 12 + 1) - timedelta(days=30)


def _crude(year: int, month: int) -> date:
    # three business days before the 25th of the month before
    day = date(year - (month == 1), (month - 2) % 12 + 1, 25)
    for _ in range(3):
        day = US_STOCKS.previous_day(day)
    return day


def _trading_day(day: date) -> date:
    return day if US_STOCKS.is_trading_day(day) else US_STOCKS.previous_day(day)


EXPIRIES: dict[str, Callable[[int, int], date]] = {"third_friday": third_friday, "vix": _vix, "crude": _crude}
"""Last days of trading by the names that a file of securities may use."""
