"""Where a curve is measured from, and between which book entries its heights were reached. Pure.

An entry that is undone is taken out of the books as if it had never been. With what it had added to the
result since it was booked, its part in the high-water mark and in the day's beginning goes too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

STEPS_KEPT = 32
"""How many bookings are kept apart; of an older one that is undone all heights before it move along as well."""


class Change(msgspec.Struct, frozen=True):
    """A booking that may move a result, or the undoing of one."""

    entry_id: str
    """The booking's, also where it is undone."""
    added: Decimal | None = None
    """Of an undoing: what the booking had added to the result, at the prices of now."""


class Booked(msgspec.Struct, frozen=True):
    """What was booked since a curve was looked at last."""

    entries: int
    """How many book entries there are now."""
    changes: Sequence[Change] = ()


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A booking on the way, and what had been reached before it."""

    entry_id: str
    peak: Decimal | None
    """The highest result after the booking before this one; ``None`` where nobody looked between them."""
    is_of_day: bool = False
    """Booked since the day began: the day's anchor does not have it."""


class Highs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A curve of results: its day's beginning, and its heights. Amounts in the base currency."""

    day: str
    """The trading day of ``anchor``, as ``YYYY-MM-DD``."""
    anchor: Decimal
    """The result the day began with."""
    value: Decimal
    """The result now."""
    top: Decimal
    """The highest since the last of the bookings in ``steps``."""
    steps: tuple[Step, ...] = ()
    entries: int = -1
    """How many book entries are in the result; -1 where an older ledger does not tell."""

    @property
    def peak(self) -> Decimal:
        """Return the highest result, bookings that were undone left out."""
        return max([self.top, *(step.peak for step in self.steps if step.peak is not None)])

    def advanced(self, day: str, value: Decimal, booked: Booked) -> Highs:
        """Return the curve at its newest result; a new day begins with the last one known."""
        anchor, steps = self.anchor, self.steps
        if day != self.day:
            anchor, steps = self.value, tuple(replace(step, is_of_day=False) for step in steps)
        tops: list[Decimal | None] = [*(step.peak for step in steps), self.top]
        marks = [(step.entry_id, step.is_of_day) for step in steps]
        for change in booked.changes:
            if change.added is None:
                marks.append((change.entry_id, True))
                tops.append(None)
                continue
            at = next((number for number, mark in enumerate(marks) if mark[0] == change.entry_id), None)
            if at is None or not marks[at][1]:
                anchor -= change.added
            first = 0 if at is None else at + 1
            tops[first:] = [None if top is None else top - change.added for top in tops[first:]]
            if at is not None:
                del marks[at]
                tops[at : at + 2] = [_highest(tops[at : at + 2])]
        while len(marks) > STEPS_KEPT:
            del marks[0]
            tops[:2] = [_highest(tops[:2])]
        return Highs(
            day=day,
            anchor=anchor,
            value=value,
            top=value if tops[-1] is None else max(tops[-1], value),
            steps=tuple(
                Step(entry_id=entry_id, peak=top, is_of_day=is_of_day)
                for (entry_id, is_of_day), top in zip(marks, tops, strict=False)
            ),
            entries=booked.entries,
        )


def begin(day: str, value: Decimal, entries: int) -> Highs:
    """Return a curve that is measured from here on."""
    return Highs(day=day, anchor=value, value=value, top=value, entries=entries)


def _highest(tops: Iterable[Decimal | None]) -> Decimal | None:
    return max((top for top in tops if top is not None), default=None)
