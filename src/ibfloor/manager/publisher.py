"""Publisher: five times a second, rows from the queue's thread go out as changes. Owner: the main loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from ibfloor.control.differ import ViewDiffer
from ibfloor.control.protocol import BarsQuery, ViewChanges, ViewSnapshot
from ibfloor.data.manager import DataManager
from ibfloor.manager.desk import DeskNow
from ibfloor.manager.floor_rows import FloorCounts, LimitRows, LinkNow, LogRows, floor_row, risk_rows
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.portfolio_manager import PortfolioManager
from ibfloor.manager.screen import KEEP, Rows, Screen
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.manager.strategy_manager import StrategyManager
from ibfloor.model.fact import DayOpened
from ibfloor.model.ids import InstrumentId
from ibfloor.model.market import Bar
from ibfloor.model.moment import NS_PER_MINUTE, Clock
from ibfloor.model.order import OrdStatus
from ibfloor.model.view import BarView, FloorView, LogView, OrderView

PERIOD_S = 0.2


class Publisher:
    """Holds the last rows and sends what changed; answers for recent bars."""

    def __init__(
        self,
        screen: Screen,
        portfolio: PortfolioManager,
        queue: MessageQueue,
        data: DataManager,
        gate: SharedGate,
        strategies: StrategyManager,
        log_lines: Callable[[], tuple[LogView, ...]],
        clock: Clock,
        link: Callable[[], LinkNow],
        *,
        name: str,
        mode: str,
    ) -> None:
        self._screen = screen
        self._portfolio = portfolio
        self._queue = queue
        self._data = data
        self._gate = gate
        self._strategies = strategies
        self._log = LogRows(log_lines)
        self._limits = LimitRows(gate)
        self._clock = clock
        self._link = link
        self._name = name
        self._mode = mode
        self._differ = ViewDiffer(KEEP, _must_show)
        self.kill_rows: Callable[[], Rows] = list
        """The kill switches that are latched."""
        self.stored_bars: Callable[[], int] = lambda: 0
        """How many bars the recorder has stored; set once there is a recorder."""
        self.watchdog: Callable[[], str] = lambda: ""
        self.has_risk_officer: Callable[[], bool] = lambda: False
        self.web_url = ""
        """Where the pages are; set once they are served."""

    async def run(self, publish: Callable[[ViewChanges], None]) -> None:
        """Publish until cancelled."""
        while True:
            changes = await self.refresh()
            if changes is not None:
                publish(changes)
            await asyncio.sleep(PERIOD_S)

    async def refresh(self) -> ViewChanges | None:
        """Make all rows anew and return what changed."""
        desks = self._strategies.desks_now()
        rows, counts, day = await asyncio.wrap_future(self._queue.ask(lambda state: self._on_queue(state, desks)))
        if day is not None:
            self._queue.put(day)
        floor = self._floor_row(counts, desks)
        risk = (*risk_rows(self._gate), *self._limits.take(), *self.kill_rows())
        more = (*self._market_rows(), *risk, *self._log.take())
        for topic, key, row in (*rows, *more, floor):
            if row is None:
                self._differ.remove(topic, key)
            else:
                self._differ.update(topic, key, row)
        return self._differ.take()

    def snapshot(self) -> ViewSnapshot:
        """Return all rows as last made."""
        return self._differ.snapshot()

    def bars(self, query: BarsQuery) -> list[list[float | int | bool]]:
        """Return recent bars from memory, the growing one last, as arrays of ``BarView``."""
        instrument_id = InstrumentId(query.instrument_id)
        closed = self._data.recent_bars(instrument_id, query.bar_ns, query.limit)
        current = self._data.current_bar(instrument_id, query.bar_ns)
        rows = [_as_list(bar, is_closed=True) for bar in closed]
        if current is not None and (not closed or current.ts_event_ns > closed[-1].ts_event_ns):
            rows.append(_as_list(current, is_closed=False))
        return rows

    def _on_queue(self, state: FloorState, desks: tuple[DeskNow, ...]) -> tuple[Rows, FloorCounts, DayOpened | None]:
        return self._screen.rows(desks), FloorCounts(state), self._portfolio.day_opening()

    def _floor_row(self, counts: FloorCounts, desks: tuple[DeskNow, ...]) -> tuple[str, str, FloorView]:
        view = floor_row(
            counts,
            desks,
            name=self._name,
            mode=self._mode,
            clock=self._clock,
            gate=self._gate,
            data=self._data,
            bars_stored=self.stored_bars(),
            queue_depth=self._queue.depth,
            lags_ms=[lag for meter in self._strategies.lag_meters().values() for lag in meter.samples()],
            link=self._link(),
            web_url=self.web_url,
            has_risk_officer=self.has_risk_officer(),
            watchdog=self.watchdog(),
        )
        return "floor", "floor", view

    def _market_rows(self) -> Rows:
        rows: Rows = []
        for row in self._data.instrument_rows():
            rows.append(("instruments", str(row.instrument_id), row))
            instrument_id = InstrumentId(row.instrument_id)
            bar = self._data.current_bar(instrument_id, NS_PER_MINUTE)
            is_closed = bar is None
            if bar is None:
                bar = next(iter(self._data.recent_bars(instrument_id, NS_PER_MINUTE, 1)), None)
            if bar is not None:
                rows.append(("bars", f"{row.instrument_id}/1 min", _view(bar, is_closed=is_closed)))
        return rows


def _must_show(row: msgspec.Struct) -> bool:
    return isinstance(row, OrderView) and not OrdStatus(row.status).is_done


def _view(bar: Bar, *, is_closed: bool) -> BarView:
    return BarView(
        start_ns=bar.ts_event_ns,
        open_px=bar.open_px,
        high_px=bar.high_px,
        low_px=bar.low_px,
        close_px=bar.close_px,
        volume=bar.volume,
        is_closed=is_closed,
    )


def _as_list(bar: Bar, *, is_closed: bool) -> list[float | int | bool]:
    return [bar.ts_event_ns, bar.open_px, bar.high_px, bar.low_px, bar.close_px, bar.volume, is_closed]
