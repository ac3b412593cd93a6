"""Ticks of the past: a tape plays any of its minutes again, exactly as they were streamed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np

from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.sim.exchange.values import MarketTick
from ibfloor.sim.market.tape import Tape


def ticks_between(tape: Tape, begin_ns: int, end_ns: int) -> Iterator[MarketTick]:
    """Yield a tape's quotes and prints from a time on and before another, in time order."""
    session = tape.security.session
    day = max(session.day_of(begin_ns), tape.source.first_day)
    last = session.day_of(end_ns)
    while day <= last:
        frames = tape.source.frames(day)
        if frames is not None:
            first = int(np.searchsorted(frames.minute_ns, begin_ns - begin_ns % NS_PER_MINUTE))
            over = int(np.searchsorted(frames.minute_ns, end_ns))
            for row in range(first, over):
                yield from (tick for tick in tape.minute(frames, row) if begin_ns <= tick.ts_ns < end_ns)
        day += timedelta(days=1)
