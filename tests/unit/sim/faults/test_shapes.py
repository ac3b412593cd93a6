"""Times in other shapes, on days of 23, 24 and 25 hours."""

from __future__ import annotations

import pytest

from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.faults.shapes import reshaped


@pytest.mark.parametrize(
    ("told", "shape", "text"),
    [
        ("20131007 10:00:00 US/Eastern", "no_zone", "20131007 10:00:00"),
        ("20131007 10:00:00 US/Eastern", "two_spaces", "20131007  10:00:00"),
        ("20131007 10:00:00 US/Eastern", "utc_dash", "20131007-14:00:00"),
        ("20131007 10:00:00 US/Eastern", "epoch", "1381154400"),
        ("20130309 18:00:00 US/Eastern", "utc_dash", "20130309-23:00:00"),
        ("20130310 18:00:00 US/Eastern", "utc_dash", "20130310-22:00:00"),
        ("20131102 23:30:00 US/Eastern", "utc_dash", "20131103-03:30:00"),
        ("20131103 00:30:00 US/Eastern", "utc_dash", "20131103-04:30:00"),
        ("20131103 18:00:00 US/Eastern", "utc_dash", "20131103-23:00:00"),
        ("20131007  10:00:00", "utc_dash", "20131007-14:00:00"),
        ("20131007 10:00:00 Europe/London", "epoch", "1381136400"),
    ],
)
def test_a_time_is_told_in_another_shape_whatever_the_days_length(told: str, shape: str, text: str) -> None:
    assert reshaped({"time": told, "bars": [{"date": told}], "symbol": "SPY"}, shape) == {
        "time": text,
        "bars": [{"date": text}],
        "symbol": "SPY",
    }


def test_what_is_no_time_stays() -> None:
    values: Values = {"symbol": "20131007", "qty": 5, "text": "at 20131007 10:00:00", "flag": None}
    assert reshaped(values, "epoch") == values
