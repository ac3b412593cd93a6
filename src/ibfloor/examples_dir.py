"""Where the example strategies are: in the source tree, or in the installed package."""

from __future__ import annotations

from pathlib import Path

from ibfloor.model.errors import ConfigError

DEMO_STRATEGIES = "demo_strategies.toml"


def examples_dir() -> Path:
    """Return the folder of the example strategies; raise ``ConfigError`` when the install lacks it."""
    package = Path(__file__).resolve().parent
    for folder in (package / "examples", package.parents[1] / "examples"):
        if (folder / DEMO_STRATEGIES).is_file():
            return folder
    raise ConfigError(f"the example strategies are missing from {package}: install ibfloor again")
