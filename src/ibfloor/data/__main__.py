"""``python -m ibfloor.data``: the recorder process. Its settings are the first line of standard input, as JSON.

Writes one line of JSON to standard output when it is ready.
"""

from __future__ import annotations

import os
import sys

import msgspec

from ibfloor.data.recorder import RecorderSettings, run_recorder

EXIT_BAD_SETTINGS = 2


def main() -> int:
    """Read the settings and record; return the exit code."""
    try:
        settings = msgspec.json.decode(_first_line(), type=RecorderSettings)
    except msgspec.DecodeError as error:
        sys.stderr.write(f"recorder: the first line of standard input is no JSON settings: {error}\n")
        return EXIT_BAD_SETTINGS
    return run_recorder(settings, _say_ready)


def _say_ready() -> None:
    sys.stdout.write(f'{{"pid": {os.getpid()}}}\n')
    sys.stdout.flush()


def _first_line() -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(sys.stdin.fileno(), 1)  # unbuffered: the end of what follows is watched later
        if not byte:
            break
        line += byte
    return bytes(line)


if __name__ == "__main__":
    sys.exit(main())
