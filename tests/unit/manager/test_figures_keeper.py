"""An instrument's usual day, worked out of its daily bars."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ibfloor.data.bar_size import NS_PER_DAY
from ibfloor.manager.figures_keeper import figures_of
from ibfloor.model.market import Bar

D = Decimal


def bar(facts: Any, day: int, high: float, low: float, close: float, volume: float = 1_000.0) -> Bar:
    return Bar(facts.instrument(), day * NS_PER_DAY, NS_PER_DAY, close, high, low, close, volume)


def test_true_range_counts_the_gap_from_the_close_before(facts: Any) -> None:
    bars = [bar(facts, 1, 101, 99, 100), bar(facts, 2, 106, 104, 105), bar(facts, 3, 105, 102, 103)]
    assert figures_of(bars).true_range == D("4.5"), "6 with the gap, then 3"


def test_only_the_last_fourteen_ranges_count(facts: Any) -> None:
    wild = [bar(facts, day, 150, 50, 100) for day in range(7)]
    calm = [bar(facts, 7 + day, 101, 99, 100) for day in range(14)]
    assert figures_of(wild + calm).true_range == D(2)


def test_days_without_volume_are_no_days_and_none_at_all_is_not_known(facts: Any) -> None:
    bars = [bar(facts, 1, 1, 1, 1, 300.0), bar(facts, 2, 1, 1, 1, 0.0), bar(facts, 3, 1, 1, 1, 500.0)]
    assert figures_of(bars).average_volume == D(400)
    currency = [bar(facts, day, 1, 1, 1, -1.0) for day in range(3)]
    assert figures_of(currency).average_volume is None
    assert figures_of(bars[:1]).true_range is None
