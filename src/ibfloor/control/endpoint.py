"""Where a floor's control socket listens, and the token that opens it: one 0600 file in its home."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

from ibfloor.model.errors import ConnectivityError

FILE_NAME = "control.json"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What another process needs to reach the floor."""

    host: str
    port: int
    token: str
    pid: int


def endpoint_path(home: Path) -> Path:
    """Return the endpoint file of a floor's home."""
    return home / FILE_NAME


def new_token() -> str:
    """Return a fresh 256-bit token."""
    return secrets.token_urlsafe(32)


def write_endpoint(path: Path, endpoint: Endpoint) -> None:
    """Write the file atomically, readable by its owner alone."""
    write_private(path, msgspec.json.encode(endpoint))


def read_endpoint(path: Path) -> Endpoint:
    """Read the file; raise ``ConnectivityError`` saying that no floor runs here."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Endpoint)
    except FileNotFoundError:
        raise ConnectivityError(no_floor(path, "there is no control file")) from None
    except NotADirectoryError:
        raise ConnectivityError(no_floor(path, f"{path.parent} is a file, not a home folder")) from None
    except PermissionError:
        raise ConnectivityError(f"{path} belongs to another user: run this as the floor's user") from None
    except msgspec.DecodeError as error:
        raise ConnectivityError(no_floor(path, f"the control file is damaged ({error})")) from error


def remove_endpoint(path: Path, endpoint: Endpoint) -> None:
    """Remove the file unless another floor has replaced it."""
    try:
        if msgspec.json.decode(path.read_bytes(), type=Endpoint) == endpoint:
            path.unlink()
    except (FileNotFoundError, msgspec.DecodeError):
        return


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 so that no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
    draft.replace(path)


def is_alive(pid: int) -> bool:
    """Return whether a process of this number runs, whoever it belongs to."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def no_floor(path: Path, reason: str) -> str:
    """Return the text for a home where no floor answers."""
    return f"no floor is running here: {reason} ({path}); start it with `ibfloor run`, or name its home with --home"
