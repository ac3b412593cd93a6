"""Prices that the exchange makes itself: trails, pegs, approaches; pure, on the order's grid."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from ibfloor.model.order import Side
from ibfloor.sim.exchange.book import Book
from ibfloor.sim.exchange.live import LiveOrder
from ibfloor.sim.exchange.values import ZERO, PegMoves, PegTo

_HUNDRED = Decimal(100)


def trail_px(live: LiveOrder, market_px: Decimal) -> Decimal | None:
    """Return where a trailing trigger moves to; ``None`` when it stays: it never moves away."""
    trigger = live.trigger
    assert trigger is not None
    distance = trigger.trail_amount
    if distance is None:
        assert trigger.trail_percent is not None
        distance = market_px * trigger.trail_percent / _HUNDRED
    is_above = live.rises_to_trigger
    target = _on_grid(market_px + distance if is_above else market_px - distance, live.order.grid, up=is_above)
    old = live.trigger_px
    if old is None or (target < old if is_above else target > old):
        return target
    return None


def peg_px(live: LiveOrder, bid_px: Decimal | None, ask_px: Decimal | None) -> Decimal | None:
    """Return the limit of a pegged order, never past its cap; the old one while nothing is quoted to peg to."""
    order = live.order
    is_buy = order.side is Side.BUY
    peg = order.peg
    assert peg is not None
    base = _peg_base(peg.to, *((bid_px, ask_px) if is_buy else (ask_px, bid_px)))
    if base is None:
        return live.limit_px
    offset = peg.offset + base * peg.percent
    if is_buy is (peg.to is not PegTo.OWN):
        offset = -offset
    target = _on_grid(base + offset, order.grid, up=not is_buy)
    if peg.moves is PegMoves.TOWARDS and live.limit_px is not None:
        target = (max if is_buy else min)(target, live.limit_px)
    return target if order.limit_px is None else (min if is_buy else max)(target, order.limit_px)


def _peg_base(to: PegTo, own: Decimal | None, opposite: Decimal | None) -> Decimal | None:
    if to is PegTo.OWN:
        return own
    if to is PegTo.OPPOSITE:
        return opposite
    return None if own is None or opposite is None else (own + opposite) / 2


def approach_px(
    live: LiveOrder, bid_px: Decimal | None, ask_px: Decimal | None, now_ns: int
) -> tuple[bool, Decimal | None]:
    """Return whether an approaching order has a price now, and its limit (``None`` for the market)."""
    order = live.order
    share = ZERO
    for step in order.approach:
        if step.ts_ns <= now_ns:
            share = step.share
    if share >= 1:
        return True, order.limit_px
    if bid_px is None or ask_px is None:
        return False, None
    is_buy = order.side is Side.BUY
    spread = max(ask_px - bid_px, ZERO)
    target = bid_px + spread * share if is_buy else ask_px - spread * share
    target = _on_grid(target, order.grid, up=not is_buy)
    if order.limit_px is not None:
        target = (min if is_buy else max)(target, order.limit_px)
    return True, target


def followed_px(live: LiveOrder, book: Book, now_ns: int) -> tuple[bool, Decimal | None]:
    """Return whether an order that follows the quotes has a price now, and its limit."""
    if live.order.peg is None:
        return approach_px(live, book.bid_px, book.ask_px, now_ns)
    px = peg_px(live, book.bid_px, book.ask_px)
    return px is not None, px


def _on_grid(px: Decimal, grid: Decimal | None, *, up: bool) -> Decimal:
    if grid is None:
        return px
    steps = (px / grid).quantize(Decimal(1), rounding=ROUND_CEILING if up else ROUND_FLOOR)
    return steps * grid
