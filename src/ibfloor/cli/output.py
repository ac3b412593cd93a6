"""How data is printed: rich tables for people, tab-separated lines for pipes, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import msgspec
import typer

Row = dict[str, object]
MISSING = "—"
MINUS = "\N{MINUS SIGN}"
NUMBERS = ("number", "price", "money", "gain")
WORDS_WIDTH = 16
NAMES_MAX = 30
GAP = 2


class Column(msgspec.Struct, frozen=True):
    """A column of a table: the row's field, its heading, and how its values read."""

    field: str
    heading: str
    kind: str = "text"
    """``text``, ``words`` (text that may wrap), ``number``, ``price``, ``money``, ``gain`` (signed), ``time``."""
    spare: int = 0
    """On a narrow terminal the columns with the highest number go first; those with 0 stay."""


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    typer.echo(json.dumps(json.loads(msgspec.json.encode(value)), indent=2))


def print_json_line(value: object) -> None:
    """Print a value as one line of JSON."""
    typer.echo(msgspec.json.encode(value).decode())


def print_table(rows: Sequence[Row], columns: Sequence[Column], *, empty: str) -> None:
    """Print rows: a table on a terminal, else tab-separated text with a heading line.

    Times are in UTC and say so: in a table's headings, and with a Z at the end where the headings are field names.
    """
    cells = [[cell(row.get(column.field), column.kind) for column in columns] for row in rows]
    if not sys.stdout.isatty():
        typer.echo("\t".join(column.field for column in columns))
        for line in cells:
            typer.echo("\t".join(_zoned(text, column) for text, column in zip(line, columns, strict=True)))
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
            return _amount(value, ",.2f")
        case "gain":
            return _amount(value, "+,.2f")
        case "price":
            return _amount(value, ",f", decimals_min=2)
        case "number":
            return _amount(value, ",f")
        case _:
            return _text(value)


def some_of(names: Sequence[str]) -> str:
    """Return the names that there are, for whoever gave another one; not all of many."""
    return ", ".join(names[:NAMES_MAX]) or "none"


def time_text(value: object) -> str:
    """Return market time in UTC for people; a dash for none."""
    if not isinstance(value, int) or value <= 0:
        return MISSING
    return datetime.fromtimestamp(value // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _zoned(text: str, column: Column) -> str:
    return f"{text}Z" if column.kind == "time" and text != MISSING else text


def _amount(value: object, form: str, *, decimals_min: int = 0) -> str:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    if not amount.is_finite():
        return MISSING
    if form == ",f":
        amount = amount.normalize() if amount else Decimal(0)
        if -int(amount.as_tuple().exponent) < decimals_min:
            form = f",.{decimals_min}f"
    return format(amount, form).replace("-", MINUS)


def _text(value: object) -> str:
    match value:
        case dict():
            return " ".join(f"{key}:{item}" for key, item in value.items()) or MISSING
        case list() | tuple():
            return " ".join(map(str, value)) or MISSING
        case _:
            return str(value).replace("\t", " ").replace("\n", " ")


class _Shown(NamedTuple):
    heading: str
    column: Column
    cells: list[str]

    @property
    def width_min(self) -> int:
        texts = [self.heading, *self.cells]
        if self.column.kind == "words":  # these wrap at blanks; all else stands on one line, whole
            texts = [word for text in texts for word in text.split()]
            return min(WORDS_WIDTH, max(map(len, texts)))
        return max(map(len, texts))


def _print_rich(cells: list[list[str]], columns: Sequence[Column]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    shown = [
        _without_the_day(column, list(line)) for column, line in zip(columns, zip(*cells, strict=True), strict=True)
    ]
    kept = _fitting(shown, console.width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, column, _ in kept:
        is_words = column.kind == "words"
        table.add_column(
            heading,
            justify="right" if column.kind in NUMBERS else "left",
            no_wrap=not is_words,
            overflow="fold",
            min_width=WORDS_WIDTH // 2 if is_words else None,
        )
    for line in zip(*(one.cells for one in kept), strict=True):
        table.add_row(*(Text(text) for text in line))  # Text: a strategy's words are not markup
    console.width = max(console.width, _width(kept))  # rather a line the terminal folds than half a number
    console.print(table)
    left_out = [one.column.heading for one in shown if one not in kept and not _says_nothing(one)]
    if left_out:
        typer.echo(f"not shown for want of room: {', '.join(left_out)}; widen the terminal, or use --json", err=True)


def _without_the_day(column: Column, cells: list[str]) -> _Shown:
    days = {text[:10] for text in cells if text != MISSING}
    if column.kind != "time" or len(days) != 1:
        return _Shown(column.heading, column, cells)
    return _Shown(f"{days.pop()} UTC", column, [text[11:] or text for text in cells])


def _fitting(shown: list[_Shown], width: int) -> list[_Shown]:
    kept = list(shown)
    going = [one for one in shown if _says_nothing(one)]  # these go first, whatever they are
    going += sorted((one for one in shown if one.column.spare and one not in going), key=lambda one: -one.column.spare)
    while going and _width(kept) > width:
        kept.remove(going.pop(0))
    return kept


def _says_nothing(one: _Shown) -> bool:
    return set(one.cells) == {MISSING}


def _width(shown: list[_Shown]) -> int:
    return sum(one.width_min for one in shown) + GAP * (len(shown) - 1)
