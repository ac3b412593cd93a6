"""The home folder: made and tried before anything is started in it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ibfloor.model.errors import ConfigError


def make_home(home: Path, named_by: str) -> None:
    """Make the folder, for its owner only, and write to it once.

    ``named_by`` is what the user wrote it in. Raises ``ConfigError`` when it cannot be made or written.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(b"x")
    except FileExistsError:
        raise ConfigError(f"{named_by}: {home} is a file, and a folder is needed: name another") from None
    except OSError as error:
        raise ConfigError(
            f"{named_by}: {home} cannot be made or written ({error.strerror}): name a folder of your own"
        ) from None
