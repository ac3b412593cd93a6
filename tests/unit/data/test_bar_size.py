from __future__ import annotations

import pytest

from ibfloor.data.bar_size import BAR_NAMES, bar_name, parse_bar_size


@pytest.mark.parametrize(("name", "seconds"), [("5 secs", 5), ("1 min", 60), ("30 mins", 1800), ("1 day", 86400)])
def test_ib_names_are_understood(name: str, seconds: int) -> None:
    assert parse_bar_size(name) == seconds * 1_000_000_000


def test_every_name_leads_to_its_size_and_back() -> None:
    assert all(parse_bar_size(bar_name(bar_ns)) == bar_ns for bar_ns in BAR_NAMES)


def test_case_spaces_and_a_missing_plural_are_forgiven() -> None:
    assert parse_bar_size(" 5  Min ") == parse_bar_size("5 mins")


@pytest.mark.parametrize("name", ["", "7 mins", "1m", "0 min", "1 fortnight"])
def test_an_unknown_size_is_refused_with_the_list_of_sizes(name: str) -> None:
    with pytest.raises(ValueError, match=r"there is no bar size .*1 min, 2 mins, .*1 day"):
        parse_bar_size(name)
