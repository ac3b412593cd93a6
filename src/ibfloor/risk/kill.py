"""The kill switches' state: a fold over their facts."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ibfloor.model.fact import Fact, KillChecked, KillLatched, KillReset
from ibfloor.model.kill import KillPlace, place_of


class KillState(msgspec.Struct, frozen=True):
    """Whether a switch is latched, by whom, why, since when (market time, ns), and what the broker said last."""

    is_latched: bool = False
    actor: str = ""
    reason: str = ""
    ts_ns: int = 0
    checked: KillChecked | None = None
    """The last look at the broker's own list; ``None`` while nobody has looked yet."""

    @property
    def is_verified(self) -> bool:
        """Tell whether the broker was seen without a working order in reach."""
        return self.checked is not None and self.checked.is_clear


OPEN = KillState()
Kills = Mapping[KillPlace, KillState]
"""The switches that are latched."""


def after(state: KillState, fact: Fact) -> KillState:
    """Return one switch's state after a fact about it; a second latch keeps the first one's reason."""
    match fact:
        case KillLatched():
            return state if state.is_latched else KillState(True, fact.actor, fact.reason, fact.ts_event_ns)
        case KillChecked():
            return msgspec.structs.replace(state, checked=fact) if state.is_latched else state
        case KillReset():
            return OPEN
        case _:
            return state


def all_after(states: dict[KillPlace, KillState], fact: Fact) -> None:
    """Take a fact into all switches; a reset of one leaves the others latched."""
    if not isinstance(fact, KillLatched | KillChecked | KillReset):
        return
    place = place_of(fact.scope, fact.target)
    state = after(states.get(place, OPEN), fact)
    if state.is_latched:
        states[place] = state
    else:
        states.pop(place, None)
