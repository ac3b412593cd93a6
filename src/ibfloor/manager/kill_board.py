"""The kill switches as screens show them: who, why, since when, and how far. Owner: the main loop."""

from __future__ import annotations

import msgspec

from ibfloor.manager.screen import Rows
from ibfloor.model.kill import KillPlace
from ibfloor.model.view import KillView
from ibfloor.risk.kill import KillState


class KillBoard:
    """Holds a row per latched switch."""

    def __init__(self) -> None:
        self._rows: dict[str, KillView] = {}
        self._gone: set[str] = set()

    def latched(self, place: KillPlace, state: KillState) -> None:
        """Show a switch that is latched."""
        checked = state.checked
        phase = "canceling" if checked is None else "verified" if checked.is_clear else "not verified"
        self._gone.discard(place.key)
        self._rows[place.key] = KillView(
            scope=place.scope,
            target=place.target,
            actor=state.actor,
            reason=state.reason,
            ts_ns=state.ts_ns,
            phase=phase,
            orders_left=-1 if checked is None else checked.orders_left,
            text="" if checked is None else checked.text,
        )

    def phase(self, place: KillPlace, phase: str, orders_left: int, text: str) -> None:
        """Show how far a kill has come."""
        row = self._rows[place.key]
        self._rows[place.key] = msgspec.structs.replace(row, phase=phase, orders_left=orders_left, text=text)

    def reset(self, place: KillPlace) -> None:
        """Take a switch away that is open again."""
        self._rows.pop(place.key, None)
        self._gone.add(place.key)

    def rows(self) -> Rows:
        """Return the rows as they are now, and once those that went."""
        rows: Rows = [("kills", key, row) for key, row in self._rows.items()]
        rows += [("kills", key, None) for key in self._gone]
        self._gone.clear()
        return rows
