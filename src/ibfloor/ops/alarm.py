"""Alarms that a person must hear of at once: a critical line of the log, and a program of their choice."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import structlog

log = structlog.get_logger("alarm")


class Alarm:
    """Raises alarms; the program gets the text as its last argument and is not waited for."""

    def __init__(self, command: Sequence[str] = ()) -> None:
        self._command = tuple(command)
        self._children: list[subprocess.Popen[bytes]] = []

    def __call__(self, text: str) -> None:
        """Raise one; from any thread. A program that cannot be started is told in the log."""
        log.critical(text)
        self._children = [child for child in self._children if child.poll() is None]
        if not self._command:
            return
        try:
            child = subprocess.Popen(  # noqa: S603 - the program that floor.toml names
                [*self._command, text],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            log.critical("the program of [alarm] command cannot be started", reason=str(error))
        else:
            self._children.append(child)
