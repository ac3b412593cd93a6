"""What the web process says to the floor that started it, by standard output, while that listens."""

from __future__ import annotations

import io
import os


class ToParent(io.TextIOBase):
    """Standard output that may lose its reader: a floor that was killed must not make its web process fail in words."""

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd

    def writable(self) -> bool:
        """Tell that it may be written to."""
        return True

    def write(self, text: str, /) -> int:
        """Write at once and whole; once nobody reads any more, nowhere."""
        left = text.encode()
        while left and self._fd is not None:
            try:
                left = left[os.write(self._fd, left) :]
            except BrokenPipeError:
                self._fd = None
        return len(text)
