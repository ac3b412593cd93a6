"""``ibfloor run``: the floor itself, until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, examples
from ibfloor.cli.output import print_json_line

if TYPE_CHECKING:
    from ibfloor.app import FloorReady

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
    """Run the floor that a floor.toml describes: paper trading, unless mode = "live" is written there."""
    from ibfloor.config import load_settings

    settings = load_settings(config)  # before the floor is imported: a mistake is told at once
    from ibfloor.app import run_floor

    summary = run_floor(settings, for_s=for_s, open_browser=browser, on_ready=say_ready)
    if as_json:
        print_json_line(summary)


def say_ready(ready: FloorReady) -> None:
    """Tell that the floor is up, and how to get in."""
    if ready.login_url:
        typer.echo(f"the pages, by a link that works once: {ready.login_url}", err=True)
    typer.echo("the floor is running; Ctrl-C stops it in good order", err=True)
