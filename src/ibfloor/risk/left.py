"""What is left of the limits, for a strategy that wants to know before it asks. ``None`` = no limit."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from ibfloor.model.ids import StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.money import ZERO
from ibfloor.model.order import Side
from ibfloor.risk.exposure import Slot
from ibfloor.risk.limits import StrategyLimits

if TYPE_CHECKING:
    from ibfloor.risk.gate import RiskGate


class LimitsLeft(msgspec.Struct, frozen=True, kw_only=True):
    """What one strategy may still do, whatever the instrument. Amounts in the base currency."""

    version: int
    """Of all limits."""
    can_enter: bool
    """Whether anything that adds to a position may pass now."""
    reason: str = ""
    """Why not."""
    orders_now: int | None = None
    """Orders that may be sent at once."""
    open_orders: int | None = None
    """Orders that may work beside those that do."""
    gross_exposure: Decimal | None = None
    """What the account's gross exposure may grow by."""
    margin: Decimal | None = None
    """Initial margin that the account's budget still has."""
    day_loss: Decimal | None = None
    """What the strategy may lose today until it is stopped."""
    drawdown: Decimal | None = None
    """What it may fall from here until it is stopped."""


class InstrumentLeft(msgspec.Struct, frozen=True, kw_only=True):
    """What one strategy may still do in one instrument, by size and position limits."""

    buy_qty: Decimal | None
    """Largest order to buy that sizes and positions let pass, at the last known price."""
    sell_qty: Decimal | None
    long_qty: Decimal | None
    """What the position's worst case may still grow by on the long side."""
    short_qty: Decimal | None


def left(gate: RiskGate, strategy: StrategyId, now_ns: int) -> LimitsLeft:
    """Return what is left for a strategy; what is not known is told as nothing left."""
    limits, account = gate.limits.of(strategy), gate.limits.account
    seats, allowed = gate.seats, gate.permissions
    counts = [
        bucket.burst - bucket.used(now_ns) for bucket in seats.buckets(strategy, is_leaving=False) if bucket is not None
    ]
    most = [
        max(int(limit) - count, 0)
        for limit, count in (
            (limits.max_open_orders, len(seats.activity(strategy).open_orders)),
            (account.max_open_orders, len(gate.reservations)),
        )
        if limit is not None
    ]
    own = (allowed.paused, allowed.disabled, allowed.reducing_strategies)
    why = allowed.shut_reason or next((each[strategy] for each in own if strategy in each), "")
    losses = gate.losses.get(strategy)
    return LimitsLeft(
        version=gate.limits.version,
        can_enter=not why,
        reason=why,
        orders_now=min(counts, default=None),
        open_orders=min(most, default=None),
        gross_exposure=_room(account.max_gross_exposure, gate.exposures.gross),
        margin=_margin_room(gate),
        day_loss=_room(limits.day_loss_max, None if losses is None else losses.of_day),
        drawdown=_room(limits.drawdown_max, None if losses is None else losses.from_peak),
    )


def left_in(gate: RiskGate, strategy: StrategyId, instrument: Instrument) -> InstrumentLeft:
    """Return what is left for a strategy in an instrument."""
    seat = gate.seats.seat(strategy, instrument)
    slot, account = seat.context.slot, seat.context.account_slot
    rate = gate.exposures.rate(instrument.currency)
    unit = None if account.unit_px is None or rate is None else account.unit_px * rate
    room = {side: _position_room(seat.limits, slot, account, side, unit) for side in Side}
    size = _smallest(seat.limits.max_order_qty, _affordable(seat.limits.max_order_notional, unit))
    # What only takes off a position passes whatever its limits: what is held, less what works on that side.
    out = {Side.BUY: max(-slot.qty - slot.buys, ZERO), Side.SELL: max(slot.qty - slot.sells, ZERO)}
    return InstrumentLeft(
        buy_qty=_smallest(size, None if (most := room[Side.BUY]) is None else max(most, out[Side.BUY])),
        sell_qty=_smallest(size, None if (most := room[Side.SELL]) is None else max(most, out[Side.SELL])),
        long_qty=room[Side.BUY],
        short_qty=room[Side.SELL],
    )


def _position_room(
    limits: StrategyLimits, slot: Slot, account: Slot, side: Side, unit: Decimal | None
) -> Decimal | None:
    own = slot.worst_on(side, ZERO) * side.sign
    rooms = [
        None if limits.max_position_qty is None else limits.max_position_qty - own,
        None
        if limits.max_account_position_qty is None
        else limits.max_account_position_qty - account.worst_on(side, ZERO) * side.sign,
        None
        if limits.max_position_notional is None
        else (_affordable(limits.max_position_notional, unit) or ZERO) - own,
        None if limits.allow_short or side is Side.BUY else -own,
        ZERO if limits.restricted else None,
    ]
    known = [max(each, ZERO) for each in rooms if each is not None]
    return min(known, default=None)


def _affordable(limit: Decimal | None, unit: Decimal | None) -> Decimal | None:
    if limit is None:
        return None
    return limit // unit if unit else ZERO


def _smallest(*limits: Decimal | None) -> Decimal | None:
    return min((each for each in limits if each is not None), default=None)


def _room(limit: Decimal | None, used: Decimal | None) -> Decimal | None:
    if limit is None:
        return None
    return ZERO if used is None else max(limit - used, ZERO)


def _margin_room(gate: RiskGate) -> Decimal | None:
    share, equity = gate.limits.account.margin_budget_pct, gate.margin.figures.equity
    if share is None:
        return None
    used, pending = gate.margin.used, gate.exposures.pending_margin
    if equity is None or used is None or pending is None:
        return ZERO
    return max(equity * share / 100 - used - pending, ZERO)
