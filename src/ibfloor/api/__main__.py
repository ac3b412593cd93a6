"""``python -m ibfloor.api``: the web process. Its settings are the first line of standard input, as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys

import msgspec

from ibfloor.api.parent import ToParent
from ibfloor.api.server import run_web
from ibfloor.api.settings import WebSettings
from ibfloor.model.errors import ConfigError


def main() -> int:
    """Read the settings and serve; 2 for bad settings."""
    try:
        # Not from arguments or the environment: other users could read a login token there.
        settings = msgspec.json.decode(_first_line(), type=WebSettings)
        with contextlib.redirect_stdout(ToParent(sys.stdout.fileno())):
            asyncio.run(run_web(settings))
    except msgspec.DecodeError as error:
        sys.stderr.write(f"the first line of standard input is no JSON settings: {error}\n")
        return 2
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _first_line() -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(sys.stdin.fileno(), 1)  # unbuffered: what follows is watched later
        if not byte:
            break
        line += byte
    return bytes(line)


if __name__ == "__main__":
    sys.exit(main())
