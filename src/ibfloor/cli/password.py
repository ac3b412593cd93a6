"""``ibfloor password``: the password of the pages."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, config_of, examples
from ibfloor.model.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("ibfloor password", "ibfloor password --home floor-home"))(password)


def password(
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
    from_stdin: Annotated[bool, typer.Option("--stdin", help="Read it from standard input's first line.")] = False,
) -> None:
    """Set the password of the pages; only its argon2 hash is kept, in a file of mode 0600."""
    from ibfloor.api.passwords import save_password
    from ibfloor.config import load_settings
    from ibfloor.ops.home import make_home

    file = load_settings(config_of(config, home), home=home).web.password_file
    make_home(file.parent, "the password's folder")
    save_password(file, sys.stdin.readline().rstrip("\n") if from_stdin else _asked_twice())
    typer.echo(f"the password is set ({file}); it holds from the next login on")


def _asked_twice() -> str:
    if not sys.stdin.isatty():
        raise ConfigError("there is no terminal to ask at: use --stdin")
    first = getpass.getpass("New password: ")
    if getpass.getpass("Once more: ") != first:
        raise ConfigError("the two differ: nothing was changed")
    return first
