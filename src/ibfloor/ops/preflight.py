"""What can be checked before anything starts: a mistake in floor.toml must leave nothing half-started."""

from __future__ import annotations

import errno
import socket

from ibfloor.config import FloorSettings
from ibfloor.model.errors import ConfigError
from ibfloor.strategy.registry import make_strategy


def preflight(settings: FloorSettings) -> None:
    """Load every strategy once and try the pages' port. Raises ``ConfigError`` that names the first mistake."""
    for section in settings.strategies:
        make_strategy(section.name, file=section.file, class_name=section.class_name, params=section.params)
    if settings.web.enabled and settings.web.port:
        _try_port(settings.web.host, settings.web.port)


def _try_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            why = "is in use by another program" if error.errno == errno.EADDRINUSE else f"cannot be used ({error})"
            raise ConfigError(
                f"[web] port: {host}:{port} {why}; write another port in floor.toml, or 0 for any free one"
            ) from None
