"""``ibfloor crossings``: what strategies traded with each other, from the journal alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, JsonOption, examples, home_of
from ibfloor.cli.output import Column, Row, print_json, print_table
from ibfloor.cli.report_options import check_book, reporting

_COLUMNS = (
    Column("ts_ns", "Time (UTC)", "time"),
    Column("symbol", "Instrument"),
    Column("qty", "Quantity", "number"),
    Column("px", "Price", "price"),
    Column("buyer", "Buyer"),
    Column("seller", "Seller"),
    Column("bid_px", "Bid", "price", spare=1),
    Column("ask_px", "Ask", "price", spare=1),
    Column("quote_ns", "Quote of (UTC)", "time", spare=3),
    Column("source", "Source", spare=4),
    Column("saved", "Saved", "money"),
    Column("currency", "In"),
    Column("entry_id", "Entry", spare=2),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("ibfloor crossings", "ibfloor crossings --book pairs --json"))(crossings)


def crossings(
    owner: Annotated[str, typer.Option("--book", "-b", metavar="BOOK", help="Those of one book; else all.")] = "",
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what strategies traded with each other, and what that saved; a floor may run meanwhile.

    Saved is half the spread of each side. Commissions that were not paid are not counted: nobody knows them.
    """
    import msgspec

    from ibfloor.ledger.reading import read_facts
    from ibfloor.model.entry import BookEntry
    from ibfloor.model.fact import InstrumentDefined
    from ibfloor.portfolio.crossing import crossings as crossed

    entries, instruments = [], {}
    for fact in read_facts(home_of(config, home), (BookEntry, InstrumentDefined)):
        match fact:
            case BookEntry():
                entries.append(fact)
            case InstrumentDefined():
                instruments[fact.instrument.instrument_id] = fact.instrument
    rows: list[Row] = [
        {**msgspec.structs.asdict(each), "saved": each.saved.amount, "currency": each.saved.currency}
        for each in crossed(entries, instruments)
        if not owner or owner in (each.buyer, each.seller)
    ]
    if owner and not rows:
        _check(owner, config, home)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, _COLUMNS, empty="no crosses")


def _check(owner: str, config: Path, home: Path | None) -> None:
    from ibfloor.portfolio.chronicle import books_now
    from ibfloor.reports.writing import read_chronicle

    terms = reporting(config, home)
    story = read_chronicle(home_of(config, home), terms.tz, terms.lots)
    check_book(owner, books_now(story).books, terms)
