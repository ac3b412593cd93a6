"""``ibfloor book ...``: what a person does to the books, previewed and confirmed."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import typer

from ibfloor.cli import book_action, book_lots
from ibfloor.cli.booking import (
    AtOption,
    BreakOption,
    PreviewOption,
    PriceOption,
    ReasonOption,
    SharesOption,
    SymbolArgument,
    YesOption,
    book,
    instrument_id,
    money,
    number,
    optional,
    shares,
)
from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, JsonOption, examples, home_of
from ibfloor.cli.output import Column, print_json, print_table
from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import UNASSIGNED, StrategyId

app = typer.Typer(
    name="book",
    help="Change the books by hand: assign, transfer, adjust, classify, undo. Shows first, then asks.",
    epilog=examples("ibfloor book assign SPY pairs -r 'bought by hand for it' --preview", "ibfloor book entries"),
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(book_action.app)
book_lots.register(app)
BookArgument = Annotated[str, typer.Argument(metavar="BOOK", help="A strategy's name, or UNASSIGNED.")]
CurrencyArgument = Annotated[str, typer.Argument(metavar="CURRENCY", help="As in USD.")]
AmountArgument = Annotated[str, typer.Argument(metavar="AMOUNT", help="Above zero.")]
QtyArgument = Annotated[str, typer.Argument(metavar="[QTY]", help="Above zero, longs and shorts; left out, all of it.")]
_ENTRIES = (
    Column("ts_ns", "Time (UTC)", "time"),
    Column("entry_id", "Entry"),
    Column("kind", "Kind"),
    Column("text", "What", "words", spare=1),
    Column("reason", "Reason", "words", spare=2),
    Column("actor", "By", spare=3),
    Column("reversed_by", "Undone by", spare=4),
)


@app.command(epilog=examples("ibfloor book resolve position:756733 -r '2 for 1 on the 7th'"))
def resolve(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The break's key, as in breaks.")],
    reason: ReasonOption,
    at: AtOption = "",
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """End a break by the booking that its cause suggests."""
    import msgspec

    from ibfloor.control.once import fetch_snapshot
    from ibfloor.model.booking import AnyBooking

    row: Any = fetch_snapshot(home_of(config, home)).rows.get("breaks", {}).get(key)
    if not isinstance(row, dict):
        raise ConfigError(f"there is no open break {key}: ibfloor breaks shows them")
    if not row.get("proposal"):
        raise ConfigError(f"no booking suggests itself for {key}: choose one of ibfloor book --help")
    booking: Any = msgspec.convert(row["proposal"], AnyBooking, strict=False)
    book(booking, config, home, reason=reason, break_key=key, preview=preview, yes=yes, at=at)


@app.command(
    epilog=examples("ibfloor book assign SPY pairs -r 'bought by hand'", "ibfloor book assign SPY pairs 10 -r x")
)
def assign(
    symbol: SymbolArgument,
    strategy: BookArgument,
    reason: ReasonOption,
    qty: QtyArgument = "",
    price: PriceOption = "",
    break_key: BreakOption = "",
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Give a strategy what UNASSIGNED holds: a manual trade, an opening balance."""
    from ibfloor.model.booking import TransferLot

    lot = TransferLot(
        giver=UNASSIGNED,
        taker=StrategyId(strategy),
        instrument_id=instrument_id(symbol, config, home),
        qty=optional(qty, "QTY"),
        px=optional(price, "--price"),
    )
    book(lot, config, home, reason=reason, break_key=break_key, preview=preview, yes=yes)


@app.command(epilog=examples("ibfloor book transfer SPY pairs trend 50 --price 168.10 -r 'trend takes it over'"))
def transfer(
    symbol: SymbolArgument,
    giver: Annotated[str, typer.Argument(metavar="FROM", help="The book that gives.")],
    taker: Annotated[str, typer.Argument(metavar="TO", help="The book that takes, and pays.")],
    reason: ReasonOption,
    qty: QtyArgument = "",
    price: PriceOption = "",
    lot: Annotated[str, typer.Option("--lot", help="The lot that moves, as in book lots; else the oldest first.")] = "",
    break_key: BreakOption = "",
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Move a position, or a part of it, from one book to another, paid in cash."""
    from ibfloor.model.booking import TransferLot

    moved = TransferLot(
        giver=StrategyId(giver),
        taker=StrategyId(taker),
        instrument_id=instrument_id(symbol, config, home),
        qty=optional(qty, "QTY"),
        px=optional(price, "--price"),
        lot=lot,
    )
    book(moved, config, home, reason=reason, break_key=break_key, preview=preview, yes=yes)


@app.command(epilog=examples("ibfloor book cash UNASSIGNED pairs 50000 USD -r 'its capital'"))
def cash(
    giver: Annotated[str, typer.Argument(metavar="FROM", help="The book that gives.")],
    taker: Annotated[str, typer.Argument(metavar="TO", help="The book that takes.")],
    amount: AmountArgument,
    currency: CurrencyArgument,
    reason: ReasonOption,
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Move cash from one book to another."""
    from ibfloor.model.booking import TransferCash

    moved = TransferCash(giver=StrategyId(giver), taker=StrategyId(taker), amount=money(amount, currency))
    book(moved, config, home, reason=reason, break_key="", preview=preview, yes=yes)


@app.command(
    epilog=examples("ibfloor book adjust UNASSIGNED SPY --qty -5 --price 168.10 --cash 840.50 -r 'sold at the desk'")
)
def adjust(
    strategy: BookArgument,
    reason: ReasonOption,
    symbol: Annotated[str, typer.Argument(metavar="[SYMBOL]", help="The instrument; none for cash alone.")] = "",
    qty: Annotated[str, typer.Option("--qty", help="Signed: what the position changes by.")] = "",
    price: Annotated[str, typer.Option("--price", metavar="PX", help="The price it enters or leaves at.")] = "",
    amount: Annotated[str, typer.Option("--cash", metavar="AMOUNT", help="Signed: what the cash changes by.")] = "",
    currency: Annotated[str, typer.Option("--currency", help="Of the cash.")] = "USD",
    break_key: BreakOption = "",
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Put into a book what the account shows: a quantity at a price, cash, or both."""
    from ibfloor.model.booking import Adjust
    from ibfloor.model.entry import NO_INSTRUMENT

    change = Adjust(
        strategy=StrategyId(strategy),
        instrument_id=instrument_id(symbol, config, home) if symbol else NO_INSTRUMENT,
        qty=number(qty, "--qty") if qty else Decimal(0),
        px=optional(price, "--price"),
        cash=money(amount, currency) if amount else None,
    )
    book(change, config, home, reason=reason, break_key=break_key, preview=preview, yes=yes)


@app.command(epilog=examples("ibfloor book deposit 10000 USD --to pairs=6000 --to trend=4000 -r 'new money'"))
def deposit(
    amount: AmountArgument,
    currency: CurrencyArgument,
    reason: ReasonOption,
    to: SharesOption = None,
    break_key: BreakOption = "",
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Book cash that came into the account, to UNASSIGNED or shared among books."""
    from ibfloor.model.booking import BookCash
    from ibfloor.model.entry import EntryKind

    came = BookCash(kind=EntryKind.DEPOSIT, amount=money(amount, currency), shares=shares(to))
    book(came, config, home, reason=reason, break_key=break_key, preview=preview, yes=yes)


@app.command(epilog=examples("ibfloor book withdraw 2500 EUR -r 'fees of the fund'"))
def withdraw(
    amount: AmountArgument,
    currency: CurrencyArgument,
    reason: ReasonOption,
    to: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="BOOK=AMOUNT", help="A book's part, above zero; once for each book."),
    ] = None,
    break_key: BreakOption = "",
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Book cash that left the account, from UNASSIGNED or shared among books."""
    from ibfloor.model.booking import BookCash, Share
    from ibfloor.model.entry import EntryKind

    signed = [each for each in shares(to, "--from") if each.amount <= 0]
    if signed:
        text = f"--from {signed[0].strategy}={signed[0].amount:f}"
        raise ConfigError(f"{text}: write what leaves as an amount above zero, without a sign")
    parts = tuple(Share(strategy=each.strategy, amount=-each.amount) for each in shares(to, "--from"))
    left = BookCash(kind=EntryKind.WITHDRAWAL, amount=-money(amount, currency), shares=parts)
    book(left, config, home, reason=reason, break_key=break_key, preview=preview, yes=yes)


@app.command(epilog=examples("ibfloor book undo 7f3a9c12e0 -r 'the wrong strategy'"))
def undo(
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="The entry's id, as in entries.")],
    reason: ReasonOption,
    preview: PreviewOption = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Take an entry out of the books by one that reverses it; both stay in the journal."""
    from ibfloor.model.booking import UndoEntry

    book(UndoEntry(entry_id=entry), config, home, reason=reason, break_key="", preview=preview, yes=yes)


@app.command(epilog=examples("ibfloor book entries", "ibfloor book entries --json"))
def entries(config: ConfigOption = CONFIG_DEFAULT, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List what was booked without a trade, oldest first."""
    from ibfloor.control.once import fetch_snapshot

    rows = [
        row for row in fetch_snapshot(home_of(config, home)).rows.get("entries", {}).values() if isinstance(row, dict)
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(sorted(rows, key=lambda row: int(str(row.get("ts_ns") or 0))), _ENTRIES, empty="no entries")
