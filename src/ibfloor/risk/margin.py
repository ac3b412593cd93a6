"""The account's margin as the gate knows it: what the broker reported, and what has filled since."""

from __future__ import annotations

from decimal import Decimal

import msgspec

_ZERO = Decimal(0)


class AccountFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the account is worth and what its positions bind, in the base currency; ``None`` = not known."""

    equity: Decimal | None = None
    initial_margin: Decimal | None = None


UNKNOWN = AccountFigures()


class MarginBook:
    """Initial margin in use; owned and locked like the gate that holds it."""

    __slots__ = ("_since", "figures")

    def __init__(self) -> None:
        self.figures = UNKNOWN
        self._since = _ZERO

    @property
    def used(self) -> Decimal | None:
        """Return the margin of all positions; ``None`` before the broker has told it."""
        reported = self.figures.initial_margin
        return None if reported is None else reported + self._since

    def take(self, figures: AccountFigures) -> None:
        """Take newer figures; a margin that moved has the fills so far in it."""
        if figures.initial_margin != self.figures.initial_margin:
            self._since = _ZERO
        self.figures = figures

    def note_fill(self, margin: Decimal) -> None:
        """Count what a fill binds until the broker reports it."""
        self._since += margin
