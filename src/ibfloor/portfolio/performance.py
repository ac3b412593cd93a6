"""The day's result and the drawdown from the peak, with deposits and transfers left out."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from ibfloor.model.fact import DayOpened, Reconciled
from ibfloor.model.highs import Booked, Highs, begin
from ibfloor.model.money import Money
from ibfloor.portfolio.book import Amounts
from ibfloor.portfolio.valuation import Rates

_ZERO = Decimal(0)


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """A curve's memory: where the day began, and the peak. Amounts in the base currency."""

    day: str
    """The trading day the anchor belongs to, as ``YYYY-MM-DD``."""
    anchor: Decimal
    """Equity when the day began, moved along with every flow since."""
    peak: Decimal
    """Highest equity ever, moved along with every flow since."""
    equity: Decimal
    flows: Decimal
    """All that ever came without a trade, each at the rate of its time."""
    flows_by: Amounts | None
    """By currency, what of it is counted; ``None`` where an older ledger does not tell."""
    highs: Highs
    """The same without the flows: what was earned, and the bookings that its heights lie between."""

    @property
    def moneys(self) -> tuple[Money, ...]:
        """Return the flows by currency, as facts keep them."""
        return tuple(Money(amount, currency) for currency, amount in sorted((self.flows_by or {}).items()))

    @property
    def day_pnl(self) -> Decimal:
        """Return what was earned since the day began."""
        return self.equity - self.anchor

    @property
    def drawdown(self) -> Decimal:
        """Return how far equity is below its peak; never negative."""
        return self.peak - self.equity

    @property
    def drawdown_pct(self) -> Decimal:
        """Return the drawdown in percent of the peak; 0 where the peak is not above zero."""
        return self.drawdown / self.peak * 100 if self.peak > 0 else _ZERO


def resumed(opened: DayOpened, valued: Reconciled | None) -> Performance:
    """Return the curve as the ledger knows it: the day it was in, and the account as it was valued last."""
    equity, peak, flows, flows_by, highs = opened.equity, opened.equity, opened.flows, opened.flows_by, None
    if valued is not None and valued.equity is not None:
        equity, peak, flows, flows_by = valued.equity, valued.peak, valued.flows, valued.flows_by
        highs = valued.highs
    if highs is None:
        highs = Highs(day="", anchor=_ZERO, value=equity - flows, top=max(peak, equity) - flows)
    if highs.day != opened.day:  # the beginning of that day is known, and whatever was booked before is in it
        steps = tuple(replace(step, is_of_day=False) for step in highs.steps)
        highs = replace(highs, day=opened.day, anchor=opened.equity - opened.flows, steps=steps)
    amounts = {each.currency: each.amount for each in flows_by} if flows_by else None
    return _performance(highs, equity, flows, amounts)


def advance(
    before: Performance | None,
    day: str,
    equity: Decimal | None,
    flows_by: Amounts,
    rates: Rates,
    booked: Callable[[int], Booked] = lambda _: Booked(-1),
) -> Performance | None:
    """Return the curve at a new equity; unchanged where equity or the rate of a new flow are not known now.

    ``flows_by`` is the running total, by currency, of what came without a trade. What is new in it counts at
    the rates of now and moves anchor and peak along, so that a deposit is no profit. What came earlier
    keeps the worth it came with: what rates do to it since is a result. A new day takes the last equity
    known as its anchor. ``booked`` tells what was booked after so many entries: what is undone takes its
    part of anchor and peak along.
    """
    if equity is None:
        return before
    if before is None or before.flows_by is None:
        worth = rates.convert_all(flows_by)
        moved = None if worth is None or before is None else worth - before.flows
        if before is None and worth is not None:
            highs = begin(day, equity - worth, booked(-1).entries)
            return _performance(highs, equity, worth, flows_by)
    else:
        moved = rates.convert_all(_grown(before.flows_by, flows_by))
    if before is None or moved is None:
        return before
    flows = before.flows + moved
    highs = before.highs.advanced(day, equity - flows, booked(before.highs.entries))
    return _performance(highs, equity, flows, flows_by)


def _performance(highs: Highs, equity: Decimal, flows: Decimal, flows_by: Amounts | None) -> Performance:
    return Performance(
        day=highs.day,
        anchor=highs.anchor + flows,
        peak=max(highs.peak + flows, equity),
        equity=equity,
        flows=flows,
        flows_by=flows_by,
        highs=highs,
    )


def _grown(before: Amounts, now: Amounts) -> Amounts:
    return {currency: now.get(currency, _ZERO) - before.get(currency, _ZERO) for currency in {**before, **now}}
