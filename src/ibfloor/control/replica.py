"""A follower's copy of the floor's rows: a snapshot, then changes, with a check for gaps. Pure."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from ibfloor.control.protocol import ViewChanges, ViewSnapshot

Rows = dict[str, dict[str, object]]
RowT = TypeVar("RowT", bound=msgspec.Struct)


class SequenceGap(Exception):
    """Changes were lost: only a new snapshot helps."""


class Replica:
    """Rows as the wire brings them: dicts of fields, or lists for array rows. Owner: one loop."""

    def __init__(self) -> None:
        self.seq = -1
        self.rows: Rows = {}

    def apply(self, message: ViewSnapshot | ViewChanges) -> None:
        """Take a snapshot or the next changes; raise ``SequenceGap`` when some are missing."""
        if isinstance(message, ViewSnapshot):
            self.seq, self.rows = message.seq, message.rows
            return
        if message.seq != self.seq + 1:
            raise SequenceGap(f"changes {message.seq} came after {self.seq}")
        for topic, changed in message.rows.items():
            rows = self.rows.setdefault(topic, {})
            for key, change in changed.items():
                _apply_row(rows, key, change)
        self.seq = message.seq

    def topic(self, name: str) -> dict[str, object]:
        """Return the rows of a topic; empty when there are none yet."""
        return self.rows.get(name, {})


def _apply_row(rows: dict[str, object], key: str, change: object) -> None:
    row = rows.get(key)
    if change is None:
        rows.pop(key, None)
    elif isinstance(change, dict) and isinstance(row, dict):
        row.update(change)
    else:
        rows[key] = change


def typed_rows(rows: Rows, topic: str, row_type: type[RowT]) -> dict[str, RowT]:
    """Return a topic's rows as structs of ``model.view``, for programs that want exact amounts."""
    return {key: msgspec.convert(row, row_type) for key, row in rows.get(topic, {}).items()}
