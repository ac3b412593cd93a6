"""``ibfloor kill`` and ``ibfloor unkill``: the kill switch, from outside."""

from __future__ import annotations

from typing import Annotated

import typer

from ibfloor.cli.calls import actor, carry_out, new_command_id
from ibfloor.cli.exit_codes import ExitCode
from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, examples, home_of
from ibfloor.model.command import Kill, Unkill
from ibfloor.model.errors import ConnectivityError, LedgerError

ReasonArgument = Annotated[str, typer.Argument(metavar="REASON", help="Why; it stands in the audit trail.")]


CONFIRM_TIMEOUT_S = 12.0
FLATTEN_TIMEOUT_S = 40.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=examples("ibfloor kill", 'ibfloor kill "runaway orders" --flatten'))(kill)
    app.command(epilog=examples('ibfloor unkill "checked with the broker, books agree"'))(unkill)


def kill(
    reason: ReasonArgument = "from the command line",
    flatten: Annotated[bool, typer.Option("--flatten", help="Close all positions once orders are canceled.")] = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Stop all trading now: block new orders, cancel all working ones, and stay shut until unkill.

    The switch is latched on disk first: a floor that runs sees it even when its socket is dead, one
    that starts later stays shut. The exit code is 3 when no floor confirmed the cancels.
    """
    from ibfloor.ledger.latch import KillLatch
    from ibfloor.ledger.paths import LedgerPaths

    place = home_of(config, home)
    path = LedgerPaths(place).latch
    try:
        state = KillLatch(path).latch(actor(), reason)
        on_disk = f"latched on disk ({path}) by {state.actor}: {state.reason}"
    except LedgerError as error:  # a full disk must not keep the command from the floor
        on_disk = f"NOT latched on disk: {error}"
    command = Kill(command_id=new_command_id(), actor=actor(), reason=reason, flatten=flatten)
    try:
        carry_out(place, command, timeout_s=FLATTEN_TIMEOUT_S if flatten else CONFIRM_TIMEOUT_S)
    except ConnectivityError as error:
        typer.echo(on_disk)
        typer.echo(f"NOT confirmed: {error}. Check the working orders at the broker.", err=True)
        raise typer.Exit(ExitCode.NO_PEER) from None


def unkill(reason: ReasonArgument, config: ConfigOption = CONFIG_DEFAULT, home: HomeOption = None) -> None:
    """Open the kill switch again; denied while books and account differ."""
    carry_out(home_of(config, home), Unkill(command_id=new_command_id(), actor=actor(), reason=reason))
