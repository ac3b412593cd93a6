"""Exchange rates: who told them, when, and which of them books and limits may use. Nothing is ever assumed to be 1."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from ibfloor.model.moment import NS_PER_S
from ibfloor.model.money import Currency
from ibfloor.portfolio.valuation import Rates

ACCOUNT_VALUES = "account values"
"""The source of rates that the broker tells with the account."""


class FxRate(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit of a currency is worth in the base currency, by whom and when (market time, ns)."""

    currency: Currency
    px: Decimal
    ts_ns: int
    source: str


class RateNow(msgspec.Struct, frozen=True, kw_only=True):
    """How a currency's rate stands: ``problem`` says why it must not be used; empty when it may."""

    currency: Currency
    rate: FxRate | None
    """The newest of the best source, too old ones included; ``None`` when nobody ever told one."""
    problem: str = ""


def pair_rate(base: Currency, bought: Currency, paid: Currency, px: Decimal, ts_ns: int) -> FxRate | None:
    """Return the rate that a pair's price gives; ``None`` for a pair without the base currency."""
    source = f"{bought}.{paid}"
    if paid == base and px:
        return FxRate(currency=bought, px=px, ts_ns=ts_ns, source=source)
    if bought == base and px:
        return FxRate(currency=paid, px=1 / px, ts_ns=ts_ns, source=source)
    return None


def choose(currency: Currency, told: Iterable[FxRate], now_ns: int, max_age_ns: int) -> RateNow:
    """Return the first rate that is young enough, best source first; else the newest, with what is wrong."""
    own = [rate for rate in told if rate.currency == currency]
    fresh = next((rate for rate in own if now_ns - rate.ts_ns <= max_age_ns), None)
    if fresh is not None:
        return RateNow(currency=currency, rate=fresh)
    if not own:
        return RateNow(currency=currency, rate=None, problem=f"no rate of {currency} is known")
    newest = max(own, key=lambda rate: rate.ts_ns)
    age_s, limit_s = (now_ns - newest.ts_ns) // NS_PER_S, max_age_ns // NS_PER_S
    text = f"the rate of {currency} ({newest.source}) is {age_s:,} s old, more than {limit_s:,} s"
    return RateNow(currency=currency, rate=newest, problem=text)


def usable(base: Currency, standings: Iterable[RateNow]) -> Rates:
    """Return the rates that may be used, with what is wrong with the others."""
    each = [one for one in standings if one.currency != base]
    return Rates(
        base=base,
        to_base={one.currency: one.rate.px for one in each if one.rate is not None and not one.problem},
        problems={one.currency: one.problem for one in each if one.problem},
    )
