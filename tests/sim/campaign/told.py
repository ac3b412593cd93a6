"""What strategies were told, noted where no floor can take it back."""

from __future__ import annotations

from typing import NamedTuple

from tests.sim.campaign.virtual_loop import LIFE


class Told(NamedTuple):
    """One call of ``on_fill``."""

    strategy: str
    life: int
    """Which life of the floor made it."""
    exec_id: str


TOLD: list[Told] = []
"""All of this run's; a world that begins clears it."""


def note(strategy: str, exec_id: str) -> None:
    """Take note of a fill that a strategy was told."""
    TOLD.append(Told(strategy, LIFE.get(), exec_id))
