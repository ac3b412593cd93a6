"""R6. Refuse orders that come too fast: a strategy that runs away is slowed at the door."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.bucket import TokenBucket
from ibfloor.risk.context import RuleContext
from ibfloor.risk.limits import AccountLimits, StrategyLimits

RULE = "order_rate"


def is_on(limits: StrategyLimits, account: AccountLimits) -> bool:
    """Tell whether a limit of this rule is set."""
    return any((limits.order_rate_per_s, account.order_rate_per_s, account.session_rate_per_s))


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse when the strategy's, the account's or the session's bucket is empty. Cancels never come here."""
    now_ns = context.now_ns
    for number, bucket in enumerate(context.buckets):
        if bucket is not None and not bucket.has_token(now_ns):
            return _refusal(request, context, number, bucket)
    return None


def _refusal(request: OrderRequest, context: RuleContext, number: int, bucket: TokenBucket) -> Refusal:
    account = context.account
    per_s, whose = (
        (context.limits.order_rate_per_s, f"{request.strategy} sends"),
        (account.order_rate_per_s, "the account's strategies send"),
        (account.session_rate_per_s, f"the session of {request.strategy} sends"),
    )[number]
    return Refusal(
        rule=RULE,
        text=f"{whose} orders too fast",
        limit=f"{per_s} per s, {bucket.burst} at once",
        used=str(bucket.used(context.now_ns)),
        asked="1",
    )
