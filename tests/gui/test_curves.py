"""The curves on the home page, and the figures beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

Start = Callable[..., Any]


def test_the_equity_panel_tells_the_days_result_and_not_how_equity_grew(start_floor: Start, visit: Start) -> None:
    floor = start_floor()
    home = visit()
    home.log_in(floor)
    home.until("document.querySelector('.curve-equity b')?.textContent.endsWith('%')")
    shown = home.page.evaluate(
        "['.curve-equity b', '[data-test=day] small'].map((where) => document.querySelector(where).textContent)"
    )
    assert shown[0] == shown[1]  # the feed's equity came from elsewhere: from its first point it would be another
