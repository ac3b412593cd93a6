"""Closes bars by the clock, whatever its speed; notices a moved clock and a lost connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ibfloor.data.freshness import last_event_ns
from ibfloor.data.listing import BarStream, Listing
from ibfloor.data.quiet import QuietWatch
from ibfloor.data.router import Router
from ibfloor.model.moment import NS_PER_S, Clock

_LOOK_AT_LEAST_EVERY_S = 0.5  # the clock may be moved while we sleep
_JUMP_NS = 30 * NS_PER_S


class Timekeeper:
    """Owner: the data thread.

    A bar without a later tick closes ``grace_s`` wall seconds after its end, so that ticks still
    under way are in it.
    """

    def __init__(
        self,
        router: Router,
        clock: Clock,
        grace_s: float,
        seam_due: Callable[[Listing, BarStream], None],
        is_live: Callable[[], bool],
        silent_since: Callable[[Listing], int | None] = lambda listing: None,
        quiet: QuietWatch | None = None,
    ) -> None:
        self._router = router
        self._clock = clock
        self._grace_s = grace_s
        self._seam_due = seam_due
        self._is_live = is_live
        self._silent_since = silent_since
        self._quiet = quiet
        self._lost_ns: int | None = None
        self._seen_ns = clock.now_ns()
        self._seen_s = 0.0

    async def run(self) -> None:
        """Keep time until cancelled."""
        self._seen_ns, self._seen_s = self._clock.now_ns(), asyncio.get_running_loop().time()
        while True:
            delay_s = self.look(asyncio.get_running_loop().time())
            await asyncio.sleep(delay_s)

    def look(self, wall_s: float) -> float:
        """Close what is over at monotonic wall time ``wall_s``; return the wall seconds until the next look."""
        now_ns, speed = self._clock.now_ns(), self._clock.speed
        slack_ns = _JUMP_NS + int(speed * NS_PER_S)
        expected_ns = self._seen_ns + int((wall_s - self._seen_s) * speed * NS_PER_S)
        has_jumped = abs(now_ns - expected_ns) > slack_ns
        self._seen_ns, self._seen_s = now_ns, wall_s
        lost_ns = self._lost_since(now_ns)
        over_ns = now_ns - int(self._grace_s * speed * NS_PER_S)
        next_ns = now_ns + int(_LOOK_AT_LEAST_EVERY_S * speed * NS_PER_S)
        self._watch_silence(now_ns, has_jumped=has_jumped)
        for listing in self._router.listings.values():
            if not listing.is_subscribed:
                continue
            hole_ns = self._silent_since(listing) if lost_ns is None else lost_ns
            for stream in listing.streams.values():
                if has_jumped:
                    stream.restart(now_ns, forget=True)
                    continue
                if hole_ns is not None:
                    stream.widen_seam(hole_ns, now_ns)
                self._close(listing, stream, over_ns, now_ns + slack_ns)
                next_ns = min(next_ns, stream.builder.next_close_ns(now_ns))
        return min(_LOOK_AT_LEAST_EVERY_S, self._clock.wall_delay_s(next_ns) + self._grace_s)

    def _watch_silence(self, now_ns: int, *, has_jumped: bool) -> None:
        if self._quiet is None:
            return
        if has_jumped:
            self._quiet.restart()
        self._quiet.look(self._router.listings.values(), now_ns)

    def _lost_since(self, now_ns: int) -> int | None:
        # Still lost at the first look at a live connection: the interval it came back in has a hole, too.
        lost_ns = self._lost_ns
        if self._is_live():
            self._lost_ns = None
        elif lost_ns is None:
            # The newest event tells best since when nothing comes: a dead connection is noticed late.
            listings = self._router.listings.values()
            newest_ns = max((last_event_ns(each.quote, each.trade) or 0 for each in listings), default=0)
            lost_ns = self._lost_ns = min(now_ns, newest_ns) or now_ns
        return lost_ns

    def _close(self, listing: Listing, stream: BarStream, over_ns: int, future_ns: int) -> None:
        stream.builder.forget_after(future_ns)
        bar = stream.builder.close_until(over_ns)
        if bar is not None:
            self._router.bar_closed(stream, bar)
        if stream.is_seam_due(over_ns):
            self._seam_due(listing, stream)
