from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ibfloor.config import FloorSettings
from ibfloor.ledger.journal import JournalWriter
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.replay import recover
from ibfloor.model.fact import CashMoved
from ibfloor.model.ids import UNASSIGNED
from ibfloor.model.marking import BooksMarked
from ibfloor.model.money import Currency, Money
from ibfloor.ops.day_end import DayEnd

NEW_YORK = ZoneInfo("America/New_York")
NOON = 1_772_557_200_000_000_000  # 2026-03-03
DAY_NS = 24 * 3600 * 10**9
USD = Currency("USD")


class TestClock:
    __test__ = False
    speed = 1.0

    def __init__(self) -> None:
        self.ns = NOON

    def now_ns(self) -> int:
        return self.ns

    def wall_delay_s(self, until_ns: int) -> float:
        return 0.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    paths = LedgerPaths(tmp_path)
    paths.make_folders()
    with JournalWriter(paths.facts_journal, "process") as journal:
        money = Money(Decimal(1000), USD)
        journal.append(
            CashMoved(ts_event_ns=NOON, ts_init_ns=NOON, strategy=UNASSIGNED, amount=money, reason="opening"), 1
        )
        for number in range(3):
            ts_ns = NOON + number * DAY_NS
            journal.append(BooksMarked(ts_event_ns=ts_ns, ts_init_ns=ts_ns, base=USD), number + 2)
    with recover(tmp_path):
        pass
    return tmp_path


def settings(home: Path) -> FloorSettings:
    limits: dict[str, Any] = dict.fromkeys(
        (
            "max_order_qty",
            "max_order_notional",
            "max_position_qty",
            "max_position_notional",
            "collar_pct",
            "max_gross_exposure",
        ),
        "off",
    )
    return FloorSettings(
        floor={"home": home}, gateway={"port": 4002}, risk={**limits, "order_rate_per_s": 5, "order_burst": 5}
    )


@pytest.mark.slow
def test_every_day_that_is_over_gets_its_statements_once(home: Path) -> None:
    folder = home / "statements"
    clock = TestClock()

    async def look() -> None:
        day_end = DayEnd(settings(home), clock, tz=NEW_YORK, last_day="2026-03-03")
        async with asyncio.timeout(30), day_end:
            await day_end.looked.wait()

    clock.ns += DAY_NS
    (folder / "2026-03-03").mkdir(parents=True)
    (folder / "2026-03-03" / "ACCOUNT.csv").write_text("written by hand while the day ran")
    asyncio.run(look())
    final = folder / "2026-03-03" / "ACCOUNT.csv"
    assert [path.name for path in folder.iterdir()] == ["2026-03-03"]
    assert "Closing equity" in final.read_text()
    before = final.stat().st_mtime_ns
    clock.ns += DAY_NS
    asyncio.run(look())
    assert final.stat().st_mtime_ns == before
    assert "1000.00" in (folder / "2026-03-04" / "UNASSIGNED.csv").read_text()
