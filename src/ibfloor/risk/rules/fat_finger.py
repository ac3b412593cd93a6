"""R4. Refuse an order far larger than usual until a person has confirmed it."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.activity import SIZES_NEEDED
from ibfloor.risk.context import RuleContext
from ibfloor.risk.limits import AccountLimits, StrategyLimits

RULE = "fat_finger"
_HUNDRED = Decimal(100)


def is_on(limits: StrategyLimits, account: AccountLimits) -> bool:
    """Tell whether a limit of this rule is set."""
    return limits.fat_finger_median is not None or limits.fat_finger_adv_pct is not None


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse what is above so many times the strategy's usual order, or so much of an average day's volume.

    A strategy has no usual order before its first few; an average day that nobody knows refuses every entry.
    """
    if context.is_reduction or context.is_confirmed:
        return None
    if request.terms is not None and request.terms.bracket:
        return None  # an exit has the size of its entry, which was judged
    return _check_usual(request, context) or _check_volume(request, context)


def _check_usual(request: OrderRequest, context: RuleContext) -> Refusal | None:
    times, usual = context.limits.fat_finger_median, context.habits.median
    if times is None or usual is None or request.order_qty <= times * usual:
        return None
    return Refusal(
        rule=RULE,
        text=f"the order is more than {times:f} times as large as usual here ({usual:f}, the median of at least "
        f"{SIZES_NEEDED}){_how_to_confirm(request)}",
        limit=f"{times * usual:f}",
        used=f"{usual:f}",
        asked=f"{request.order_qty:f}",
    )


def _check_volume(request: OrderRequest, context: RuleContext) -> Refusal | None:
    share = context.limits.fat_finger_adv_pct
    if share is None:
        return None
    volume = None if context.figures is None else context.figures.average_volume
    if volume is None:
        return Refusal(
            rule=RULE,
            text="the average volume of a day is not known, and the order's size is limited by it"
            f"{_how_to_confirm(request)}",
            limit=f"{share:f} %",
            asked=f"{request.order_qty:f}",
        )
    if request.order_qty * _HUNDRED <= share * volume:
        return None
    return Refusal(
        rule=RULE,
        text=f"the order is more than {share:f} % of an average day's volume of {volume:.0f}{_how_to_confirm(request)}",
        limit=f"{share * volume / _HUNDRED:f}",
        asked=f"{request.order_qty:f}",
    )


def _how_to_confirm(request: OrderRequest) -> str:
    return f"; to let one such order pass: ibfloor limits confirm {request.cl_ord_id}"
