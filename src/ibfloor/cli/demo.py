"""``ibfloor demo``: the whole path on one machine, without an account."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ibfloor.cli.gateway import DataOption, MarketOption, SeedOption, SpeedOption
from ibfloor.cli.options import command_name, examples
from ibfloor.cli.run import ForOption, SummaryOption, print_summary, tell_the_stop

if TYPE_CHECKING:
    from ibfloor.demo import DemoReady

WHAT_TO_LOOK_AT = (
    "strategies  five of them, each with its own thread, IB client and book, trade one simulated paper account",
    "faulty-iwm  raises an exception on purpose after a while: it is restarted, and the others do not notice",
    "chart       candles of the simulated market with every fill on it; pick a strategy and all panels follow",
    "account     the books of all strategies add up to the account, checked at every reconciliation",
    "STOP ALL    hold the red button: everything is canceled and stays stopped until you say otherwise",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "ibfloor demo",
            "ibfloor demo --for 40 --no-browser --json",
            "ibfloor demo --home my-demo --speed 120 --seed 7",
        )
    )(demo)


def demo(
    home: Annotated[
        Path | None, typer.Option("--home", help="Keep books, logs and market data in this folder.")
    ] = None,
    market: MarketOption = "generated",
    data: DataOption = None,
    speed: SpeedOption = 60.0,
    seed: SeedOption = 1,
    for_s: ForOption = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the pages in a browser.")] = True,
    as_json: SummaryOption = False,
) -> None:
    """Show the floor at work: a simulated IB Gateway, five strategies, the pages.

    Market time starts shortly before the New York open and runs faster than the wall.
    """
    from ibfloor.demo import DemoSettings, run_demo

    settings = DemoSettings(
        home=home, market=market, data=data, speed=speed, seed=seed, for_s=for_s, open_browser=browser
    )
    print_summary(run_demo(settings, on_ready=say_what_to_look_at), as_json=as_json)


def say_what_to_look_at(ready: DemoReady) -> None:
    """Print the one-time link, five lines on what to look at, and how to ask this floor from elsewhere."""
    if ready.earlier is not None:
        typer.echo(f"the books of the demo before this one were set aside: {ready.earlier}", err=True)
    typer.echo(f"the pages, by a link that works once: {ready.floor.login_url or 'not served'}", err=True)
    for line in WHAT_TO_LOOK_AT:
        typer.echo(f"  {line}", err=True)
    typer.echo(f"its home is {ready.home}{'' if ready.is_kept else ', removed at the end'}", err=True)
    typer.echo(f"in another terminal: {command_name()} status --home {shlex.quote(str(ready.home))}", err=True)
    typer.echo("Ctrl-C stops it in good order", err=True)
    tell_the_stop()
