from __future__ import annotations

import importlib
import pickle
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import arcticdb
import numpy as np
import pandas as pd
import pytest

from ibfloor.data import arctic_store
from ibfloor.data.arctic_store import ArcticStore, open_store
from ibfloor.data.catalogue import catalogue
from ibfloor.data.sealing import seal_bars
from ibfloor.data.store import BAR_COLUMNS, TICK_COLUMNS, StoreBroken, StoreError, Table, as_table
from ibfloor.data.symbol_names import SymbolNames

# ArcticDB builds its frames in a way that pandas will drop.
pytestmark = [pytest.mark.filterwarnings("ignore:Passing a BlockManager:DeprecationWarning"), pytest.mark.slow]

NS = 1_000_000_000
MINUTE = 60 * NS
DAY = 24 * 60 * MINUTE
NOON = 1_381_766_400 * NS


def ticks(*rows: tuple[int, int, float], kind: int = 4) -> Table:
    keys, times, prices = zip(*rows, strict=True)
    columns: dict[str, Sequence[float]] = {"instrument_id": keys, "ts_ns": [NOON + ts for ts in times], "px": prices}
    columns |= {"kind": [kind] * len(rows), "qty": [1.0] * len(rows)}
    return as_table(columns, TICK_COLUMNS)


def bars(instrument_id: int, *minutes: int, px: float = 10.0) -> Table:
    columns: dict[str, Sequence[float]] = {name: [px] * len(minutes) for name in BAR_COLUMNS}
    columns |= {"instrument_id": [instrument_id] * len(minutes)}
    columns |= {"ts_ns": [NOON + minute * MINUTE for minute in minutes]}
    return as_table(columns, BAR_COLUMNS)


def minutes(table: Table) -> list[int]:
    return [(int(ts_ns) - NOON) // MINUTE for ts_ns in table["ts_ns"]]


def reopen(path: Path) -> ArcticStore:
    """Open the folder as the next process would, knowing nothing."""
    arctic_store._opened.clear()
    return open_store(path, map_size="64MB")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "market"
    arctic_store._opened.clear()


@pytest.fixture
def store(folder: Path) -> ArcticStore:
    return open_store(folder, map_size="64MB")


def test_ticks_come_back_as_they_went_in_late_ones_in_their_place(store: ArcticStore) -> None:
    assert store.append_ticks(ticks((1, 10, 100.0), (2, 11, 50.0), (1, 30, 101.0))) == 3
    assert store.append_ticks(ticks((1, 20, 100.5), (1, 40, 102.0))) == 2  # the first one is late
    found = store.read_ticks(1, NOON, NOON + DAY)
    assert found["ts_ns"].tolist() == [NOON + 10, NOON + 20, NOON + 30, NOON + 40]
    assert found["px"].tolist() == [100.0, 100.5, 101.0, 102.0]


def test_ticks_of_several_hours_are_found_by_time(store: ArcticStore) -> None:
    store.append_ticks(ticks((1, 0, 1.0), (1, 60 * MINUTE, 2.0), (1, DAY, 3.0)))
    assert len(store.symbols(arctic_store.TICKS_LIVE)) == 3
    assert store.read_ticks(1, NOON + 1, NOON + DAY)["px"].tolist() == [2.0]


def test_a_restart_skips_ticks_that_are_stored_already(store: ArcticStore, folder: Path) -> None:
    store.append_ticks(ticks((1, 10, 1.0), (1, 20, 2.0)))
    again = reopen(folder)
    assert again.append_ticks(ticks((1, 10, 1.0), (1, 20, 2.0), (1, 30, 3.0), (2, 15, 9.0))) == 2
    assert again.read_ticks(1, NOON, NOON + DAY)["px"].tolist() == [1.0, 2.0, 3.0]


def test_a_bar_is_stored_once_in_one_process_and_over_a_restart(store: ArcticStore, folder: Path) -> None:
    assert store.append_bars(bars(1, 0, 1, 1)) == 2
    assert store.append_bars(bars(1, 1, 2)) == 1
    again = reopen(folder)
    assert again.append_bars(bars(1, 0, 1, 2, 3)) == 1
    assert minutes(again.read_bars(1, NOON, NOON + DAY)) == [0, 1, 2, 3]


def test_a_bar_that_comes_late_is_stored_in_its_place(store: ArcticStore) -> None:
    store.append_bars(bars(1, 5))
    assert store.append_bars(bars(2, 1)) == 1
    assert store.append_bars(bars(1, 2)) == 1
    assert minutes(store.read_bars(1, NOON, NOON + DAY)) == [2, 5]


def test_gap_markers_can_be_found(store: ArcticStore) -> None:
    marker = ticks((0, 5, float("nan")), kind=0)
    store.append_ticks(marker)
    store.append_ticks(ticks((1, 6, 1.0)))
    assert store.read_gaps(NOON, NOON + DAY)["ts_ns"].tolist() == [NOON + 5]


@pytest.mark.parametrize("ts_ns", [1_381_766_400, 5_000_000_000 * NS, -1])
def test_times_that_are_no_utc_nanoseconds_are_refused(ts_ns: int) -> None:
    columns: dict[str, list[float]] = {"kind": [4], "instrument_id": [1], "ts_ns": [ts_ns], "px": [1.0], "qty": [1.0]}
    with pytest.raises(StoreError, match="not UTC nanoseconds"):
        as_table(columns, TICK_COLUMNS)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"kind": [4]}, "lacks the column instrument_id"),
        ({"kind": [4], "instrument_id": [1], "ts_ns": [NOON], "px": ["x"], "qty": [1.0]}, "no number"),
        ({"kind": [4], "instrument_id": [1], "ts_ns": [NOON, NOON], "px": [1.0], "qty": [1.0]}, "differ in length"),
    ],
)
def test_broken_columns_are_refused_by_name(columns: dict[str, Any], reason: str) -> None:
    with pytest.raises(StoreError, match=reason):
        as_table(columns, TICK_COLUMNS)


@pytest.mark.slow
def test_a_day_is_sealed_per_contract_and_can_be_sealed_again(store: ArcticStore) -> None:
    store.append_bars(bars(1, 3, 1))
    store.append_bars(bars(2, 2))
    assert seal_bars(store, "20131014") == 3
    assert store.symbols(arctic_store.BARS_LIVE) == []
    assert store.symbols(arctic_store.BARS_1M) == ["c1", "c2"]
    store.append_bars(bars(1, 2, 4, px=11.0))
    assert minutes(store.read_bars(1, NOON, NOON + DAY)) == [1, 2, 3, 4]
    assert seal_bars(store, "20131014") == 3
    assert minutes(store.read_sealed(1, NOON, NOON + DAY)) == [1, 2, 3, 4]
    assert seal_bars(store, "20131014") == 0


def test_sealing_the_next_day_keeps_the_first(store: ArcticStore) -> None:
    store.append_bars(bars(1, 0))
    store.append_bars(bars(1, 24 * 60))
    seal_bars(store, "20131014")
    seal_bars(store, "20131015")
    assert minutes(store.read_sealed(1, NOON, NOON + 2 * DAY)) == [0, 24 * 60]


def test_after_lmdb_failed_nothing_is_written_any_more(folder: Path) -> None:
    store = open_store(folder, map_size="1MB")
    noise = np.random.default_rng(7).random(200_000)  # does not compress to 1 MB
    with pytest.raises(StoreBroken, match="is the disk full"):
        store.append_ticks(ticks(*((1, n, px) for n, px in enumerate(noise.tolist()))))
    with pytest.raises(StoreBroken):
        store.append_bars(bars(1, 0))


def test_one_folder_is_one_store_and_shut_to_others(store: ArcticStore, folder: Path) -> None:
    assert open_store(folder / ".." / "market") is store
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot open the market store in"):
        open_store(tmp_path / "file" / "market")


class Bomb:
    """A pickle that leaves a file behind when it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


def test_pickles_are_refused_by_arcticdbs_pickler(tmp_path: Path) -> None:
    normalization = importlib.import_module("arcticdb.version_store._normalization")
    with pytest.raises(StoreError, match="pickled values are neither read nor written"):
        normalization.Pickler.read(pickle.dumps(Bomb(tmp_path / "trace")))
    with pytest.raises(StoreError, match="pickled values are neither read nor written"):
        normalization.Pickler.write(object())
    assert not (tmp_path / "trace").exists()


@pytest.mark.slow
def test_a_program_hidden_in_a_store_does_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    plant = (
        "import arcticdb, pandas, sys, pathlib\n"
        "class Bomb:\n"
        "    def __reduce__(self): return (pathlib.Path.touch, (pathlib.Path(sys.argv[2]),))\n"
        "library = arcticdb.Arctic(f'lmdb://{sys.argv[1]}?map_size=16MB').get_library('ticks_live', True)\n"
        "index = pandas.DatetimeIndex([pandas.Timestamp('2013-10-14 16:30', tz='UTC')])\n"
        "library.write('20131014T16', pandas.DataFrame({'px': [1.0]}, index=index), metadata=Bomb())\n"
    )
    subprocess.run([sys.executable, "-c", plant, str(tmp_path / "market"), str(trace)], check=True, timeout=50)
    with pytest.raises(StoreError, match="pickled values"):
        reopen(tmp_path / "market").read_ticks(1, NOON, NOON + DAY)
    assert not trace.exists()


def test_a_reader_in_another_thread_sees_whole_appends(store: ArcticStore) -> None:
    stop, problems = threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            count = len(store.read_ticks(1, NOON, NOON + DAY)["px"])
            if count % 100:
                problems.append(count)

    reader = threading.Thread(target=look)
    reader.start()
    for step in range(30):
        store.append_ticks(ticks(*((1, step * 100 + n, 1.0) for n in range(100))))
    stop.set()
    reader.join()
    assert problems == []
    assert len(store.read_ticks(1, NOON, NOON + DAY)["px"]) == 3000


@pytest.mark.slow
def test_the_catalogue_names_what_is_stored(store: ArcticStore, folder: Path) -> None:
    store.append_ticks(ticks((1, 10, 1.0), (1, 20, 1.0)))
    store.append_bars(bars(1, 0, 7))
    names = SymbolNames(folder)
    names.learn({1: "SPY"})
    names.save()
    rows = {(row.symbol, row.table): row for row in catalogue(folder)}
    assert rows["SPY", "ticks_live"].rows == 2
    assert (rows["SPY", "bars_live"].first_ns, rows["SPY", "bars_live"].last_ns) == (NOON, NOON + 7 * MINUTE)


def test_a_catalogue_of_nothing_says_where_a_store_comes_from(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the recorder makes one"):
        catalogue(tmp_path)


def test_broken_names_say_how_to_mend_them(folder: Path) -> None:
    folder.mkdir()
    (folder / "symbols.json").write_text("{")
    with pytest.raises(StoreError, match="delete it"):
        SymbolNames(folder).learn({1: "SPY"})


def test_stored_tables_are_plain_pandas_to_others(store: ArcticStore, folder: Path) -> None:
    store.append_bars(bars(1, 0))
    frame = arcticdb.Arctic(f"lmdb://{folder}?map_size=64MB")["bars_live"].read("20131014").data
    assert isinstance(frame, pd.DataFrame)
    assert str(frame.index.dtype) == "datetime64[ns, UTC]"
