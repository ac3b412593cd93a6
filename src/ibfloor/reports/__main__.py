"""``python -m ibfloor.reports``: write the statements of days that are over. Its order is JSON on standard input.

A process of its own, at low priority: reading a long journal would stall a floor that trades.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from ibfloor.model.errors import FloorError
from ibfloor.model.lots import LotMethod
from ibfloor.reports.writing import FOLDER, FORMATS, days_told, read_chronicle, statements_of, write_statements

EXIT_OK, EXIT_FAILED, EXIT_BAD_ORDER = 0, 1, 2
FINAL = ".final"
"""The file that says that a day was over when its statements were written."""
_NICENESS = 10


class DaysWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which statements are to be written: those of every day before ``today`` that has no final ones."""

    home: str
    today: str
    zone: str
    lots: LotMethod
    floor: str


def write_missing(wanted: DaysWanted) -> list[Path]:
    """Write what is missing; return the files. Raises ``FloorError``."""
    folder, tz = Path(wanted.home) / FOLDER, ZoneInfo(wanted.zone)
    story = read_chronicle(Path(wanted.home), tz, wanted.lots)
    written: list[Path] = []
    for day in days_told(story, tz):
        final = folder / day / FINAL
        if day < wanted.today and not final.exists():  # what was written while the day ran is no final statement
            made = statements_of(story, day, tz)
            written += write_statements(made.values(), folder, FORMATS, tz, floor=wanted.floor)
            final.touch(mode=0o600)
    return written


def main() -> int:
    """Carry the order out; return the exit code."""
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    try:
        wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=DaysWanted)
    except msgspec.DecodeError as error:
        sys.stderr.write(f"reports: no order in JSON came on standard input: {error}\n")
        return EXIT_BAD_ORDER
    try:
        for file in write_missing(wanted):
            sys.stdout.write(f"{file}\n")
    except FloorError as error:
        sys.stderr.write(f"reports: {error}\n")
        return EXIT_FAILED
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
