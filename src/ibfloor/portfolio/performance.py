"""The day's result and the drawdown from the peak, with deposits and transfers left out."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.fact import DayOpened, Reconciled

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


def begin(day: str, equity: Decimal, flows: Decimal) -> Performance:
    """Return a fresh curve that starts now."""
    return Performance(day=day, anchor=equity, peak=equity, equity=equity, flows=flows)


def resumed(opened: DayOpened, valued: Reconciled | None) -> Performance:
    """Return the curve as the ledger knows it: the day it was in, and the account as it was valued last."""
    equity, peak, flows = opened.equity, opened.equity, opened.flows
    if valued is not None and valued.equity is not None:
        equity, peak, flows = valued.equity, valued.peak, valued.flows
    anchor = opened.equity + flows - opened.flows
    return Performance(day=opened.day, anchor=anchor, peak=max(peak, equity), equity=equity, flows=flows)


def advance(before: Performance | None, day: str, equity: Decimal | None, flows: Decimal | None) -> Performance | None:
    """Return the curve at a new equity; unchanged where equity or flows are not known now.

    ``flows`` is the running total of money that came without a trade: it moves anchor and peak
    along, so that a deposit is no profit. A new day takes the last equity known as its anchor.
    """
    if equity is None or flows is None:
        return before
    if before is None:
        return begin(day, equity, flows)
    moved = flows - before.flows
    anchor = before.anchor if day == before.day else before.equity
    return Performance(
        day=day, anchor=anchor + moved, peak=max(before.peak + moved, equity), equity=equity, flows=flows
    )
