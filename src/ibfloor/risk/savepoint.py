"""Orders of which all pass or none does: when a later one is refused, what the earlier ones left behind is put back.

Their claims are released by whoever took them. What a refusal itself leaves (its count, a strategy disabled) stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ibfloor.model.ids import StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.risk.confirmations import Confirmations
from ibfloor.risk.seats import Seats


class Savepoint:
    """Tokens, counted entries, orders just sent and confirmations, as they were when it was made."""

    def __init__(
        self, seats: Seats, confirmations: Confirmations, judged: Iterable[tuple[StrategyId, Instrument]]
    ) -> None:
        self._undo: list[Callable[[], None]] = [confirmations.undo()]
        for strategy, instrument in judged:
            seat = seats.seat(strategy, instrument)
            buckets = (bucket for bucket in (*seat.entering, *seat.leaving) if bucket is not None)
            self._undo += [seat.activity.undo(), seat.habits.undo(), *(bucket.undo() for bucket in buckets)]

    def restore(self) -> None:
        """Put everything back."""
        for undo in self._undo:
            undo()
