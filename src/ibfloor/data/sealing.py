"""Day end: the bars of one day move from the live table to one sealed table per contract."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ibfloor.data.arctic_store import BARS_1M, BARS_LIVE, ArcticStore, sealed_symbol
from ibfloor.data.store import StoreError, Table, concat, row_count, rows_of


def seal_bars(store: ArcticStore, day: str) -> int:
    """Seal the bars of a UTC day ``YYYYMMDD``; return how many rows the sealed tables have of it.

    May be repeated: bars sealed before stay, those of the same minute are replaced. The live table
    is deleted only after the sealed ones were read back; raises ``StoreError`` when they differ.
    """
    if day not in store.symbols(BARS_LIVE):
        return 0
    live = store.read_live(BARS_LIVE, day)
    count = sum(_seal_one(store, live, int(key)) for key in np.unique(live["instrument_id"]))
    store.forget(BARS_LIVE, day)
    return count


def _seal_one(store: ArcticStore, live: Table, instrument_id: int) -> int:
    own = rows_of(live, live["instrument_id"] == instrument_id)
    start_ns, end_ns = int(own["ts_ns"].min()), int(own["ts_ns"].max()) + 1
    rows = _newest_per_minute(concat([store.read_sealed(instrument_id, start_ns, end_ns), own]))
    frame = pd.DataFrame(rows, index=pd.DatetimeIndex(rows["ts_ns"].astype("datetime64[ns]"), tz="UTC", name="start"))
    # An update replaces everything between its first and last row: sealed bars in between are in ``rows``.
    store.write(lambda lib: lib.update(sealed_symbol(instrument_id), frame, upsert=True), BARS_1M)
    stored = store.read_sealed(instrument_id, start_ns, end_ns)
    if any(not np.array_equal(stored[name], rows[name], equal_nan=True) for name in rows):
        raise StoreError(f"sealing {sealed_symbol(instrument_id)} went wrong: the live table was kept, seal again")
    return row_count(rows)


def _newest_per_minute(rows: Table) -> Table:
    # Of equal times the last row counts: unique() finds the first one in the reversed order.
    _, newest = np.unique(rows["ts_ns"][::-1], return_index=True)
    return rows_of(rows, row_count(rows) - 1 - newest)
