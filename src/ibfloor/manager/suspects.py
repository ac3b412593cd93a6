"""Which differences between books and account are real: one look alone proves nothing. Owner: the account thread."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from ibfloor.portfolio.reconciliation import Difference

CONFIRMATIONS = 3
"""Looks in a row that show the same difference: then no fill on its way explains it."""
LOOKS_MAX = 15
"""What differs by another amount at so many quiet looks in a row is real as well, whatever moves it."""


class _Suspect(msgspec.Struct, frozen=True):
    size: Decimal
    same: int = 1
    quiet_looks: int = 0

    def seen(self, size: Decimal, *, is_quiet: bool) -> _Suspect:
        return _Suspect(size, self.same + 1 if size == self.size else 1, self.quiet_looks + is_quiet)


class Suspects:
    """What the last looks have found, each difference judged by itself: one that moves hides no other."""

    def __init__(self) -> None:
        self._found: dict[str, _Suspect] = {}

    def look(self, differences: Iterable[Difference], *, is_quiet: bool) -> None:
        """Take what one look has found; a quiet one is one without a change of an order while it was taken."""
        before = self._found
        self._found = {}
        for each in differences:
            size = each.theirs - each.ours
            known = before.get(each.key, _Suspect(size, 0))
            self._found[each.key] = known.seen(size, is_quiet=is_quiet)

    @property
    def is_open(self) -> bool:
        """Tell whether another look is needed to know what is real."""
        return any(each.same < CONFIRMATIONS and each.quiet_looks < LOOKS_MAX for each in self._found.values())

    def is_real(self, key: str, confirmations: int = CONFIRMATIONS) -> bool:
        """Tell whether a difference stands, or has moved for so long that nothing on its way explains it."""
        found = self._found.get(key)
        return found is not None and (found.same >= confirmations or found.quiet_looks >= LOOKS_MAX)

    def is_moving(self, key: str) -> bool:
        """Tell whether a real difference has another size at every look."""
        found = self._found.get(key)
        return found is not None and found.quiet_looks >= LOOKS_MAX and found.same < CONFIRMATIONS
