"""One future over all books, as the broker sees it: what one strategy buys closes what another is short."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from ibfloor.model.lots import LotMethod
from ibfloor.portfolio.holding import Entry, Holding

_ZERO = Decimal(0)


class AsOne:
    """What one future has paid in cash to all holdings, as if they were one book's, at average cost.

    Movements from one holding to another at one time and price are no event there. It is told of every
    entry once, so that a comparison with the account costs what happened since the last one.
    """

    def __init__(self, holdings: Sequence[Holding]) -> None:
        first = holdings[0]
        self._all = Holding(first.instrument_id, first.currency, first.multiplier, LotMethod.AVERAGE)
        self._moves: dict[tuple[int, Decimal], Decimal] = {}
        self._settled: Counter[Entry] = Counter()
        for holding in holdings:
            for entry in holding.entries:
                self.take(entry, 1)

    @property
    def paid(self) -> Decimal:
        """Return the cash: realised, and what daily settlement has paid of the open result."""
        fold = self._all.fold()
        return fold.realised + fold.paid

    def take(self, entry: Entry, sign: int) -> None:
        """Take an entry that came into one of the holdings (``sign`` 1), or went out of it again (-1)."""
        if entry.settles:
            before = self._settled[entry]
            self._settled[entry] = before + sign
            if not before or not before + sign:  # the same one is in every holding
                self._put(entry, sign)
        elif entry.is_trade:
            self._put(entry, sign)
        elif not entry.is_common:
            self._net(entry.ts_ns, entry.px, entry.qty * sign)

    def _net(self, ts_ns: int, px: Decimal, qty: Decimal) -> None:
        before = self._moves.pop((ts_ns, px), _ZERO)
        if before:
            self._put(Entry(ts_ns, False, "", before, px), -1)
        if before + qty:
            self._moves[ts_ns, px] = before + qty
            self._put(Entry(ts_ns, False, "", before + qty, px), 1)

    def _put(self, entry: Entry, sign: int) -> None:
        (self._all.add if sign > 0 else self._all.remove)(entry)
