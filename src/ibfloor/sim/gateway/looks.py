"""How a condition looks at the market and the account: whether it is so now."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ibfloor.model.ids import InstrumentId
from ibfloor.sim.exchange.engine import IsRegular
from ibfloor.sim.exchange.values import BookTop, MarketTick
from ibfloor.sim.gateway.events import Condition, ConditionKind, Conditions
from ibfloor.sim.market.source import Market

_HUNDRED = Decimal(100)
_DOUBLE = (1, 3)
Cushion = Callable[[], Decimal | None]
"""Returns an account's margin cushion in per cent; ``None`` when it has no equity."""


class Looks:
    """Answers conditions. Owner: the gateway's one thread.

    A method that wants a price twice in a row gets two ticks seen while something watches.
    """

    def __init__(self, market: Market, is_regular: IsRegular) -> None:
        self._market = market
        self._is_regular = is_regular
        self._last: dict[tuple[InstrumentId, bool], tuple[MarketTick, MarketTick | None]] = {}

    def on_tick(self, tick: MarketTick) -> None:
        """Remember a tick and the one before it."""
        key = (tick.instrument_id, isinstance(tick, BookTop))
        before = self._last.get(key)
        self._last[key] = (tick, None if before is None else before[0])

    def are_met(self, conditions: Conditions, seen: set[int], cushion: Cushion, now_ns: int) -> bool:
        """Tell whether conditions hold together, joined from left to right; ``seen`` are executions by position."""
        whole = self._is_met(0, conditions, seen, cushion, now_ns)
        for n in range(1, len(conditions.all)):
            one = self._is_met(n, conditions, seen, cushion, now_ns)
            whole = (whole and one) if conditions.all[n - 1].is_and else (whole or one)
        return whole

    def _is_met(self, n: int, conditions: Conditions, seen: set[int], cushion: Cushion, now_ns: int) -> bool:
        condition = conditions.all[n]
        match condition.kind:
            case ConditionKind.TIME:
                return now_ns >= condition.ts_ns if condition.is_more else now_ns <= condition.ts_ns
            case ConditionKind.MARGIN:
                return _is_beyond(condition, cushion())
            case ConditionKind.EXECUTION:
                return n in seen
        if not (conditions.ignores_hours or self._is_regular(condition.instrument_id, now_ns)):
            return False
        if condition.kind is ConditionKind.PRICE:
            prices = self._prices(condition)
            wanted = 2 if condition.method in _DOUBLE else 1
            met = [_is_beyond(condition, px) for px in prices]
            return len(met) >= wanted and (any(met) if condition.method == 7 else all(met))
        day = self._market.day(condition.instrument_id)
        if condition.kind is ConditionKind.VOLUME:
            return _is_beyond(condition, day.volume)
        last = self._market.last_print(condition.instrument_id)
        if last is None or not day.prev_close_px:
            return False
        return _is_beyond(condition, (last.px / day.prev_close_px - 1) * _HUNDRED)

    def _prices(self, condition: Condition) -> list[Decimal]:
        key, more = condition.instrument_id, condition.is_more
        top, last = self._market.top(key), self._market.last_print(key)
        quoted = _side(top, is_bid=more)
        method = condition.method
        if method == 0:
            method = 2 if last is not None else 4
        if method in (2, 7):
            return [px for px in (None if last is None else last.px, quoted if method == 7 else None) if px is not None]
        if method == 8:
            bid, ask = _side(top, is_bid=True), _side(top, is_bid=False)
            return [] if bid is None or ask is None else [(bid + ask) / 2]
        if method == 4:
            return [] if quoted is None else [quoted]
        pair = self._last.get((key, method == 1), ())
        prices = [_side(one, is_bid=more) if isinstance(one, BookTop) else one.px for one in pair if one is not None]
        return [px for px in prices if px is not None]


def _side(top: BookTop | None, *, is_bid: bool) -> Decimal | None:
    if top is None:
        return None
    return top.bid_px if is_bid else top.ask_px


def _is_beyond(condition: Condition, value: Decimal | None) -> bool:
    if value is None:
        return False
    return value >= condition.value if condition.is_more else value <= condition.value
