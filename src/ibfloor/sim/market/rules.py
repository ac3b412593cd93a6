"""Market rules: by how much a price may step, which depends on the price on many exchanges."""

from __future__ import annotations

from decimal import Decimal

import msgspec

TickTable = tuple[tuple[Decimal, Decimal], ...]
"""Lower edge and increment, from 0 upward."""


class MarketRule(msgspec.Struct, frozen=True):
    """One of the broker's rules, by its number."""

    rule_id: int
    steps: TickTable

    @property
    def smallest(self) -> Decimal:
        """Return the smallest increment: what contract details call the minimum tick."""
        return min(increment for _, increment in self.steps)

    def increment(self, px: Decimal) -> Decimal:
        """Return the increment that holds at a price."""
        return next((step for edge, step in reversed(self.steps) if px >= edge), self.steps[0][1])

    def is_on_grid(self, px: Decimal) -> bool:
        """Tell whether the exchange takes a price."""
        return px % self.increment(px) == 0


def table(*steps: tuple[str, str]) -> TickTable:
    """Return a table written as texts."""
    return tuple((Decimal(edge), Decimal(increment)) for edge, increment in steps)


RULES: dict[str, MarketRule] = {
    "us_stock": MarketRule(26, table(("0", "0.01"))),
    "cad_stock": MarketRule(27, table(("0", "0.005"), ("0.5", "0.01"))),
    "eur_stock": MarketRule(
        1941,
        table(("0", "0.0005"), ("2", "0.001"), ("5", "0.002"), ("10", "0.005"), ("20", "0.01"), ("50", "0.02"),
              ("100", "0.05"), ("200", "0.1"), ("500", "0.2"), ("1000", "0.5")),
    ),
    "jpy_stock": MarketRule(
        1577, table(("0", "0.1"), ("1000", "0.5"), ("3000", "1"), ("10000", "5"), ("30000", "10"))
    ),
    "penny_option": MarketRule(109, table(("0", "0.01"))),
    "us_option": MarketRule(110, table(("0", "0.01"), ("3", "0.05"))),
}  # fmt: skip
"""By the names that a file of securities may use; numbers are ours where IB publishes none."""
