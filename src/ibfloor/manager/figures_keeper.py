"""Keeps each watched instrument's usual day for the limits that go by it: average volume, average true range."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import tzinfo
from decimal import Decimal
from itertools import pairwise

import structlog

from ibfloor.data.bar_size import NS_PER_DAY
from ibfloor.data.manager import DataManager
from ibfloor.manager.gate_limits import GateLimits
from ibfloor.model.errors import FloorError
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Instrument
from ibfloor.model.market import Bar
from ibfloor.model.moment import Clock, to_datetime
from ibfloor.risk.figures import MarketFigures
from ibfloor.risk.limits import RiskLimits

PERIOD_S = 1.0
DAYS = 21
"""Daily bars that are asked for: a month of trading."""
RANGE_DAYS = 14
AGAIN_S = 60.0
"""Wall seconds before an instrument without history is asked for again."""
_WANTING = ("collar_atr", "fat_finger_adv_pct")

log = structlog.get_logger("figures")


class FiguresKeeper:
    """Asks for daily bars once a day, one instrument at a time, while a limit wants them. Owner: the main loop."""

    def __init__(self, data: DataManager, limits: GateLimits, clock: Clock, *, tz: tzinfo) -> None:
        self._data = data
        self._limits = limits
        self._clock = clock
        self._tz = tz
        self._known: dict[InstrumentId, str] = {}
        """The trading day on which each was told."""
        self._not_before: dict[InstrumentId, float] = {}

    async def watch(self) -> None:
        """Keep the figures until cancelled."""
        while True:
            if _is_wanted(self._limits.in_force):
                await self.refresh()
            await asyncio.sleep(PERIOD_S)

    async def refresh(self) -> None:
        """Ask for what was not told today."""
        day = to_datetime(self._clock.now_ns(), self._tz).date().isoformat()
        now_s = asyncio.get_running_loop().time()
        for instrument in self._data.instruments():
            key = instrument.instrument_id
            if self._known.get(key) != day and self._not_before.get(key, 0.0) <= now_s:
                self._not_before[key] = now_s + AGAIN_S
                if await self._ask(instrument):
                    self._known[key] = day

    async def _ask(self, instrument: Instrument) -> bool:
        try:
            bars = await asyncio.wrap_future(self._data.history(instrument.contract, bar_ns=NS_PER_DAY, count=DAYS))
        except FloorError as error:
            log.warning("no daily bars", instrument=instrument.local_symbol, reason=str(error))
            return False
        self._limits.take_figures(instrument.instrument_id, figures_of(bars))
        return bool(bars)


def figures_of(bars: Sequence[Bar]) -> MarketFigures:
    """Return the averages over daily bars, oldest first; what they do not tell is not known."""
    volumes = [Decimal(repr(bar.volume)) for bar in bars if bar.volume > 0]
    ranges = [_true_range(before, bar) for before, bar in pairwise(bars)][-RANGE_DAYS:]
    return MarketFigures(
        average_volume=sum(volumes, Decimal(0)) / len(volumes) if volumes else None,
        true_range=sum(ranges, Decimal(0)) / len(ranges) if ranges else None,
    )


def _true_range(before: Bar, bar: Bar) -> Decimal:
    high, low = max(bar.high_px, before.close_px), min(bar.low_px, before.close_px)
    return Decimal(repr(high)) - Decimal(repr(low))


def _is_wanted(limits: RiskLimits) -> bool:
    common = any(getattr(limits.strategy, name) is not None for name in _WANTING)
    return common or any(values.get(name) is not None for values in limits.patches.values() for name in _WANTING)
