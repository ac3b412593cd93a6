"""The pages' feed: a snapshot, then numbered changes, encoded once for all pages of a pace."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from ibfloor.control.protocol import ViewChanges, ViewSnapshot
from ibfloor.control.replica import Rows

BEAT_S = 0.2
SLOW_BEATS = 5
FRAMES_MAX = 32

_encode = msgspec.json.Encoder().encode


class Page:
    """One open page: its pace and what waits to be sent to it."""

    def __init__(self, session_key: str) -> None:
        self.session_key = session_key
        self.is_closed = False
        self._wants_snapshot = True
        self._frames: deque[str] = deque()
        self._ready = asyncio.Event()
        self._ready.set()

    def offer(self, frame: str) -> None:
        """Queue a frame; on overflow a fresh snapshot takes the place of all that wait."""
        if self._wants_snapshot:
            return
        if len(self._frames) >= FRAMES_MAX:
            self.restart()
            return
        self._frames.append(frame)
        self._ready.set()

    def restart(self) -> None:
        """Have the next frame be a snapshot."""
        self._frames.clear()
        self._wants_snapshot = True
        self._ready.set()

    def close(self) -> None:
        """End the page's feed."""
        self.is_closed = True
        self._ready.set()

    async def next_frame(self, snapshot: Callable[[], str]) -> str | None:
        """Wait for the next frame; ``None`` when the feed ended. ``snapshot`` is made when it is sent."""
        while not (self.is_closed or self._wants_snapshot or self._frames):
            self._ready.clear()
            await self._ready.wait()
        if self.is_closed:
            return None
        if self._wants_snapshot:
            self._wants_snapshot = False
            return snapshot()
        return self._frames.popleft()


class Lane:
    """Pages of one pace, with one numbering and one set of waiting changes."""

    def __init__(self) -> None:
        self.pages: set[Page] = set()
        self._seq = 0
        self._changed: Rows = {}

    def add(self, changes: ViewChanges) -> None:
        """Merge the floor's changes into what the next beat sends."""
        for topic, rows in changes.rows.items():
            waiting = self._changed.setdefault(topic, {})
            for key, change in rows.items():
                before = waiting.get(key)
                both = isinstance(before, dict) and isinstance(change, dict)
                waiting[key] = {**before, **change} if both else change  # type: ignore[dict-item]

    def beat(self, stale: str) -> None:
        """Send what changed; an empty beat tells the pages that the line is alive."""
        self._seq += 1
        changed, self._changed = self._changed, {}
        if self.pages:
            frame = _encode({"seq": self._seq, "stale": stale, "changed": changed}).decode()
            for page in self.pages:
                page.offer(frame)

    def restart(self) -> None:
        """Have every page start over: the floor itself did."""
        self._changed = {}
        for page in self.pages:
            page.restart()

    def snapshot(self, rows: Rows, stale: str) -> str:
        """Return all rows as a frame under the lane's number."""
        return _encode({"seq": self._seq, "stale": stale, "rows": rows}).decode()


class Hub:
    """All open pages: visible ones five times a second, hidden ones once. Owner: the web loop.

    ``rows`` and ``stale`` say what is true now; ``is_live`` whether a session may still see it.
    """

    def __init__(self, rows: Callable[[], Rows], stale: Callable[[], str], is_live: Callable[[str], bool]) -> None:
        self._rows = rows
        self._stale = stale
        self._is_live = is_live
        self._fast = Lane()
        self._slow = Lane()

    def on_message(self, message: ViewSnapshot | ViewChanges) -> None:
        """Take what the floor said."""
        for lane in (self._fast, self._slow):
            if isinstance(message, ViewChanges):
                lane.add(message)
            else:
                lane.restart()

    def join(self, session_key: str) -> Page:
        """Open the feed of one page."""
        page = Page(session_key)
        self._fast.pages.add(page)
        return page

    def leave(self, page: Page) -> None:
        """Close the feed of one page."""
        page.close()
        self._fast.pages.discard(page)
        self._slow.pages.discard(page)

    def set_hidden(self, page: Page, *, hidden: bool) -> None:
        """Slow a page down that nobody looks at, or speed it up again."""
        old, new = (self._fast, self._slow) if hidden else (self._slow, self._fast)
        if page in old.pages:
            old.pages.discard(page)
            new.pages.add(page)
            page.restart()

    def snapshot(self, page: Page) -> str:
        """Return a snapshot in the numbering of the page's lane."""
        lane = self._slow if page in self._slow.pages else self._fast
        return lane.snapshot(self._rows(), self._stale())

    @property
    def page_count(self) -> int:
        """How many pages are open."""
        return len(self._fast.pages) + len(self._slow.pages)

    async def beat_forever(self) -> None:
        """Send changes on time, and end the pages of ended sessions."""
        loop = asyncio.get_running_loop()
        count = 0
        while True:
            start = loop.time()
            count += 1
            self._end_revoked()
            self._fast.beat(self._stale())
            if count % SLOW_BEATS == 0:
                self._slow.beat(self._stale())
            await asyncio.sleep(max(0.0, start + BEAT_S - loop.time()))

    def _end_revoked(self) -> None:
        for page in [*self._fast.pages, *self._slow.pages]:
            if not self._is_live(page.session_key):
                self.leave(page)
