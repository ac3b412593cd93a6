"""What a contract's market takes: order types, price steps, sizes and hours, as the broker tells them."""

from __future__ import annotations

from decimal import Decimal

import msgspec

Hours = tuple[tuple[int, int], ...]
"""Sessions as (open, close), UTC nanoseconds, in order."""


class ContractRules(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A contract's rules. What is empty is not known, and nothing is refused for it."""

    order_types: tuple[str, ...] = ()
    """Order types, times in force and the like that it takes, by IB's short names (``STPLMT``)."""
    exchanges: tuple[str, ...] = ()
    price_steps: tuple[tuple[Decimal, Decimal], ...] = ()
    """(lowest price, step from there on), in order."""
    qty_min: Decimal = Decimal(0)
    qty_step: Decimal = Decimal(0)
    trading_hours: Hours = ()
    liquid_hours: Hours = ()

    def tick_at(self, px: Decimal) -> Decimal | None:
        """Return by how much a price may step there; ``None`` where one step holds for all prices."""
        step = None
        for low_edge, increment in self.price_steps:
            if step is None or abs(px) >= low_edge:
                step = increment
        return step

    def is_open(self, now_ns: int, *, outside_rth: bool) -> bool | None:
        """Tell whether an order could trade at a market time; ``None`` where the hours are not known."""
        known = self.trading_hours
        if not known or not known[0][0] <= now_ns < known[-1][1]:
            return None
        hours = known if outside_rth else self.liquid_hours
        return any(open_ns <= now_ns < close_ns for open_ns, close_ns in hours)


NO_RULES = ContractRules()
