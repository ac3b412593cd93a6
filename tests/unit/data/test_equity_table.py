from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from ibfloor.control.protocol import MarketColumns
from ibfloor.data.arctic_store import open_store
from ibfloor.data.equity_points import missing_points, point_table
from ibfloor.data.equity_table import EquityTable
from ibfloor.data.store import StoreError, row_count
from ibfloor.ledger.journal import JournalWriter
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.replay import recover
from ibfloor.manager.equity_feed import EquityFeed
from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.model.fact import AnyFact, CashMoved
from ibfloor.model.ids import StrategyId
from ibfloor.model.lots import LotMethod
from ibfloor.model.marking import BooksMarked, RateTaken
from ibfloor.model.money import Currency, Money
from ibfloor.portfolio.curve import CurvePoint, book_key
from ibfloor.portfolio.worth import ACCOUNT

pytestmark = [pytest.mark.filterwarnings("ignore:Passing a BlockManager:DeprecationWarning"), pytest.mark.slow]

ALPHA = StrategyId("alpha")
NEW_YEAR = 1_767_225_600_000_000_000  # 2026-01-01 UTC
MINUTE = 60 * 10**9
FOREVER = 2**62
EUR, USD = Currency("EUR"), Currency("USD")


def point(ts_ns: int, equity: float, book: StrategyId = ALPHA) -> CurvePoint:
    return CurvePoint(
        book=book, ts_ns=ts_ns, equity=equity, realised=1.0, unrealised=2.0, fees=0.5, income=0.0, flows=100.0
    )


def table_in(folder: Path) -> EquityTable:
    return EquityTable(open_store(folder), folder)


def test_points_are_stored_once_over_restarts_and_months(tmp_path: Path) -> None:
    points = [point(NEW_YEAR + number * MINUTE - 3 * MINUTE, 100.0 + number) for number in range(6)]
    assert table_in(tmp_path).append(point_table(points[:4])) == 4
    again = table_in(tmp_path)
    assert again.append(point_table(points[2:])) == 2
    assert again.append(point_table(points)) == 0
    assert again.last_ns() == points[-1].ts_ns
    stored = again.read(ALPHA, 0, FOREVER)
    assert stored["equity"].tolist() == [100.0 + number for number in range(6)]
    assert again.read(ALPHA, points[1].ts_ns, points[4].ts_ns)["equity"].tolist() == [101.0, 102.0, 103.0]
    assert row_count(again.read(ACCOUNT, 0, FOREVER)) == 0


def test_figure_that_is_not_known_stays_not_known(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.append(point_table([point(NEW_YEAR, float("nan")), point(NEW_YEAR + 1, 5.0)]))
    stored = table.read(ALPHA, 0, FOREVER)["equity"]
    assert np.isnan(stored[0])
    assert stored[1] == 5.0


def test_time_that_is_not_utc_nanoseconds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="UTC nanoseconds"):
        table_in(tmp_path).append(point_table([point(1_767_225_600, 1.0)]))


def test_book_has_one_number_for_good() -> None:
    assert book_key(ALPHA) == 0x8ED3F6AD685B
    assert book_key(ACCOUNT) != book_key(StrategyId("account"))


def test_journal_tells_the_same_points_that_the_floor_told(tmp_path: Path) -> None:
    facts: list[AnyFact] = []
    for number in range(4):
        ts_ns = NEW_YEAR + number * MINUTE
        money = Money(Decimal("10.10") * number, EUR if number % 2 else USD)
        rates = () if number == 1 else (RateTaken(EUR, Decimal("1.1"), ts_ns, "EUR.USD"),)
        facts += [
            CashMoved(ts_event_ns=ts_ns - 5, ts_init_ns=ts_ns, strategy=ALPHA, amount=money, reason="deposit"),
            BooksMarked(ts_event_ns=ts_ns, ts_init_ns=ts_ns, base=USD, rates=rates),
        ]
    state, told = FloorState(), list[MarketColumns]()
    feed = EquityFeed(state)

    def sink(columns: MarketColumns) -> bool:
        told.append(columns)
        return True

    feed.connect(sink)
    paths = LedgerPaths(tmp_path)
    paths.make_folders()
    with JournalWriter(paths.facts_journal, "process") as journal:
        for seq, fact in enumerate(facts, start=1):
            journal.append(fact, seq)
            state.apply(fact)
            feed.observe(Applied(fact, None))
    with recover(tmp_path):
        pass
    everything, names = missing_points(tmp_path, LotMethod.FIFO, 0)
    assert names == {book_key(ACCOUNT): "ACCOUNT", book_key(ALPHA): "alpha"}
    assert row_count(everything) == 8
    for name, column in everything.items():
        live = [value for columns in told for value in columns.columns[name]]
        assert np.array_equal(column, live, equal_nan=True), name
    late, _ = missing_points(tmp_path, LotMethod.FIFO, NEW_YEAR + 2 * MINUTE)
    assert set(late["ts_ns"].tolist()) == {NEW_YEAR + 3 * MINUTE}


def test_recorder_that_is_behind_or_away_gets_its_points_later() -> None:
    state = FloorState()
    feed = EquityFeed(state)

    def mark(number: int) -> None:
        ts_ns = NEW_YEAR + number
        fact = BooksMarked(ts_event_ns=ts_ns, ts_init_ns=ts_ns, base=USD)
        state.apply(fact)
        feed.observe(Applied(fact, None))

    mark(0)
    told: list[int] = []
    is_open = False

    def sink(columns: MarketColumns) -> bool:
        if is_open:
            told.extend(int(ts_ns) for ts_ns in columns.columns["ts_ns"])
        return is_open

    feed.connect(sink)
    mark(1)
    assert told == []
    is_open = True
    mark(2)
    assert told == [NEW_YEAR, NEW_YEAR + 1, NEW_YEAR + 2]
    feed.connect(None)
    mark(3)
    feed.connect(sink)
    assert told[3:] == [NEW_YEAR, NEW_YEAR + 1, NEW_YEAR + 2, NEW_YEAR + 3]
