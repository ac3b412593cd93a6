"""What the web process is told when it starts."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import msgspec

from ibfloor.model.errors import ConfigError
from ibfloor.model.lots import LotMethod


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the web process, sent by the floor as one JSON line on its standard input."""

    home: str
    host: str = "127.0.0.1"
    port: int = 0
    login_token: str = ""
    """A one-time login token the floor has printed; empty for none."""
    login_token_ttl_s: float = 900.0
    password_file: str = ""
    """File of an argon2 hash; a file that does not exist means that no password is set."""
    tls_certificate: str = ""
    tls_key: str = ""
    floor: str = ""
    """The floor's name, for statements."""
    lots: LotMethod = LotMethod.FIFO
    parent_pipe: bool = False
    """Whether the end of standard input means that the floor is gone."""

    @property
    def home_path(self) -> Path:
        """The floor's home folder."""
        return Path(self.home)

    @property
    def is_tls(self) -> bool:
        """Whether the pages are served over TLS."""
        return bool(self.tls_certificate and self.tls_key)

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "https" if self.is_tls else "http"

    def check(self) -> None:
        """Raise ``ConfigError`` for an address that strangers can reach without TLS."""
        if not self.is_tls and not _is_loopback(self.host):
            raise ConfigError(
                f"[web] host = {self.host!r} can be reached from other machines and there is no TLS: "
                "use 127.0.0.1 (and an SSH tunnel), or give a certificate and a key"
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
