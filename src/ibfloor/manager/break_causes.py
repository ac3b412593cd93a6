"""BreakCauses: gathers the evidence for the cause of a break. Owner: the queue's thread."""

from __future__ import annotations

from datetime import datetime, time, tzinfo
from decimal import Decimal

from ibfloor.manager.account_board import AccountBoard
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.marks import Marks
from ibfloor.model.account import BrokerSnapshot
from ibfloor.model.booking import position_in
from ibfloor.model.ids import InstrumentId, exec_root
from ibfloor.model.moment import from_datetime, to_datetime
from ibfloor.portfolio.cash_causes import DIVIDENDS, INTEREST, Accruals
from ibfloor.portfolio.causes import Evidence, explain
from ibfloor.portfolio.reconciliation import Difference, Explained


class BreakCauses:
    """Remembers how things stood when books and account last agreed, and asks what a difference may be."""

    def __init__(self, state: FloorState, marks: Marks, board: AccountBoard, *, tz: tzinfo) -> None:
        self._state = state
        self._marks = marks
        self._board = board
        self._tz = tz
        self._px: dict[InstrumentId, Decimal] = {}
        self._costs: dict[InstrumentId, Decimal] = {}
        self._accruals: Accruals = {}

    def note(self, differences: tuple[Difference, ...], snapshot: BrokerSnapshot) -> None:
        """Remember prices, costs and accruals of what agrees."""
        broken = {each.key for each in differences}
        marked = self._state.marked
        for mark in () if marked is None else marked.marks:
            # Until it is seen once to agree, what the journal had is all that is known: also after a restart.
            if position_in(mark.instrument_id) not in broken or mark.instrument_id not in self._px:
                self._px[mark.instrument_id] = mark.px
        for key, cost in _costs(snapshot).items():
            if position_in(key) not in broken:
                self._costs[key] = cost
        if not broken:
            self._accruals = self._board.amounts(DIVIDENDS, INTEREST)

    def explain(
        self, differences: tuple[Difference, ...], snapshot: BrokerSnapshot, now_ns: int
    ) -> dict[str, Explained]:
        """Return what each difference most likely comes from."""
        state = self._state
        today = to_datetime(now_ns, self._tz).date()
        touched = {key for key in state.instruments if position_in(key) in {each.key for each in differences}}
        marks = self._marks.of(touched | state.books.instruments_held())
        return explain(
            differences,
            Evidence(
                books=state.books,
                today=f"{today:%Y%m%d}",
                day_start_ns=from_datetime(datetime.combine(today, time(), self._tz)),
                marks={key: mark.px for key, mark in marks.items()},
                agreed_px=self._px,
                costs=_costs(snapshot),
                agreed_costs=self._costs,
                orders=(*snapshot.open_orders, *snapshot.completed_orders),
                listed=frozenset(exec_root(fill.exec_id)[0] for fill in snapshot.fills),
                fills=tuple(state.fills.values()),
                accruals=self._board.amounts(DIVIDENDS, INTEREST),
                agreed_accruals=self._accruals,
            ),
        )


def _costs(snapshot: BrokerSnapshot) -> dict[InstrumentId, Decimal]:
    return {each.instrument.instrument_id: each.avg_px for each in snapshot.positions if each.qty}
