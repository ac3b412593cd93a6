"""R10. Losses of a day and falls from a high-water mark that the journal knows, book by book. Pure.

A book's result is what it has earned: realised and open results less fees; for the account, equity less all
that ever came in. A deposit moves neither.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.highs import Booked, Highs, begin
from ibfloor.model.ids import StrategyId
from ibfloor.model.money import ZERO
from ibfloor.model.risk_fact import PeakReached

JOURNAL_SHARE = 20
"""A mark is journaled as it moves by this part of the smallest limit: a crash forgets no more of it."""


class Losses(msgspec.Struct, frozen=True):
    """What a book has lost, never below zero; amounts in the base currency."""

    of_day: Decimal
    from_peak: Decimal


class Breach(msgspec.Struct, frozen=True):
    """A limit of losses that is reached."""

    rule: str
    text: str


class LossBook:
    """One book's mark, and what of it is journaled."""

    def __init__(self, known: PeakReached | None) -> None:
        self.mark: Highs | None = None
        self._known = known
        if known is not None:
            self.mark = known.highs or Highs(day=known.day, anchor=known.anchor, value=known.value, top=known.peak)

    @property
    def entries(self) -> int:
        """Return how many book entries are in the mark; -1 where there is none, or nobody knows."""
        return -1 if self.mark is None else self.mark.entries

    def advance(self, day: str, value: Decimal, booked: Booked) -> Highs:
        """Take the newest result; a new day begins with the last one known."""
        before = self.mark
        self.mark = begin(day, value, booked.entries) if before is None else before.advanced(day, value, booked)
        return self.mark

    def begin_anew(self) -> None:
        """Measure from the last result on."""
        if self.mark is not None:
            self.mark = begin(self.mark.day, self.mark.value, self.mark.entries)

    def due(self, strategy: StrategyId, smallest: Decimal, now_ns: int) -> PeakReached | None:
        """Return the fact to journal, when the mark has moved enough for a limit since the last one."""
        mark, known = self.mark, self._known
        if mark is None:
            return None
        step = smallest / JOURNAL_SHARE
        if known is not None and known.day == mark.day and known.anchor == mark.anchor and self._has_steps_of(mark):
            is_lower = mark.peak < known.peak
            if not is_lower and mark.peak - known.peak < step and abs(mark.value - known.value) < step:
                return None
        self._known = PeakReached(
            ts_event_ns=now_ns,
            ts_init_ns=now_ns,
            strategy=strategy,
            day=mark.day,
            anchor=mark.anchor,
            peak=mark.peak,
            value=mark.value,
            highs=mark,
        )
        return self._known

    def _has_steps_of(self, mark: Highs) -> bool:
        known = None if self._known is None else self._known.highs
        return known is not None and [step.entry_id for step in known.steps] == [step.entry_id for step in mark.steps]


def losses_of(mark: Highs) -> Losses:
    """Return what is lost."""
    return Losses(max(mark.anchor - mark.value, ZERO), mark.peak - mark.value)


def breach_of(losses: Losses, day_loss_max: Decimal | None, drawdown_max: Decimal | None) -> Breach | None:
    """Return which limit is reached; ``None`` while none is."""
    if day_loss_max is not None and losses.of_day >= day_loss_max:
        return Breach("day_loss", f"lost {losses.of_day:.2f} today, and {day_loss_max:f} is the limit")
    if drawdown_max is not None and losses.from_peak >= drawdown_max:
        return Breach("drawdown", f"fell {losses.from_peak:.2f} from its best, and {drawdown_max:f} is the limit")
    return None
