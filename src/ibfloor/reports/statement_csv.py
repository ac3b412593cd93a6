"""A statement as CSV: every line names its table, as brokers' statements do, so that one file holds all of them."""

from __future__ import annotations

import csv
from datetime import tzinfo
from io import StringIO

from ibfloor.portfolio.statement import Statement
from ibfloor.reports.layout import Cell, tables, unknown
from ibfloor.reports.words import for_programs


def statement_csv(statement: Statement, tz: tzinfo) -> str:
    """Return the statement as CSV text. Column two is ``header``, ``data``, ``lot``, ``total`` or ``unknown``."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("Statement", "header", "Owner", "Day", "Base currency", "Prices taken"))
    taken = "" if not statement.marked_ns else for_programs(Cell(statement.marked_ns, "time"), tz)
    writer.writerow(("Statement", "data", _safe(statement.owner), statement.day, statement.base, taken))
    for table in tables(statement):
        writer.writerow((table.title, "header", *(column.title for column in table.columns)))
        for index, row in enumerate(table.rows):
            kind = "total" if index in table.strong else "lot" if row[0].kind == "lot" else "data"
            writer.writerow((table.title, kind, *(_safe(for_programs(cell, tz)) for cell in row)))
    for reason in unknown(statement):
        writer.writerow(("Not known", "unknown", _safe(reason)))
    return text.getvalue()


def _safe(text: str) -> str:
    # A spreadsheet would run a text that begins like a formula; numbers may begin with a minus.
    is_formula = text[:1] in "=+@\t\r" or (text[:1] == "-" and not text[1:2].isdigit())
    return f"'{text}" if text and is_formula else text
