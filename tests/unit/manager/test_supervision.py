from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ibfloor.manager.supervision import RestartBudget, RestartPolicy


def test_each_restart_within_the_window_waits_twice_as_long() -> None:
    budget = RestartBudget(RestartPolicy(max_restarts=3, window_s=60, backoff_s=1, backoff_max_s=3))
    assert [budget.next_delay_s(now) for now in (0.0, 1.0, 2.0)] == [1.0, 2.0, 3.0]


def test_more_failures_than_allowed_end_it() -> None:
    budget = RestartBudget(RestartPolicy(max_restarts=1, window_s=60))
    assert budget.next_delay_s(0.0) is not None
    assert budget.next_delay_s(1.0) is None


def test_old_failures_are_forgiven() -> None:
    budget = RestartBudget(RestartPolicy(max_restarts=1, window_s=60, backoff_s=1))
    budget.next_delay_s(0.0)
    assert budget.next_delay_s(61.0) == 1.0


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=40), st.integers(0, 5))
def test_never_more_restarts_than_allowed_in_any_window(times: list[float], allowed: int) -> None:
    budget = RestartBudget(RestartPolicy(max_restarts=allowed, window_s=100))
    granted = [now for now in sorted(times) if budget.next_delay_s(now) is not None]
    for start in granted:
        assert sum(start <= now < start + 100 for now in granted) <= allowed
