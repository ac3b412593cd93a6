"""What the commands of ``ibfloor book`` share: names become ids, and nothing is booked without a preview."""

from __future__ import annotations

import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ibfloor.cli.calls import actor, new_command_id
from ibfloor.cli.exit_codes import ExitCode
from ibfloor.cli.options import home_of
from ibfloor.cli.output import Column, print_table
from ibfloor.model.command import AnyCommand, CommandResult, ConfirmBooking, Denied, PreviewBooking, Previewed
from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.money import Currency, Money

if TYPE_CHECKING:
    from ibfloor.model.booking import AnyBooking, BookingPreview, Share

ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why; it stands in the journal for good.")]
BreakOption = Annotated[str, typer.Option("--break", metavar="KEY", help="The break it resolves, as in breaks.")]
PreviewOption = Annotated[bool, typer.Option("--preview", help="Only show what it would do.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Book it without asking.")]
SymbolArgument = Annotated[str, typer.Argument(metavar="SYMBOL", help="The instrument: its name, or IB's contract id.")]
PriceOption = Annotated[str, typer.Option("--price", metavar="PX", help="The price; left out, what it cost.")]
AtOption = Annotated[
    str, typer.Option("--at", metavar="'YYYY-MM-DD HH:MM'", help="From when on it counts, New York; left out, now.")
]
SharesOption = Annotated[
    list[str] | None,
    typer.Option("--to", metavar="BOOK=AMOUNT", help="A book's part, signed as the whole; once for each book."),
]
_LINES = (
    Column("strategy", "Book"),
    Column("what", "What"),
    Column("before", "Before", "number"),
    Column("after", "After", "number"),
)


def book(
    booking: AnyBooking,
    config: Path,
    home: Path | None,
    *,
    reason: str,
    break_key: str,
    preview: bool,
    yes: bool,
    at: str = "",
) -> None:
    """Preview a booking, show it, and confirm it when the person agrees."""
    place = home_of(config, home)
    asked = PreviewBooking(
        command_id=new_command_id(),
        actor=actor(),
        booking=booking,
        reason=reason,
        break_key=break_key,
        ts_ns=_time_of(at),
    )
    result = _given(place, asked)
    assert isinstance(result, Previewed), "a preview is answered by what it would do"
    _show(result.preview)
    if preview:
        return
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError("nothing is booked without a yes: give --yes, or --preview to look only")
        if not typer.confirm("Book it?"):
            typer.echo("nothing was booked")
            raise typer.Exit(ExitCode.FAILED)
    confirm = ConfirmBooking(command_id=new_command_id(), actor=actor(), preview_id=result.preview.preview_id)
    typer.echo(_given(place, confirm).text)


def instrument_id(text: str, config: Path, home: Path | None) -> InstrumentId:
    """Return the id of an instrument by its name on the floor; a number is taken as the id itself."""
    if text.isdigit():
        return InstrumentId(int(text))
    from ibfloor.control.once import fetch_snapshot
    from ibfloor.model.booking import instrument_in

    rows = fetch_snapshot(home_of(config, home)).rows
    found: dict[str, int] = {}
    for topic in ("positions", "instruments"):
        found |= _named(rows.get(topic, {}).values(), text)
    for key, row in rows.get("breaks", {}).items():
        broken = instrument_in(key)
        if isinstance(row, dict) and str(row.get("symbol")).upper() == text.upper() and broken is not None:
            found[key] = broken
    if len(set(found.values())) == 1:
        return InstrumentId(next(iter(found.values())))
    if not found:
        raise ConfigError(f"the floor knows no {text}: give IB's contract id")
    raise ConfigError(f"{text} is {', '.join(map(str, sorted(set(found.values()))))}: give the contract id of one")


def number(text: str, what: str) -> Decimal:
    """Return an exact number; raise ``ConfigError`` for a text that is none."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if "," in text:
        raise ConfigError(f"{what} {text}: a comma may be a decimal point or not: write it as 1000.50")
    if not value.is_finite():
        raise ConfigError(f"{what} {text}: a number is needed")
    return value


def optional(text: str, what: str) -> Decimal | None:
    """Return an exact number, or ``None`` for an option that was left out."""
    return number(text, what) if text else None


def money(amount: str, currency: str) -> Money:
    """Return an amount in a currency."""
    return Money(number(amount, "AMOUNT"), Currency(currency.upper()))


def shares(texts: list[str] | None, option: str = "--to") -> tuple[Share, ...]:
    """Return ``BOOK=AMOUNT`` texts as shares."""
    from ibfloor.model.booking import Share

    parts = [text.partition("=") for text in texts or ()]
    for name, equals, amount in parts:
        if not equals or not name:
            text = f"{option} {name}{equals}{amount}"
            raise ConfigError(f"{text}: write it as BOOK=AMOUNT, for example {option} pairs=5000")
    return tuple(Share(strategy=StrategyId(name), amount=number(amount, option)) for name, _, amount in parts)


def _time_of(at: str) -> int:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from ibfloor.model.moment import from_datetime

    if not at:
        return 0
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise ConfigError(f"--at {at}: write it as '2026-10-07 09:30'") from None
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo("America/New_York")))


def _named(rows: Any, text: str) -> dict[str, int]:
    return {
        str(row["instrument_id"]): int(row["instrument_id"])
        for row in rows
        if isinstance(row, dict) and str(row.get("symbol")).upper() == text.upper()
    }


def _given(place: Path, command: AnyCommand) -> CommandResult:
    from ibfloor.control.once import send_command

    result = send_command(place, command)
    if isinstance(result, Denied):
        typer.echo(f"denied: {result.text}", err=True)
        raise typer.Exit(ExitCode.FAILED)
    return result


def _show(shown: BookingPreview) -> None:
    import msgspec

    from ibfloor.model.booking import left_text

    typer.echo(f"{shown.entry.kind.lower()}, entry {shown.preview_id}: {shown.entry.reason}")
    print_table([msgspec.to_builtins(line) for line in shown.lines], _LINES, empty="no book changes")
    for each in shown.breaks:
        typer.echo(left_text(each))
