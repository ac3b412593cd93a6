"""Files of recorded bars or ticks, CSV or Parquet, read into columns; errors name file, line and column."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ibfloor.data.recorder_feed import KIND_ASK, KIND_BID, KIND_LAST
from ibfloor.data.store import Table
from ibfloor.model.errors import ConfigError
from ibfloor.model.moment import from_datetime
from ibfloor.sim.market.exact import TickRows

BARS, TICKS = ("open", "high", "low", "close", "volume"), ("bid", "ask", "bid_size", "ask_size", "price", "size")
_MARKS = ("exchange", "conditions")
_SIDES = (("bid", "bid_size", KIND_BID), ("ask", "ask_size", KIND_ASK), ("price", "size", KIND_LAST))


class FileColumns(msgspec.Struct, frozen=True):
    """A file's numbers by column, in time order, and what it says of its trades."""

    numbers: Table
    marks: Sequence[tuple[str, str]] = ()

    @property
    def is_bars(self) -> bool:
        """Tell whether it holds bars, not ticks."""
        return BARS[0] in self.numbers

    @property
    def tick_rows(self) -> TickRows:
        """Return its ticks, a row for each side of a quote and for each trade."""
        count = len(self.numbers["ts_ns"])
        parts = [(px, qty, kind) for px, qty, kind in _SIDES if px in self.numbers]
        unknown = np.zeros(count)
        # one below the other, then by line: bid and ask of a line stand side by side, its trade after them
        order = np.argsort(np.tile(np.arange(count), len(parts)), kind="stable")
        return TickRows(
            np.tile(self.numbers["ts_ns"], len(parts))[order],
            np.repeat([kind for _, _, kind in parts], count)[order],
            np.concatenate([self.numbers[px] for px, _, _ in parts])[order],
            np.nan_to_num(np.concatenate([self.numbers.get(qty, unknown) for _, qty, _ in parts])[order]),
            [self.marks[n % count] for n in order.tolist()] if self.marks else (),
        )


def read_columns(path: Path) -> FileColumns:
    """Return what a file holds; raise ``ConfigError`` for one that is neither bars nor ticks."""
    if path.suffix == ".parquet":
        return _read_parquet(path)
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        names = tuple(reader.fieldnames or ())
        wanted = _wanted(path, names)
        rows = [_row(path, reader.line_num, row, wanted) for row in reader]
    rows.sort(key=lambda row: row[0])
    columns = {"ts_ns": np.array([row[0] for row in rows], dtype=np.int64)}
    for n, name in enumerate(wanted):
        columns[name] = np.array([row[1][n] for row in rows], dtype=np.float64)
    return FileColumns(columns, [row[2] for row in rows] if set(_MARKS) & set(names) else ())


def _wanted(path: Path, names: Sequence[str]) -> Sequence[str]:
    wanted = BARS if "open" in names else tuple(name for name in TICKS if name in names)
    missing = [name for name in ("time", *(BARS if "open" in names else ())) if name not in names]
    if missing or not {"open", "bid", "price"} & set(wanted) or ("bid" in wanted) != ("ask" in wanted):
        raise ConfigError(
            f"{path}: it has the columns {', '.join(names)}: it needs time and either {', '.join(BARS)}, "
            "or bid, ask, or price, size"
        )
    return wanted


def _read_parquet(path: Path) -> FileColumns:
    # imported here: the generated market does without it
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
        wanted = _wanted(path, table.column_names)
        time = table.column("time")
        if not pa.types.is_integer(time.type):
            time = time.cast(pa.timestamp("ns", "UTC" if getattr(time.type, "tz", None) else None)).cast(pa.int64())
        numbers = {name: np.array(table.column(name).cast(pa.float64()).to_pylist(), dtype=float) for name in wanted}
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ConfigError(f"{path} cannot be read as Parquet of times and numbers ({error})") from error
    ts_ns = time.to_numpy().astype(np.int64)
    order = np.argsort(ts_ns, kind="stable")
    texts = [table.column(name).to_pylist() if name in table.column_names else [""] * len(ts_ns) for name in _MARKS]
    marks: list[tuple[str, str]] = []
    if set(_MARKS) & set(table.column_names):
        marks = [(_text(texts[0][n]), _text(texts[1][n])) for n in order.tolist()]
    return FileColumns({"ts_ns": ts_ns[order], **{name: numbers[name][order] for name in wanted}}, marks)


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)


def _row(
    path: Path, line: int, row: Mapping[str, str | None], wanted: Sequence[str]
) -> tuple[int, list[float], tuple[str, str]]:
    try:
        ts_ns = _time(row["time"] or "")
    except ValueError:
        raise ConfigError(f"{path}, line {line}: time {row['time']!r} is neither ISO 8601 nor nanoseconds") from None
    cells = []
    for name in wanted:
        text = row[name] or ""
        try:
            cells.append(float(text) if text else float("nan"))
        except ValueError:
            raise ConfigError(f"{path}, line {line}: {name} {text!r} is no number") from None
    return ts_ns, cells, (row.get("exchange") or "", row.get("conditions") or "")


def _time(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    moment = datetime.fromisoformat(text)
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
