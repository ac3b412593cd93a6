"""How large and how dear an order may be that has to go out: for ways out of a position, which come in pieces."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import isfinite

from ibfloor.manager.gate_lock import GateLock
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.market import Quote
from ibfloor.model.moment import NS_PER_S, Clock
from ibfloor.model.order import Side
from ibfloor.risk.gate import RiskGate

ROOM = Decimal("0.99")  # of a notional limit: the price may move before the order is judged
CLOSING_QUOTE_AGE_S = Decimal(60)
"""Market seconds: a position may be closed within a bound of a quote this old, which no entry may rest on."""


class GateSizes:
    """Sizes and prices that the limits of one order let pass; any thread may ask."""

    def __init__(
        self, gate: RiskGate, lock: GateLock, quote: Callable[[InstrumentId], Quote | None], clock: Clock
    ) -> None:
        self._gate = gate
        self._lock = lock
        self._quote = quote
        self._clock = clock

    def largest_order(self, strategy: StrategyId, instrument: Instrument) -> Decimal | None:
        """Return the largest quantity that the limits of one order let pass now; ``None`` for no limit."""
        quote = self._quote(instrument.instrument_id)
        known = [] if quote is None else [px for px in (quote.bid_px, quote.ask_px) if isfinite(px)]
        px = Decimal(repr(max(known))) if known else None
        with self._lock:
            limits, rate = self._gate.limits.of(strategy, instrument), self._gate.exposures.rate(instrument.currency)
        sizes = [limits.max_order_qty] if limits.max_order_qty is not None else []
        if limits.max_order_notional is not None and px and rate:
            sizes.append(max(limits.max_order_notional * ROOM // (px * instrument.multiplier * rate), Decimal(1)))
        return min(sizes, default=None)

    def bound(self, strategy: StrategyId, instrument: Instrument, side: Side, collar_pct: Decimal) -> Decimal | None:
        """Return the worst price at which a position may be closed; ``None`` without a fresh quote to bound it by."""
        quote = self._quote(instrument.instrument_id)
        px = float("nan") if quote is None else quote.ask_px if side is Side.BUY else quote.bid_px
        with self._lock:
            limits = self._gate.limits.of(strategy, instrument)
        age_max_ns = max(limits.quote_age_max_s, CLOSING_QUOTE_AGE_S) * NS_PER_S  # a limit order is no worse than it
        if quote is None or not isfinite(px) or self._clock.now_ns() - quote.ts_event_ns > age_max_ns:
            return None
        pct = collar_pct if limits.collar_pct is None else min(collar_pct, limits.collar_pct * ROOM)
        market = Decimal(repr(px))
        bound = instrument.round_price(market + abs(market) * pct / 100 * side.sign, side)
        return bound if bound * market > 0 else market  # a spread's price may be near zero: never across it
