"""The names of stored instruments, beside the store: ``symbols.json``, instrument id -> symbol."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from ibfloor.data.store import StoreError

_FILE = "symbols.json"


class SymbolNames:
    """Names by instrument id. Owner: the recorder's loop; readers make their own."""

    def __init__(self, folder: Path, file: str = _FILE) -> None:
        self._file = folder / file
        self._names: dict[int, str] | None = None
        self._is_changed = False

    @property
    def names(self) -> dict[int, str]:
        """Return the names; raise ``StoreError`` when the file is broken."""
        if self._names is None:
            try:
                self._names = msgspec.json.decode(self._file.read_bytes(), type=dict[int, str])
            except FileNotFoundError:
                self._names = {}
            except (OSError, msgspec.DecodeError) as error:
                raise StoreError(f"cannot read {self._file}: {error}; delete it, it is made again") from error
        return self._names

    def learn(self, names: dict[int, str]) -> None:
        """Take names in."""
        if not names.items() <= self.names.items():
            self.names.update(names)
            self._is_changed = True

    def save(self) -> None:
        """Write the file if a name is new, as a whole or not at all."""
        if self._is_changed:
            draft = self._file.with_suffix(".new")
            draft.write_bytes(msgspec.json.encode(self.names))
            draft.chmod(0o600)
            os.replace(draft, self._file)
            self._is_changed = False
