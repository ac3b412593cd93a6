"""``ibfloor demo``: the whole path on one machine, without an account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ibfloor.cli.gateway import DataOption, MarketOption, SeedOption, SpeedOption
from ibfloor.cli.options import examples
from ibfloor.cli.output import print_json_line
from ibfloor.cli.run import ForOption, SummaryOption

if TYPE_CHECKING:
    from ibfloor.app import FloorReady

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
            "ibfloor demo --market replay --data ../shared/market --speed 120",
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
    summary = run_demo(settings, on_ready=say_what_to_look_at)
    if as_json:
        print_json_line(summary)


def say_what_to_look_at(ready: FloorReady) -> None:
    """Print the one-time link, and five lines on what to look at."""
    typer.echo(f"the pages, by a link that works once: {ready.login_url or 'not served'}", err=True)
    for line in WHAT_TO_LOOK_AT:
        typer.echo(f"  {line}", err=True)
