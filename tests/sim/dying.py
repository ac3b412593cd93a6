"""A run whose process dies, for the test of who notices; it imports little, to be quick in a new process."""

from __future__ import annotations

import os
from pathlib import Path


def dies(job: tuple[str, str, int]) -> list[int]:
    """Return the seed; under seed 2 the process dies the first time, under seed 4 every time."""
    _, marker, seed = job
    if seed == 4 or (seed == 2 and not Path(marker).exists()):
        Path(marker).touch()
        os._exit(1)
    return [seed]
