"""The kill switch's state: a fold over its facts."""

from __future__ import annotations

import msgspec

from ibfloor.model.fact import Fact, KillLatched, KillReset


class KillState(msgspec.Struct, frozen=True):
    """Whether the switch is latched, by whom, why, and since when (market time, ns)."""

    is_latched: bool = False
    actor: str = ""
    reason: str = ""
    ts_ns: int = 0


OPEN = KillState()


def after(state: KillState, fact: Fact) -> KillState:
    """Return the state after a fact; a second latch keeps the first one's reason."""
    match fact:
        case KillLatched():
            return state if state.is_latched else KillState(True, fact.actor, fact.reason, fact.ts_event_ns)
        case KillReset():
            return OPEN
        case _:
            return state
