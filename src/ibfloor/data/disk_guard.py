"""Stops recording while there is still room: on a full disk ArcticDB crashes the process."""

from __future__ import annotations

import shutil
from pathlib import Path


def disk_problem(path: Path, *, free_bytes_min: int, free_pct_min: float) -> str | None:
    """Return why nothing may be written to a folder's disk; ``None`` while there is room."""
    usage = shutil.disk_usage(path)
    needed = max(free_bytes_min, int(usage.total * free_pct_min / 100))
    if usage.free >= needed:
        return None
    return (
        f"recording stopped: the disk of {path} has {usage.free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB must "
        "stay free; make room, or lower free_bytes_min and free_pct_min"
    )
