"""The transition table is whole, and keeps its three laws."""

from __future__ import annotations

import pytest

from ibfloor.execution.transitions import TRANSITIONS, Report
from ibfloor.model.order import OrdStatus

EVERY_EDGE = [(status, report) for status in OrdStatus for report in Report]
FILLS = {Report.FILLED_IN_PART, Report.FILLED_IN_FULL, Report.CORRECTED}


@pytest.mark.parametrize(("status", "report"), EVERY_EDGE)
def test_every_edge_is_listed_with_its_reason(status: OrdStatus, report: Report) -> None:
    assert TRANSITIONS[status][report].reason


@pytest.mark.parametrize("status", [status for status in OrdStatus if status.is_done])
def test_a_done_order_lives_again_only_by_a_fill_or_by_the_brokers_list(status: OrdStatus) -> None:
    revived = {report for report, edge in TRANSITIONS[status].items() if not edge.to.is_done}
    assert revived <= FILLS | {Report.ADOPTED}


@pytest.mark.parametrize("status", [OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.REJECTED])
def test_a_done_order_stays_as_it_is_under_every_status_report(status: OrdStatus) -> None:
    for report in set(Report) - FILLS - {Report.ADOPTED}:
        assert TRANSITIONS[status][report].to is status


def test_no_status_report_makes_an_order_partially_filled() -> None:
    for status, edges in TRANSITIONS.items():
        for report, edge in edges.items():
            if edge.to is OrdStatus.PARTIALLY_FILLED and report is not Report.FILLED_IN_PART:
                assert status is OrdStatus.PARTIALLY_FILLED


@pytest.mark.parametrize("status", list(OrdStatus))
def test_executions_that_cover_an_order_always_fill_it(status: OrdStatus) -> None:
    assert TRANSITIONS[status][Report.FILLED_IN_FULL].to is OrdStatus.FILLED


@pytest.mark.parametrize("status", [status for status in OrdStatus if not status.is_done])
def test_a_report_that_owes_executions_never_ends_an_order(status: OrdStatus) -> None:
    assert not TRANSITIONS[status][Report.FILLS_DUE].to.is_done
    assert not TRANSITIONS[status][Report.CANCELED_FILLS_DUE].to.is_done
