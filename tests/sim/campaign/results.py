"""What a tier of the campaign is asked, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to run. ``fault`` and ``seed`` pick single runs, as a replay does."""

    is_slice: bool = False
    fault: str = ""
    seed: int | None = None
    first_seed: int = 1
    processes: int = 2
    say: Callable[[str], None] = print


class TierResult(msgspec.Struct, kw_only=True):
    """What a tier came to."""

    tier: str
    line: str
    runs: int = 0
    violations: int = 0
    failures: list[str] = []
    """Each violated run with its replay command."""
    orders: int = 0
    fills: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    recoveries_s: list[float] = []
    idle: list[str] = []
    """Troubles that never happened in any of their runs: they prove nothing."""
    figures: dict[str, float] = {}
