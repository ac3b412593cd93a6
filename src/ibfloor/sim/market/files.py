"""Recorded market data: Parquet files of a folder, read into minutes and days of whole ticks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from ibfloor.model.errors import ConfigError
from ibfloor.model.moment import to_datetime
from ibfloor.sim.market.bars import NS_PER_DAY
from ibfloor.sim.market.frames import ASK, ASK_QTY, BID, BID_QTY, COLUMNS, TRADE, VOLUME, DayBar, Floats, Ints
from ibfloor.sim.market.securities import Security

_OHLC = ("open", "high", "low", "close")
_BID = tuple(f"bid_{name}" for name in _OHLC)
_ASK = tuple(f"ask_{name}" for name in _OHLC)

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAYS_BEFORE, _DAYS_AFTER = 400, 60  # of the record, around its anchor: a year of history, some weeks to play

Minutes = tuple[Ints, Ints]
"""Minute starts in UTC nanoseconds, and rows as in ``frames`` (without counts of ticks)."""
NO_MINUTES: Minutes = (np.zeros(0, dtype=np.int64), np.zeros((0, COLUMNS), dtype=np.int64))


class MarketFolder:
    """Reads the files of one folder around a day; every error is a ``ConfigError`` that names file and column."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ConfigError(
                f"market data folder {folder} does not exist: name a folder with the Parquet files of its README, "
                "or use the generated market"
            )
        self._folder = folder

    def stock_minutes(self, security: Security, around: date) -> Minutes:
        """Return quote and trade minutes of a stock; empty when the files do not hold it."""
        only = ("symbol", security.symbol)
        quotes = self._read(around, "equity_minute_quotes", ("time", *_BID, *_ASK, "bid_size", "ask_size"), only)
        trades = self._read(around, "equity_minute_trades", ("time", *_OHLC, "volume"), only)
        tick = float(security.instrument.min_tick)
        minute_ns = np.union1d(quotes["time"], trades["time"]).astype(np.int64)
        rows = np.zeros((len(minute_ns), COLUMNS), dtype=np.int64)
        quoted = np.searchsorted(minute_ns, quotes["time"])
        rows[quoted, BID] = _ticks(quotes, _BID, tick)
        rows[quoted, ASK] = _ticks(quotes, _ASK, tick)
        rows[quoted, BID_QTY], rows[quoted, ASK_QTY] = quotes["bid_size"], quotes["ask_size"]
        traded = np.searchsorted(minute_ns, trades["time"])
        rows[traded, TRADE] = _ticks(trades, _OHLC, tick)
        rows[traded, VOLUME] = trades["volume"]
        return carried(minute_ns, rows)

    def stock_days(self, security: Security, around: date) -> list[DayBar]:
        """Return daily bars of a stock, from hours where there are no days; maybe none."""
        only, tick = ("symbol", security.symbol), float(security.instrument.min_tick)
        days = self._read(around, "equity_daily", ("time", *_OHLC, "volume"), only)
        if not len(days["time"]):
            days = self._read(around, "equity_hour", ("time", *_OHLC, "volume"), only)
        return _days(security, days["time"], _ticks(days, _OHLC, tick), days["volume"].astype(np.int64))

    def future_minutes(self, security: Security, around: date, expiry: str, quote_qty: int) -> Minutes:
        """Return trade minutes of a future with quotes around them: trades at the ask when they rise."""
        bars = self._read(around, "es_futures_minute", ("time", *_OHLC, "volume"), ("expiry", expiry))
        rows = np.zeros((len(bars["time"]), COLUMNS), dtype=np.int64)
        trades = _ticks(bars, _OHLC, float(security.instrument.min_tick))
        is_rising = (trades[:, 3] >= trades[:, 0])[:, None]
        rows[:, BID] = trades - is_rising
        rows[:, ASK] = rows[:, BID] + 1
        rows[:, TRADE], rows[:, VOLUME] = trades, bars["volume"]
        rows[:, [BID_QTY, ASK_QTY]] = quote_qty
        return bars["time"].astype(np.int64), rows

    def forex_quotes(self, around: date) -> tuple[Ints, Floats, Floats]:
        """Return times, bids and asks of EUR.USD's ticks."""
        ticks = self._read(around, "eurusd_ticks", ("time", "bid", "ask"))
        return ticks["time"].astype(np.int64), ticks["bid"].astype(np.float64), ticks["ask"].astype(np.float64)

    def forex_days(self, security: Security, around: date) -> list[DayBar]:
        """Return daily bars of EUR.USD's bid, made of its hours."""
        hours = self._read(around, "eurusd_hour", ("time", *_BID))
        px = _ticks(hours, _BID, float(security.tape_tick))
        return _days(security, hours["time"], px, np.zeros(len(px), dtype=np.int64))

    def _read(
        self, around: date, name: str, columns: Sequence[str], only: tuple[str, str] | None = None
    ) -> dict[str, Any]:
        # imported here: the generated market does without it
        import pyarrow as pa
        from pyarrow import parquet

        path = self._folder / f"{name}.parquet"
        if not path.is_file():
            raise ConfigError(f"market data file {path} does not exist: copy it there, or use the generated market")
        wanted = [*columns, only[0]] if only else list(columns)
        try:
            known = parquet.read_schema(path).names
            missing = [column for column in wanted if column not in known]
            if missing:
                raise ConfigError(
                    f"market data file {path} has no column {', '.join(missing)}: it has {', '.join(known)}; "
                    "replace it by the file its README describes"
                )
            table = parquet.read_table(path, columns=wanted, filters=[(only[0], "==", only[1])] if only else None)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise ConfigError(f"market data file {path} cannot be read as Parquet ({error}): copy it anew") from error
        values = {column: table.column(column).to_numpy() for column in columns}
        values["time"] = values["time"].astype("datetime64[ns]").astype(np.int64)
        day_ns = (around.toordinal() - _EPOCH_ORDINAL) * NS_PER_DAY
        is_near = (values["time"] >= day_ns - _DAYS_BEFORE * NS_PER_DAY) & (
            values["time"] < day_ns + _DAYS_AFTER * NS_PER_DAY
        )
        values = {column: array[is_near] for column, array in values.items()}
        order = np.argsort(values["time"], kind="stable")
        return {column: array[order] for column, array in values.items()}


def _ticks(table: dict[str, Any], columns: Sequence[str], tick: float) -> Ints:
    px: Floats = np.stack([table[column] for column in columns], axis=1) / tick
    return np.rint(np.nan_to_num(px)).astype(np.int64)


def carried(minute_ns: Ints, rows: Ints) -> Minutes:
    """Return minutes in which those without a quote keep the last one; those before the first are dropped."""
    is_quoted = (rows[:, BID] > 0).all(axis=1) & (rows[:, ASK] > 0).all(axis=1)
    last = np.maximum.accumulate(np.where(is_quoted, np.arange(len(rows)), -1))
    carried = np.flatnonzero(~is_quoted & (last >= 0))
    for where in (BID, ASK):
        rows[carried, where] = rows[last[carried], where][:, 3:4]
    rows[carried[:, None], [BID_QTY, ASK_QTY]] = rows[last[carried][:, None], [BID_QTY, ASK_QTY]]
    return minute_ns[last >= 0], rows[last >= 0]


def _days(security: Security, time_ns: Ints, ohlc: Ints, volume: Ints) -> list[DayBar]:
    # a daily row starts at local midnight, an hourly one within its session
    by_day: dict[date, list[int]] = {}
    session = security.session
    zone = ZoneInfo(session.time_zone)
    for n, ts_ns in enumerate(time_ns.tolist()):
        local = to_datetime(ts_ns, zone)
        day = local.date() if not local.hour else session.day_of(ts_ns)
        by_day.setdefault(day, []).append(n)
    return [
        DayBar(
            day,
            int(ohlc[rows[0], 0]),
            int(ohlc[rows, 1].max()),
            int(ohlc[rows, 2].min()),
            int(ohlc[rows[-1], 3]),
            int(volume[rows].sum()),
        )
        for day, rows in sorted(by_day.items())
    ]
