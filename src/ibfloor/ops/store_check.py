"""Write one bar into a fresh ArcticDB store and read it back: ``python -m ibfloor.ops.store_check FOLDER``.

A process of its own, since ArcticDB can take its process down when a disk is full.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ibfloor.data.arctic_store import open_store
from ibfloor.data.store import BAR_COLUMNS, as_table, row_count
from ibfloor.model.errors import FloorError

START_NS = 1_700_000_000_000_000_000


def main(folder: Path) -> int:
    """Return the exit code: 0 when what was written came back."""
    bar = {name: [START_NS if name == "ts_ns" else 1] for name in BAR_COLUMNS}
    try:
        store = open_store(folder, map_size="64MB")
        store.append_bars(as_table(bar, BAR_COLUMNS))
        rows = row_count(store.read_bars(1, START_NS, START_NS + 1))
    except FloorError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the parent reads it
        return 1
    return 0 if rows == 1 else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
