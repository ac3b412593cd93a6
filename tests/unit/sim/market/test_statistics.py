"""The generator's habits against the figures its docstring states, and these against the files."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from ibfloor.sim.market.files import MarketFolder
from ibfloor.sim.market.frames import ASK, BID, CLOSE, OPEN, VOLUME, Floats, Ints
from ibfloor.sim.market.generated import generated_tapes
from ibfloor.sim.market.recorded import Recorded
from ibfloor.sim.market.securities import default_master
from ibfloor.sim.market.sessions import US_STOCKS

SYMBOLS = ("SPY", "QQQ", "IWM", "AAPL", "BAC", "KO", "PEP", "ES")
DAYS = 80
BP = 1e4


class Sample:
    """Regular minutes of some days: returns in basis points, spreads in ticks, volumes; days x minutes."""

    def __init__(self, days: list[Ints]) -> None:
        middle = np.array([(rows[:, BID] + rows[:, ASK]) / 2 for rows in days])
        self.log_px: Floats = np.log(middle[:, :, CLOSE])
        self.opened: Floats = np.log(middle[:, 0, OPEN])
        self.returns: Floats = np.diff(self.log_px, axis=1, prepend=self.opened[:, None]) * BP
        self.spread: Floats = np.array([rows[:, 7] - rows[:, 3] for rows in days], dtype=float)
        volume = np.array([rows[:, VOLUME] for rows in days], dtype=float)
        self.share: Floats = (volume / volume.mean(axis=1, keepdims=True)).mean(axis=0)

    @property
    def gap(self) -> Floats:
        return (self.opened[1:] - self.log_px[:-1, -1]) * BP

    @property
    def kurtosis(self) -> float:
        buckets = np.array_split(self.returns, 13, axis=1)
        scaled = [bucket / bucket.std() for bucket in buckets]
        return float(np.mean([np.mean(bucket**4) for bucket in scaled]))

    def deviation(self, first: int, last: int) -> float:
        return float(self.returns[:, first:last].std())


@pytest.fixture(scope="module")
def generated(start_ns: int) -> dict[str, Sample]:
    master = default_master("20261123")
    securities = [security for security in (master.by_symbol(symbol) for symbol in SYMBOLS) if security]
    tapes = generated_tapes(11, start_ns, securities)
    days: dict[str, list[Ints]] = {symbol: [] for symbol in SYMBOLS}
    day = tapes[0].source.first_day
    while len(days["SPY"]) < DAYS:
        regular = US_STOCKS.regular_hours(day)
        assert regular is not None
        for tape in tapes:
            frames = tape.source.frames(day)
            assert frames is not None
            rows = frames.rows[(frames.minute_ns >= regular[0]) & (frames.minute_ns < regular[1])]
            if len(rows) == 390:  # not a short day
                days[tape.security.symbol].append(rows)
        day = US_STOCKS.next_day(day)
    return {symbol: Sample(rows) for symbol, rows in days.items()}


@pytest.mark.parametrize(("symbol", "deviation_bp"), [("SPY", 3.06), ("AAPL", 4.8), ("BAC", 5.3), ("ES", 3.06)])
def test_minutes_deviate_as_stated(generated: dict[str, Sample], symbol: str, deviation_bp: float) -> None:
    assert generated[symbol].returns.std() == pytest.approx(deviation_bp, rel=0.2)


def test_volatility_has_the_stated_shape_over_the_day(generated: dict[str, Sample]) -> None:
    spy = generated["SPY"]
    assert spy.deviation(0, 30) == pytest.approx(4.4, rel=0.2)
    assert spy.deviation(150, 270) == pytest.approx(2.4, rel=0.2)
    assert spy.deviation(375, 390) == pytest.approx(4.2, rel=0.25)


def test_returns_have_the_stated_fat_tails(generated: dict[str, Sample]) -> None:
    for symbol in ("SPY", "AAPL", "BAC"):
        assert 3.7 < generated[symbol].kurtosis < 7


def test_spreads_are_as_stated(generated: dict[str, Sample]) -> None:
    assert np.median(generated["SPY"].spread) == np.median(generated["BAC"].spread) == 1
    assert np.median(generated["AAPL"].spread) == 2


def test_volume_has_the_stated_shape_over_the_day(generated: dict[str, Sample]) -> None:
    share = generated["SPY"].share
    assert 2.7 < share[0] < 11
    assert share[1:15].mean() == pytest.approx(2.0, rel=0.15)
    assert share[150:270].mean() == pytest.approx(0.65, rel=0.15)
    assert 9 < share[389] < 22


@pytest.mark.parametrize(("symbol", "gap_bp"), [("SPY", 61), ("AAPL", 111)])
def test_gaps_are_of_the_stated_order(generated: dict[str, Sample], symbol: str, gap_bp: float) -> None:
    assert generated[symbol].gap.std() == pytest.approx(gap_bp, rel=0.4)


def test_index_members_move_together(generated: dict[str, Sample]) -> None:
    spy = np.diff(generated["SPY"].log_px[:, -1])
    for symbol, stated in (("QQQ", 0.93), ("IWM", 0.92), ("BAC", 0.72), ("AAPL", 0.54)):
        found = np.corrcoef(spy, np.diff(generated[symbol].log_px[:, -1]))[0, 1]
        assert found == pytest.approx(stated, abs=0.2)


def test_pair_comes_back_to_its_mean(generated: dict[str, Sample]) -> None:
    spread = (generated["PEP"].log_px - generated["KO"].log_px) * BP
    assert spread.std() == pytest.approx(25, rel=0.25)
    inner = spread - spread.mean()
    kept = (inner[:, 120:] * inner[:, :-120]).mean() / (inner**2).mean()
    assert kept == pytest.approx(0.5, abs=0.2)


def test_future_follows_its_index(generated: dict[str, Sample]) -> None:
    basis = (generated["ES"].log_px - generated["SPY"].log_px) * BP
    assert basis.std() < 3


@pytest.mark.parametrize(
    ("symbol", "anchor", "count", "deviation_bp", "spread_bp", "kurtosis"),
    [
        ("SPY", date(2013, 10, 9), 6, 3.06, 0.6, 4.6),
        ("BAC", date(2013, 10, 9), 6, 5.3, 7.2, 4.8),
        ("AAPL", date(2014, 6, 6), 2, 4.8, 1.5, 5.4),
    ],
)
def test_stated_figures_are_those_of_the_files(
    market_folder: Path,
    symbol: str,
    anchor: date,
    count: int,
    deviation_bp: float,
    spread_bp: float,
    kurtosis: float,
) -> None:
    security = default_master().find("STK", symbol)[0]
    folder = MarketFolder(market_folder)
    record = Recorded(security, folder.stock_minutes(security, anchor), [])
    days = []
    for day in record.minute_days[:count]:
        minutes = record.minutes(day)
        assert minutes is not None
        days.append(minutes[(minutes[:, 0] >= 570) & (minutes[:, 0] < 960), 1:])
    sample = Sample(days)
    assert sample.returns.std() == pytest.approx(deviation_bp, rel=0.1)
    relative = sample.spread / np.exp(sample.log_px) * BP
    assert np.median(relative) == pytest.approx(spread_bp, rel=0.1)
    assert sample.kurtosis == pytest.approx(kurtosis, rel=0.25)
    assert 2.5 < sample.share[0] < 12
    assert 9 < sample.share[389] < 25
    assert sample.share[150:270].mean() == pytest.approx(0.65, abs=0.15)
