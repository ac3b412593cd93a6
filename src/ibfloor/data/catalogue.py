"""What is in a market store, for people."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ibfloor.data.arctic_store import open_store
from ibfloor.data.store import StoreError
from ibfloor.data.symbol_names import SymbolNames


class CatalogueRow(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument in one kind of table: ``ticks_live``, ``bars_live`` or ``bars_1m``."""

    symbol: str
    instrument_id: int
    table: str
    first_ns: int
    last_ns: int
    rows: int


def catalogue(store: Path) -> list[CatalogueRow]:
    """Return what a store's folder holds, by symbol; raise ``StoreError`` when there is no store.

    Reads whole live tables: meant for a person's question, not for a loop.
    """
    if not (store / "_arctic_cfg").exists():
        raise StoreError(f"there is no market store in {store}: the recorder makes one when it first runs")
    names = SymbolNames(store).names
    rows = [
        CatalogueRow(
            symbol=names.get(each.instrument_id, f"c{each.instrument_id}"),
            instrument_id=each.instrument_id,
            table=each.table,
            first_ns=each.first_ns,
            last_ns=each.last_ns,
            rows=each.rows,
        )
        for each in open_store(store).ranges()
    ]
    return sorted(rows, key=lambda row: (row.symbol, row.table))
