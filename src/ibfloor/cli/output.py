"""How data is printed: rich tables for people, tab-separated lines for pipes, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import msgspec
import typer

Row = dict[str, object]
MISSING = "—"
MINUS = "\N{MINUS SIGN}"


class Column(msgspec.Struct, frozen=True):
    """A column of a table: the row's field, its heading, and how its values read."""

    field: str
    heading: str
    kind: str = "text"
    """``text``, ``number``, ``money``, ``time`` (market time, UTC)."""


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    typer.echo(json.dumps(json.loads(msgspec.json.encode(value)), indent=2))


def print_json_line(value: object) -> None:
    """Print a value as one line of JSON."""
    typer.echo(msgspec.json.encode(value).decode())


def print_table(rows: Sequence[Row], columns: Sequence[Column], *, empty: str) -> None:
    """Print rows: a table on a terminal, else tab-separated text with a heading line."""
    cells = [[cell(row.get(column.field), column.kind) for column in columns] for row in rows]
    if not sys.stdout.isatty():
        typer.echo("\t".join(column.field for column in columns))
        for line in cells:
            typer.echo("\t".join(line))
    elif not cells:
        typer.echo(empty)
    else:
        _print_rich(cells, columns)


def cell(value: object, kind: str) -> str:
    """Return one value as text; a value that is not known is a dash."""
    if value is None or value == "":
        return MISSING
    match kind:
        case "time":
            return time_text(value)
        case "money":
            return _amount(value, "+,.2f")
        case "number":
            return _amount(value, ",f")
        case _:
            return _text(value)


def time_text(value: object) -> str:
    """Return market time in UTC for people; a dash for none."""
    if not isinstance(value, int) or value <= 0:
        return MISSING
    return datetime.fromtimestamp(value // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _amount(value: object, form: str) -> str:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    if not amount.is_finite():
        return MISSING
    if form == ",f":
        amount = amount.normalize() if amount else Decimal(0)
    return format(amount, form).replace("-", MINUS)


def _text(value: object) -> str:
    match value:
        case dict():
            return " ".join(f"{key}:{item}" for key, item in value.items()) or MISSING
        case list() | tuple():
            return " ".join(map(str, value)) or MISSING
        case _:
            return str(value).replace("\t", " ").replace("\n", " ")


def _print_rich(cells: list[list[str]], columns: Sequence[Column]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.heading, justify="right" if column.kind in ("number", "money") else "left")
    for line in cells:
        table.add_row(*(Text(text) for text in line))  # Text: a strategy's words are not markup
    Console().print(table)
