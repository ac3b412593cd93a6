"""Options that several commands share, and how a command's example is shown."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from ibfloor.model.errors import ConfigError

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="IBFLOOR_CONFIG", help="The floor.toml in question.")
]
HomeOption = Annotated[
    Path | None, typer.Option("--home", help="The floor's home folder, instead of the one that floor.toml names.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
CONFIG_DEFAULT = Path("floor.toml")


def examples(*lines: str) -> str:
    """Return a command's epilog that shows example lines as they are typed."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def command_name() -> str:
    """Return how ``ibfloor`` is typed here: by its path where the environment is not activated."""
    beside = Path(sys.executable).with_name("ibfloor")
    if shutil.which("ibfloor") or not beside.is_file():
        return "ibfloor"
    here = Path.cwd()
    return str(beside.relative_to(here) if beside.is_relative_to(here) else beside)


def config_of(config: Path, home: Path | None) -> Path:
    """Return the floor.toml a command reads: the one in the home where there is one, as the demo writes it."""
    return home / "floor.toml" if home is not None and (home / "floor.toml").is_file() else config


def home_of(config: Path, home: Path | None) -> Path:
    """Return the home folder a command talks to; raise ``ConfigError`` when nothing names one.

    A floor.toml that is broken elsewhere still names its home, so that a running floor can be
    stopped whatever was done to its file meanwhile.
    """
    from ibfloor.config import load_home

    if home is None:
        place = load_home(config)
        if place.exists() and not place.is_dir():
            raise ConfigError(f"{config}, [floor] home: {place} is a file, and a folder is needed: name another")
        return place
    if not home.is_dir():
        raise ConfigError(f"--home {home}: there is no such folder")
    return home.absolute()
