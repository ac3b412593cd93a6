"""From rows to changes: keep the last row of every key, and send only the fields that changed. Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ibfloor.control.protocol import ViewChanges, ViewSnapshot


class ViewDiffer:
    """The floor's last rows and what changed since the last ``take``. Owner: one thread.

    A row is a struct; an ``array_like`` one (bars, curve points) always travels whole. ``keep``
    bounds topics that only grow: the oldest rows go, and followers are told so; rows that
    ``is_pinned`` says must stay do not count.
    """

    def __init__(
        self,
        keep: dict[str, int] | None = None,
        is_pinned: Callable[[msgspec.Struct], bool] = lambda row: False,
    ) -> None:
        self._keep = dict(keep or {})
        self._is_pinned = is_pinned
        self._seq = 0
        self._rows: dict[str, dict[str, msgspec.Struct]] = {}
        self._changed: dict[str, dict[str, object]] = {}

    @property
    def seq(self) -> int:
        """The number of the last changes taken."""
        return self._seq

    def update(self, topic: str, key: str, row: msgspec.Struct) -> None:
        """Put a row in place of the last one of its key; an equal row changes nothing."""
        rows = self._rows.setdefault(topic, {})
        last = rows.get(key)
        if last is row:
            return
        if type(last) is type(row) and not row.__struct_config__.array_like:
            fields = {
                name: value for name in row.__struct_fields__ if (value := getattr(row, name)) != getattr(last, name)
            }
            if not fields:
                return
            self._merge(topic, key, fields)
        elif last == row:
            return
        else:
            self._changed.setdefault(topic, {})[key] = row
        rows[key] = row
        if last is None and len(rows) > self._keep.get(topic, len(rows)):
            oldest = next((old for old, each in rows.items() if not self._is_pinned(each)), None)
            if oldest is not None:
                self.remove(topic, oldest)

    def remove(self, topic: str, key: str) -> None:
        """Drop a row; an absent one is no error."""
        if self._rows.get(topic, {}).pop(key, None) is not None:
            self._changed.setdefault(topic, {})[key] = None

    def take(self) -> ViewChanges | None:
        """Return what changed since the last call, numbered; ``None`` when nothing did."""
        if not self._changed:
            return None
        self._seq += 1
        changed, self._changed = self._changed, {}
        return ViewChanges(seq=self._seq, rows=changed)

    def snapshot(self) -> ViewSnapshot:
        """Return all rows under the number of the last changes taken."""
        # It may hold changes not yet taken: applying those again later does no harm.
        return ViewSnapshot(seq=self._seq, rows={topic: dict(rows) for topic, rows in self._rows.items()})

    def _merge(self, topic: str, key: str, fields: dict[str, object]) -> None:
        changed = self._changed.setdefault(topic, {})
        waiting = changed.get(key)
        if isinstance(waiting, dict):
            waiting.update(fields)
        elif waiting is None and key not in changed:
            changed[key] = fields
        else:  # new since the last take: its row has not gone out yet, so the newer one goes whole
            changed[key] = self._whole(topic, key, fields)

    def _whole(self, topic: str, key: str, fields: dict[str, object]) -> object:
        return msgspec.structs.replace(self._rows[topic][key], **fields)
