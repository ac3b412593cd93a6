"""Which lot of a position a trade closes."""

from __future__ import annotations

from enum import StrEnum


class LotMethod(StrEnum):
    """An account's rule; it decides what is realised when, never how much in the end."""

    FIFO = "fifo"
    """The oldest first."""
    LIFO = "lifo"
    """The newest first."""
    AVERAGE = "average"
    """All lots are one, at their average cost."""
