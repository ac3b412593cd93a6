"""R3. Refuse prices far through the market, and entries without a fresh price to judge them by."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.moment import NS_PER_S
from ibfloor.model.order import OrderRequest, OrdType, Refusal, Side
from ibfloor.risk.context import PriceReference, RuleContext

RULE = "collar"
_HUNDRED = Decimal(100)


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a limit worse than the market by more than the collar, or an entry that triggers at once.

    Orders that only reduce pass without a price, or with an old one: being kept in is worse.
    """
    reference = context.reference
    if reference is None:
        if context.is_reduction:
            return None
        return Refusal(rule=RULE, text="there is no market price to judge the order by")
    if request.ord_type is OrdType.MARKET:
        return None if context.is_reduction else _check_age(reference, context)
    if not context.is_reduction and (stale := _check_age(reference, context)) is not None:
        return stale
    limit = context.limits.collar_pct
    # A limit is worse the higher a buyer pays; a buyer's stop is wrong the further below the market it is,
    # his trigger to be touched the further above.
    kind = request.ord_type
    is_plain = kind is OrdType.LIMIT
    px = request.limit_px if is_plain or not kind.waits else request.stop_px
    if px is None:
        return None
    through = px - reference.px if request.side is Side.BUY else reference.px - px
    if not is_plain and kind.protects:
        through = -through
    if not is_plain and kind.waits and through > 0 and not context.is_reduction:
        return Refusal(
            rule=RULE,
            text=f"the {kind} order would trigger at once: the {reference.source} is {reference.px}",
            asked=str(px),
        )
    if through <= 0:
        return None
    if limit is not None and through > abs(reference.px) * limit / _HUNDRED:
        return Refusal(
            rule=RULE,
            text=f"the price is more than {limit} % through the {reference.source} of {reference.px}",
            limit=f"{limit} %",
            asked=str(px),
        )
    return _check_range(request, context, px, through)


def _check_range(request: OrderRequest, context: RuleContext, px: Decimal, through: Decimal) -> Refusal | None:
    times = context.limits.collar_atr
    if times is None or context.is_reduction:
        return None
    usual = None if context.figures is None else context.figures.true_range
    if usual is None:
        text = "the average true range of a day is not known, and the order's price is limited by it"
        return Refusal(rule=RULE, text=text, limit=f"{times:f} x ATR", asked=str(px))
    if through <= times * usual:
        return None
    return Refusal(
        rule=RULE,
        text=f"the price is more than {times:f} average true ranges of {usual:.4f} through the market",
        limit=f"{times * usual:.4f}",
        used=f"{through:f}",
        asked=str(px),
    )


def _check_age(reference: PriceReference, context: RuleContext) -> Refusal | None:
    if reference.doubt:
        return Refusal(rule=RULE, text=f"the last price is not to be trusted: {reference.doubt}")
    age_ns = context.now_ns - reference.ts_ns
    if age_ns <= context.windows.quote_age_ns:
        return None
    return Refusal(
        rule=RULE,
        text="the last price is too old to judge the order by",
        limit=f"{context.limits.quote_age_max_s:f} s",
        used=f"{age_ns / NS_PER_S:.1f} s",
    )
