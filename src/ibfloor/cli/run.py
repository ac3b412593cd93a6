"""``ibfloor run``: the floor itself, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, examples
from ibfloor.cli.output import MISSING, cell, print_json_line

if TYPE_CHECKING:
    from types import FrameType

    from ibfloor.app import FloorReady, FloorSummary

ForOption = Annotated[float | None, typer.Option("--for", min=0.0, metavar="SECONDS", help="Stop after so long.")]
BrowserOption = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the pages in a browser.")]
SummaryOption = Annotated[bool, typer.Option("--json", help="End with a line of JSON: what was traded.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("ibfloor run", "ibfloor run --config desk/floor.toml --no-browser"))(run)


def run(
    config: ConfigOption = CONFIG_DEFAULT,
    for_s: ForOption = None,
    browser: BrowserOption = False,
    as_json: SummaryOption = False,
) -> None:
    """Run the floor that a floor.toml describes: paper trading, unless mode = "live" is written there.

    It ends with what was traded and what still works. Exit code 2 when the gateway is absent at the start,
    1 when a strategy did not stop as its stop policy says.
    """
    from ibfloor.config import load_settings

    settings = load_settings(config)  # before the floor is imported: a mistake is told at once
    from ibfloor.app import run_floor
    from ibfloor.ops.home import make_home

    make_home(settings.home, "[floor] home")
    summary = run_floor(settings, for_s=for_s, open_browser=browser, on_ready=say_ready)
    print_summary(summary, as_json=as_json)
    if summary.not_stopped:
        raise typer.Exit(1)


def say_ready(ready: FloorReady) -> None:
    """Tell that the floor is up, and how to get in."""
    if ready.login_url:
        typer.echo(f"the pages, by a link that works once: {ready.login_url}", err=True)
    typer.echo("the floor is running; Ctrl-C stops it in good order", err=True)
    tell_the_stop()


def print_summary(summary: FloorSummary, *, as_json: bool) -> None:
    """Print what a run came to: a line of JSON, or a few lines for people."""
    if as_json:
        print_json_line(summary)
        return
    width = max(map(len, summary.strategies), default=0)
    for name, one in sorted(summary.strategies.items()):
        held = " ".join(f"{symbol}:{qty}" for symbol, qty in one.positions.items()) or MISSING
        restarts = f", {_count(one.restarts, 'restart')}" if one.restarts else ""
        typer.echo(
            f"  {name:{width}}  {one.state:10}  {_count(one.orders, 'order')}, {_count(one.fills, 'fill')}, "
            f"P&L {cell(one.pnl, 'gain')}, holds {held}{restarts}"
        )
    typer.echo(
        f"{_count(summary.orders, 'order')}, {_count(summary.fills, 'fill')}, {summary.rejected} rejected, "
        f"{summary.unknown_orders} unknown, {_count(summary.breaks, 'break')}; {_count(summary.ticks, 'tick')}"
    )
    for order in summary.left_working:
        typer.echo(f"still working at the broker: {order}")
    if summary.not_stopped:
        typer.echo(f"NOT STOPPED AS TOLD: {summary.not_stopped}")
    typer.echo(
        "the books equal the account"
        if summary.books_equal_account
        else "THE BOOKS DIFFER FROM THE ACCOUNT, or could not be compared with it: see the log"
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def tell_the_stop() -> None:
    """Say on Ctrl-C and SIGTERM that the end is under way. Called in the floor's loop when it is up."""
    asyncio.get_running_loop().call_soon(_hear_signals)  # by then the loop listens for them itself


def _hear_signals() -> None:
    # The loop hears of signals by its wakeup descriptor, whatever Python handler stands beside it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _say_stopping)


def _say_stopping(number: int, frame: FrameType | None) -> None:
    os.write(2, b"\nstopping in good order: strategies first, then a last look at the account\n")
