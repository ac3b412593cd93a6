"""What the exit codes mean; docs/cli.md lists them."""

from __future__ import annotations

from enum import IntEnum

from ibfloor.model.errors import ConfigError, ConnectivityError, FloorError


class ExitCode(IntEnum):
    """The command line's exit codes."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NO_PEER = 3
    INTERRUPTED = 130


def exit_code_of(error: FloorError) -> ExitCode:
    """Return the exit code that an error ends with."""
    match error:  # `run` raises ConfigError for a gateway that is absent at its start
        case ConfigError():
            return ExitCode.USAGE
        case ConnectivityError():
            return ExitCode.NO_PEER
        case _:
            return ExitCode.FAILED
