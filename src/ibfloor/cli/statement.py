"""``ibfloor statement``: a day of every book, from the journal alone."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ibfloor.cli.days import checked_day
from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, JsonOption, examples, home_of
from ibfloor.cli.output import print_json
from ibfloor.cli.report_options import DayOption, reporting


class Form(StrEnum):
    """How a statement is written."""

    HTML = "html"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "ibfloor statement",
            "ibfloor statement --day 2026-03-31 --strategy sma-spy",
            "ibfloor statement --format csv --out ./for-the-accountant",
        )
    )(statement)


def statement(
    day: DayOption = None,
    strategy: Annotated[
        str | None, typer.Option("--strategy", metavar="NAME", help="One book, or ACCOUNT; else all of them.")
    ] = None,
    form: Annotated[Form | None, typer.Option("--format", help="Write one format; else both.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write here, instead of the home's statements folder.")
    ] = None,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the statements of a day, as HTML and CSV; a floor may run meanwhile.

    Equity, positions with their lots, cash, results, fees, executions, entries and open breaks of every book and of
    the account, from the journal alone. Without --day the last day that was valued is taken. A figure whose price or
    rate is missing is shown as missing, with the reason.
    """
    from ibfloor.reports.writing import FOLDER, FORMATS, NoStatement, read_chronicle, statements_of, write_statements

    checked_day("--day", day)
    place, terms = home_of(config, home), reporting(config, home)
    made = statements_of(read_chronicle(place, terms.tz, terms.lots), day, terms.tz)
    if strategy is not None:
        if strategy not in made:
            raise NoStatement(f"there is no book {strategy}: there are {', '.join(made)}")
        made = {name: one for name, one in made.items() if name == strategy}
    if as_json:
        print_json(dict(made))
        return
    forms = FORMATS if form is None else (form.value,)
    for file in write_statements(made.values(), out or place / FOLDER, forms, terms.tz, floor=terms.floor):
        typer.echo(file)
