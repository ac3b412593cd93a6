"""The command ``ibfloor``: its groups, and how a failure ends."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from ibfloor import __version__
from ibfloor.cli import (
    book,
    breaks,
    crossings,
    demo,
    doctor,
    equity,
    gateway,
    init,
    kill,
    ledger,
    limits,
    login,
    password,
    performance,
    run,
    statement,
    status,
    strategy,
    tables,
    watchdog,
)
from ibfloor.cli.exit_codes import ExitCode, exit_code_of
from ibfloor.cli.options import examples
from ibfloor.model.errors import FloorError


def _say_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"ibfloor {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="ibfloor",
    help="Many strategies on one Interactive Brokers account, with books that add up.",
    epilog=f"{examples('ibfloor demo', 'ibfloor init', 'ibfloor doctor', 'ibfloor run', 'ibfloor status')}\n\n"
    "Exit codes: 0 done; 1 failed, denied, or a check found problems; 2 wrong usage or configuration, also "
    "a gateway that is absent when a floor starts; 3 no running floor answers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for group in (
    init,
    run,
    demo,
    gateway,
    status,
    breaks,
    crossings,
    tables,
    statement,
    performance,
    equity,
    kill,
    doctor,
    login,
    password,
    watchdog,
):
    group.register(app)
app.add_typer(strategy.app)
app.add_typer(book.app)
app.add_typer(limits.app)
app.add_typer(ledger.app)


@app.callback()
def ibfloor(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Print the version and end.")
    ] = False,
) -> None:
    """Many strategies on one Interactive Brokers account, with books that add up."""


def main() -> None:
    """Run the command line; a mistake of the user ends in one clear message, never in a traceback."""
    try:
        app()
    except FloorError as error:
        _fail(error)
    except ExceptionGroup as group:  # a task group wraps what its tasks raise
        known, others = group.split(FloorError)
        if known is None or others is not None:
            raise
        _fail(_first(known))
    except BrokenPipeError:  # the reader of a pipe has gone (`ibfloor fills | head`)
        sys.stderr.close()
        sys.exit(ExitCode.OK)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)


def _fail(error: FloorError) -> NoReturn:
    print(f"ibfloor: {error}", file=sys.stderr)
    sys.exit(exit_code_of(error))


def _first(group: ExceptionGroup[FloorError]) -> FloorError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error
