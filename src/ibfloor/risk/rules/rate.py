"""Refuse orders that come too fast: a strategy that runs away is slowed at the door."""

from __future__ import annotations

from ibfloor.model.order import OrderRequest, Refusal
from ibfloor.risk.context import RuleContext

RULE = "order_rate"


def check(request: OrderRequest, context: RuleContext) -> Refusal | None:
    """Refuse when the strategy's or the account's bucket is empty. Cancels never come here."""
    for bucket, per_s, whose in (
        (context.bucket, context.limits.order_rate_per_s, request.strategy),
        (context.account_bucket, context.account.order_rate_per_s, "the account"),
    ):
        if bucket is not None and not bucket.has_token(context.now_ns):
            return Refusal(
                rule=RULE,
                text=f"{whose} sends orders too fast",
                limit=f"{per_s} per s, {bucket.burst} at once",
                used=str(bucket.used(context.now_ns)),
            )
    return None
