"""Commands given to a running floor, in the name of the person who typed them."""

from __future__ import annotations

import getpass
import uuid
from pathlib import Path

import typer

from ibfloor.cli.exit_codes import ExitCode
from ibfloor.model.command import AnyCommand, Denied


def actor() -> str:
    """Return who gives the command, for the audit trail."""
    return f"{getpass.getuser()} (cli)"


def new_command_id() -> str:
    """Return an id that no other command has."""
    return str(uuid.uuid4())


def carry_out(home: Path, command: AnyCommand, *, timeout_s: float = 30.0) -> None:
    """Give a command, print its outcome, and exit with 1 when it was denied."""
    from ibfloor.control.once import send_command

    result = send_command(home, command, timeout_s=timeout_s)
    if isinstance(result, Denied):
        typer.echo(f"denied: {result.text}", err=True)
        raise typer.Exit(ExitCode.FAILED)
    typer.echo(result.text)
