"""Keeps ArcticDB from running code that is hidden in a store.

ArcticDB unpickles metadata and odd values on every kind of read, and a pickle can run any program.
It has no switch for that, so its (private) pickler is replaced before a store is opened.
"""

from __future__ import annotations

from typing import NoReturn

from arcticdb.version_store import _normalization

from ibfloor.data.store import StoreError

_REASON = "the market store holds only plain tables: pickled values are neither read nor written"


def _refuse(_: object) -> NoReturn:
    raise StoreError(_REASON)


def guard_pickles() -> None:
    """Make every pickled value in a store an error, in this process; raises ``StoreError`` if ArcticDB changed."""
    pickler = getattr(_normalization, "Pickler", None)
    if not (hasattr(pickler, "read") and hasattr(pickler, "write")):
        raise StoreError("this version of arcticdb pickles in another place: use the version of the lock file")
    _normalization.Pickler.read = staticmethod(_refuse)
    _normalization.Pickler.write = staticmethod(_refuse)
