"""How a secret is asked for: at a terminal, unseen, or from standard input's lines; never as an argument."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from ibfloor.model.errors import ConfigError

StdinOption = Annotated[bool, typer.Option("--stdin", help="Read the passphrase from standard input's first line.")]


def asked(what: str, from_stdin: bool) -> str:
    """Return what a person types; raise ``ConfigError`` where there is nobody to ask."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise ConfigError("there is no terminal to ask at: use --stdin")
    return getpass.getpass(what)


def officers(home: Path, from_stdin: bool) -> str:
    """Return the risk officer's passphrase as somebody types it; empty where none is named."""
    from ibfloor.manager.risk_officer import officer_path

    return asked("Risk officer's passphrase: ", from_stdin) if officer_path(home).exists() else ""
