"""``ibfloor book lots``: what every open position is made of, from the journal alone."""

from __future__ import annotations

from typing import Annotated

import typer

from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, JsonOption, examples, home_of
from ibfloor.cli.output import Column, print_json, print_table, some_of
from ibfloor.cli.report_options import UnknownName, check_book, reporting

_COLUMNS = (
    Column("strategy", "Book"),
    Column("symbol", "Instrument"),
    Column("opened_ns", "Opened (UTC)", "time"),
    Column("qty", "Quantity", "number"),
    Column("px", "Price", "price"),
    Column("cost", "Cost", "money"),
    Column("currency", "In", spare=1),
    Column("lot", "Lot"),
)


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command(epilog=examples("ibfloor book lots", "ibfloor book lots SPY --book pairs"))(lots)


def lots(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="One instrument, by its name; else all.")] = "",
    owner: Annotated[str, typer.Option("--book", "-b", metavar="BOOK", help="One book; else all of them.")] = "",
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the lots of all open positions, the oldest first; a floor may run meanwhile.

    The last column is what ``ibfloor book transfer --lot`` takes.
    """
    from ibfloor.portfolio.chronicle import books_now
    from ibfloor.portfolio.lot_rows import lot_rows
    from ibfloor.reports.writing import read_chronicle

    terms = reporting(config, home)
    story = read_chronicle(home_of(config, home), terms.tz, terms.lots)
    books = books_now(story).books
    rows = lot_rows(books.values(), story.instruments)
    check_book(owner, books, terms)
    met = {str(row["symbol"]) for row in rows} | {each.local_symbol for each in story.instruments.values()}
    if symbol and symbol.upper() not in {each.upper() for each in met}:
        raise UnknownName(f"the floor has met no instrument {symbol}; there are: {some_of(sorted(met))}")
    found = [
        row
        for row in rows
        if (not owner or row["strategy"] == owner) and (not symbol or str(row["symbol"]).upper() == symbol.upper())
    ]
    if as_json:
        print_json(found)
    else:
        print_table(found, _COLUMNS, empty="no open positions")
