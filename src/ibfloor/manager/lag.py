"""Loop lag: how late a loop wakes up, the sign of a strategy that hogs its thread or the interpreter."""

from __future__ import annotations

import asyncio
from collections import deque

PERIOD_S = 0.1
_KEPT = 600  # a minute


class LagMeter:
    """Wall-clock lateness of one loop. Owner: that loop; ``last_ms`` and ``samples`` from any thread."""

    def __init__(self) -> None:
        self.last_ms = 0.0
        self.beat_s: float | None = None
        """When the loop was last seen alive, by its own ``time()``; ``None`` while nobody measures."""
        self._lags_ms: deque[float] = deque(maxlen=_KEPT)

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self.beat_s = loop.time()
                due = self.beat_s + PERIOD_S
                await asyncio.sleep(PERIOD_S)
                self.last_ms = max(0.0, (loop.time() - due) * 1000)
                self._lags_ms.append(self.last_ms)
        finally:
            self.beat_s = None

    def silent_s(self, now_s: float) -> float:
        """Return for how long the loop has not answered; any thread may ask."""
        beat_s = self.beat_s
        return 0.0 if beat_s is None else max(0.0, now_s - beat_s - PERIOD_S)

    def samples(self) -> tuple[float, ...]:
        """Return the recent lags, milliseconds."""
        return tuple(self._lags_ms)


def percentile(samples: list[float], share: float) -> float:
    """Return the value below which a share of the samples lies; 0.0 for none."""
    if not samples:
        return 0.0
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
