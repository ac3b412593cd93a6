"""The table of orders tells at what was traded, and its badges count what the floor counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

Start = Callable[..., Any]
ROWS = """[...document.querySelectorAll('tr[data-order]')].map((row) => {
  const shown = (kind) => {
    const cell = row.querySelector(`td.${kind}`);
    return getComputedStyle(cell).display === 'none' ? '' : cell.innerText;
  };
  const type = row.querySelector('td.type').textContent;
  return [type, row.dataset.status, shown('limit'), shown('price'), row.querySelector('td.price').title];
})"""
FITS = "((box) => box.scrollWidth <= box.clientWidth)(document.querySelector('.blotter .scroll'))"


def test_a_filled_order_shows_what_it_was_filled_at_and_its_limit_beside_it(start_floor: Start, visit: Start) -> None:
    home = visit()
    home.log_in(start_floor())
    rows = home.page.evaluate(ROWS)
    filled = [row for row in rows if row[1] == "FILLED"]
    assert {row[0] for row in filled} == {"LMT", "MKT"}
    for kind, _, limit, price, title in filled:
        assert price != "—"
        assert title.startswith("average of its fills")
        assert (limit == "—") == (kind == "MKT")
        assert limit != price
    bare = [row for row in rows if row[1] in ("NEW", "CANCELED", "REJECTED")]
    assert bare
    assert {row[3] for row in bare} == {"—"}
    assert home.complaints == []


@pytest.mark.parametrize("width", [390, 1180])
def test_where_room_is_short_the_limit_is_the_price_until_something_has_filled(
    start_floor: Start, visit: Start, width: int
) -> None:
    home = visit(width=width, height=844)
    home.log_in(start_floor())
    rows = home.page.evaluate(ROWS)
    assert {row[2] for row in rows} == {""}, "no column of limits"
    bare = {(kind, price == "—") for kind, status, _, price, _ in rows if status in ("NEW", "CANCELED", "REJECTED")}
    assert ("LMT", False) in bare
    assert ("LMT", True) not in bare
    assert home.page.evaluate(FITS)


def test_the_badge_of_fills_counts_those_too_that_the_page_does_not_hold(start_floor: Start, visit: Start) -> None:
    home = visit()
    home.log_in(start_floor("--crowded"))
    home.page.click("[role=tab] >> text=Fills")
    held = home.page.evaluate("document.querySelectorAll('.fill-row').length")
    assert int(home.text("count-fills")) == held + 1
