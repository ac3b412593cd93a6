"""A position of the simulated account: a value, replaced at every fill."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.instrument import Instrument
from ibfloor.model.order import Side

ZERO = Decimal(0)


class SimPosition(msgspec.Struct, frozen=True, kw_only=True):
    """What the account holds of one instrument."""

    instrument: Instrument
    qty: Decimal = ZERO
    entry_value: Decimal = ZERO
    """Quantity x price x multiplier at the opening, signed like ``qty``, without fees."""
    entry_fees: Decimal = ZERO
    realised_pnl: Decimal = ZERO
    """Net of the fees of both sides."""
    settled: Decimal = ZERO
    """What daily settlement has paid in cash already, of a future."""
    last_px: Decimal = ZERO
    """Price of the newest fill: the mark until a better one is known."""

    @property
    def avg_cost(self) -> Decimal:
        """Return cost per unit, multiplier and opening fees included; 0 when flat."""
        return (self.entry_value + self.entry_fees) / self.qty if self.qty else ZERO

    def market_value(self, px: Decimal) -> Decimal:
        """Return the signed value at a price."""
        return self.qty * px * self.instrument.multiplier

    def unrealised_pnl(self, px: Decimal) -> Decimal:
        """Return the P&L of closing at a price, closing fees not counted."""
        return self.market_value(px) - self.entry_value - self.entry_fees

    def traded(self, side: Side, qty: Decimal, px: Decimal, fee: Decimal) -> tuple[SimPosition, Decimal, Decimal]:
        """Return the position after a fill, the quantity closed, and the P&L realised before fees.

        A fill that turns the position shares its fee between what it closes and what it opens.
        """
        closing = min(abs(self.qty), qty) if self.qty * side.sign < 0 else ZERO
        whole = closing == abs(self.qty)
        value_out = self.entry_value if whole else self.entry_value * closing / abs(self.qty)
        fees_out = self.entry_fees if whole else self.entry_fees * closing / abs(self.qty)
        settled_out = self.settled if whole else self.settled * closing / abs(self.qty)
        fee_closing = fee * closing / qty
        if not closing:
            value_out = fees_out = fee_closing = settled_out = ZERO
        unit = px * self.instrument.multiplier
        gross = -side.sign * closing * unit - value_out
        opening = qty - closing
        after = SimPosition(
            instrument=self.instrument,
            qty=self.qty + side.sign * qty,
            entry_value=self.entry_value - value_out + side.sign * opening * unit,
            entry_fees=self.entry_fees - fees_out + fee - fee_closing,
            realised_pnl=self.realised_pnl + gross - fees_out - fee_closing,
            settled=self.settled - settled_out,
            last_px=px,
        )
        return after, closing, gross

    def variation(self, px: Decimal) -> Decimal:
        """Return what a settlement at a price pays: the gain since the last one."""
        return self.market_value(px) - self.entry_value - self.settled
