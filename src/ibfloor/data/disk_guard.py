"""Stops recording while there is still room: on a full disk ArcticDB crashes the process."""

from __future__ import annotations

import shutil
from pathlib import Path


def disk_problem(path: Path, *, min_free_gb: float, min_free_pct: float) -> str | None:
    """Return why nothing may be written to a folder's disk; ``None`` while there is room."""
    usage = shutil.disk_usage(path)
    needed_gb = max(min_free_gb, usage.total * min_free_pct / 100 / 1e9)
    if usage.free >= needed_gb * 1e9:
        return None
    return (
        f"recording stopped: the disk of {path} has {usage.free / 1e9:.1f} GB free, and {needed_gb:.1f} GB must stay "
        f"free (min_free_gb = {min_free_gb:g}, min_free_pct = {min_free_pct:g}); make room or lower the limit"
    )
