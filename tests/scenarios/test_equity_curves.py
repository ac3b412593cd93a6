"""Equity curves are stored once and whole, whatever dies meanwhile; the journal tells them again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from typing import Any

import numpy as np
import psutil
import pytest

from ibfloor.data.arctic_store import open_store
from ibfloor.data.equity_points import missing_points
from ibfloor.data.equity_table import EquityTable
from ibfloor.data.store import Table, row_count, rows_of
from ibfloor.ledger.reading import read_facts
from ibfloor.ledger.replay import recover
from ibfloor.model.ids import UNASSIGNED, StrategyId
from ibfloor.model.lots import LotMethod
from ibfloor.model.marking import BooksMarked
from ibfloor.portfolio.curve import book_key
from ibfloor.portfolio.worth import ACCOUNT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:Passing a BlockManager:DeprecationWarning"),
]
REVERT = StrategyId("revert")
FOREVER = 2**62


def recorder_of(floor: Any) -> psutil.Process | None:
    for child in psutil.Process(floor.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            if "ibfloor.data" in child.cmdline():
                return child
    return None


def marks(scene: Any) -> list[BooksMarked]:
    return [fact for fact in read_facts(scene.home, (BooksMarked,)) if isinstance(fact, BooksMarked)]


def marked(scene: Any) -> int:
    return len(marks(scene))


def of_book(table: Table, book: StrategyId) -> Table:
    return rows_of(table, table["book"] == book_key(book))


def test_curves_are_whole_after_the_recorder_and_the_floor_were_killed(
    scene: Any, tools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBFLOOR_RECORDER__ENABLED", "true")
    monkeypatch.setenv("IBFLOOR_RECORDER__MIN_FREE_GB", "0.1")
    scene.write_config(tools.strategy_table("revert", "mean_reversion.py", symbol="QQQ", qty=100, inventory_max=200))
    floor = scene.floor()
    scene.until(lambda: scene.view("fills"), floor)
    scene.until(lambda: recorder_of(floor), floor)
    before = marked(scene)
    scene.until(lambda: marked(scene) >= before + 2, floor)
    first = recorder_of(floor)
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    scene.until(lambda: (now := recorder_of(floor)) and now.pid != first.pid, floor)
    before = marked(scene)
    scene.until(lambda: marked(scene) >= before + 2, floor)
    floor.signal(signal.SIGKILL)
    floor.wait()
    floor = scene.floor()
    before = marked(scene)
    scene.until(lambda: marked(scene) >= before + 1 and scene.view("floor")["floor"]["bars_stored"], floor)
    last_ns = marks(scene)[-1].ts_event_ns
    floor.signal(signal.SIGTERM)
    floor.output()
    assert floor.wait() == 0, floor.words()
    with recover(scene.home):
        pass

    told, names = missing_points(scene.home, LotMethod.FIFO, 0)
    assert set(names.values()) == {ACCOUNT, REVERT, UNASSIGNED}
    store = scene.home / "market"
    curves = EquityTable(open_store(store), store)
    assert curves.books() == sorted([ACCOUNT, REVERT, UNASSIGNED])
    for book in curves.books():
        ours, stored = of_book(told, book), curves.read(book, 0, FOREVER)
        assert stored["ts_ns"][-1] >= last_ns, "only marks made while the floor ended may be untold"
        for name in stored:
            assert np.array_equal(stored[name], ours[name][: row_count(stored)], equal_nan=True), (book, name)
        assert len(set(stored["ts_ns"].tolist())) == row_count(stored) >= 4
    shown = scene.cli("equity", "--strategy", "revert", "--json")
    assert shown.returncode == 0, shown.stderr
    assert [row["ts_ns"] for row in json.loads(shown.stdout)] == curves.read(REVERT, 0, FOREVER)["ts_ns"].tolist()
    wrong = scene.cli("equity", "--strategy", "nobody")
    assert (wrong.returncode, "there are: ACCOUNT, UNASSIGNED, revert" in wrong.stderr) == (1, True)
