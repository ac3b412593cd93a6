"""How large: a strategy's capital, and what a share of it buys."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from ibfloor.model.instrument import Contract
from ibfloor.risk.left import InstrumentLeft, LimitsLeft
from ibfloor.strategy.seat import Seat


class Sizing(Seat):
    """Capital at hand."""

    @property
    def capital(self) -> Decimal | None:
        """Return the capital allocated to this strategy, in account currency; ``None`` where none is."""
        return self.floor.purse.capital()

    @property
    def limits(self) -> LimitsLeft:
        """Return what is left of this strategy's limits now: orders, losses, margin, exposure. ``None`` = no limit."""
        return self.floor.purse.limits()

    def limits_of(self, contract: Contract) -> InstrumentLeft | None:
        """Return what is left in one contract: the largest order each way, and room for the position."""
        return self.floor.purse.limits_of(contract)

    def qty_for(self, contract: Contract, share: Decimal | float) -> Decimal | None:
        """Return how much of a contract a share of the capital buys now, in whole lots, never more.

        A share below zero is a short position. ``None`` where capital, price or exchange rate is not known:
        nothing is assumed.
        """
        capital, instrument = self.capital, self.floor.instrument(contract)
        worth = self.floor.purse.worth_of_one(contract)
        if capital is None or instrument is None or not worth:
            return None
        part = share if isinstance(share, Decimal) else Decimal(repr(share))
        lots = (capital * part / worth / instrument.lot_size).quantize(Decimal(1), ROUND_DOWN)
        return lots * instrument.lot_size
