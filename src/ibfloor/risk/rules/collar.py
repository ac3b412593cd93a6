"""Refuse prices far through the market, and entries without a fresh price to judge them by."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.moment import NS_PER_S
from ibfloor.model.order import OrderRequest, OrdType, Refusal
from ibfloor.risk.context import PriceReference, RuleContext

RULE = "collar"
_HUNDRED = Decimal(100)


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse a limit worse than the market by more than the collar, or a stop that triggers at once.

    Orders that only reduce pass without a price, or with an old one: being kept in is worse.
    """
    reference = context.reference
    if reference is None:
        if context.is_reducing(request):
            return None
        return Refusal(rule=RULE, text="there is no market price to judge the order by")
    if request.ord_type is OrdType.MARKET:
        return None if context.is_reducing(request) else _check_age(reference, context)
    if not context.is_reducing(request) and (stale := _check_age(reference, context)) is not None:
        return stale
    limit = context.limits.collar_pct
    px = request.limit_px if request.ord_type is OrdType.LIMIT else request.stop_px
    if limit is None or px is None:
        return None
    # A limit is worse the higher a buyer pays; a buyer's stop is wrong the further below the market it is.
    sign = request.side.sign if request.ord_type is OrdType.LIMIT else -request.side.sign
    through = (px - reference.px) * sign
    allowed = abs(reference.px) * limit / _HUNDRED
    if through <= allowed:
        return None
    return Refusal(
        rule=RULE,
        text=f"the price is more than {limit} % through the {reference.source} of {reference.px}",
        limit=f"{limit} %",
        asked=str(px),
    )


def _check_age(reference: PriceReference, context: RuleContext) -> Refusal | None:
    age_ns, limit_ns = context.now_ns - reference.ts_ns, context.limits.quote_age_max_ns
    if age_ns <= limit_ns:
        return None
    return Refusal(
        rule=RULE,
        text="the last price is too old to judge the order by",
        limit=f"{limit_ns / NS_PER_S:g} s",
        used=f"{age_ns / NS_PER_S:.1f} s",
    )
