"""What tests of markets share: a start shortly before an open, and the folder of real data."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ibfloor.model.moment import from_datetime


@pytest.fixture(scope="session")
def start_ns() -> int:
    """09:26 in New York on a Monday."""
    return from_datetime(datetime(2026, 11, 23, 9, 26, tzinfo=ZoneInfo("US/Eastern")))


@pytest.fixture(scope="session")
def market_folder() -> Path:
    default = Path(__file__).parents[4].parent / "shared" / "market"
    folder = Path(os.environ.get("IBFLOOR_MARKET", default))
    if not folder.is_dir():
        pytest.skip(f"no market data in {folder}: set IBFLOOR_MARKET to its folder")
    return folder
