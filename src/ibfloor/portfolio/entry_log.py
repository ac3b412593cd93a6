"""Every book entry ever taken, and which of them count."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from ibfloor.model.entry import BookEntry, SplitLeg
from ibfloor.model.ids import InstrumentId


class EntryLog:
    """Entries by id. A reversed entry is taken out of the books, whichever of the two came first."""

    def __init__(self) -> None:
        self._entries: dict[str, BookEntry] = {}
        self._reversed_by: dict[str, str] = {}
        self._split: set[InstrumentId] = set()

    def __iter__(self) -> Iterator[BookEntry]:
        """Yield every entry, reversed ones and reversals too, in the order of arrival."""
        return iter(self._entries.values())

    def __len__(self) -> int:
        """Return how many entries were ever taken."""
        return len(self._entries)

    def after(self, count: int) -> Iterator[BookEntry]:
        """Yield the entries that arrived after the first ``count``."""
        return islice(self._entries.values(), count, None)

    def get(self, entry_id: str) -> BookEntry | None:
        """Return an entry by its id, a reversed one too."""
        return self._entries.get(entry_id)

    def reversed_by(self, entry_id: str) -> str | None:
        """Return the id of the entry that took this one out of the books."""
        return self._reversed_by.get(entry_id)

    def is_split(self, instrument_id: InstrumentId) -> bool:
        """Tell whether an instrument was ever split: then quantities are not the sum of what was traded."""
        return instrument_id in self._split

    def take(self, entry: BookEntry) -> tuple[BookEntry, int] | None:
        """Take an entry, and return what is to be booked (1) or taken back (-1) for it; ``None`` for nothing."""
        if entry.entry_id in self._entries:
            return None
        self._entries[entry.entry_id] = entry
        self._split.update(leg.instrument_id for leg in entry.legs if isinstance(leg, SplitLeg))
        if not entry.reverses:
            return None if entry.entry_id in self._reversed_by else (entry, 1)
        if self._reversed_by.setdefault(entry.reverses, entry.entry_id) != entry.entry_id:
            return None
        original = self._entries.get(entry.reverses)
        return None if original is None else (original, -1)
