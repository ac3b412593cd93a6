"""Requests that are answered by several messages and an end marker, collected in futures."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

from ibfloor.broker.ib.codes import IbRejected
from ibfloor.model.errors import ConnectivityError, FloorError

FIRST_REQ_ID = 1_000_000_000
"""Request ids start far above order ids: an error's id names one or the other, never both."""

Key = int | str
"""A request id, or a name for the requests that IB gives no id."""


class Pending:
    """One open request: what has come, and the future of its end."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.items: list[Any] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Requests:
    """The open requests of one session; owner: the session's thread."""

    def __init__(self) -> None:
        self._open: dict[Key, Pending] = {}
        self._ids = count(FIRST_REQ_ID)

    def next_id(self) -> int:
        """Return a request id never used before."""
        return next(self._ids)

    def start(self, key: Key) -> Pending:
        """Begin to collect; one request per key at a time."""
        assert key not in self._open, f"request {key} is open already"
        pending = self._open[key] = Pending(key)
        return pending

    def is_open(self, key: Key) -> bool:
        """Tell whether answers to a key are being collected."""
        return key in self._open

    def add(self, key: Key, item: object) -> None:
        """Take one part of an answer; parts that come after the end are dropped."""
        if pending := self._open.get(key):
            pending.items.append(item)

    def end(self, key: Key) -> None:
        """Take the end marker."""
        if (pending := self._open.get(key)) and not pending.done.done():
            pending.done.set_result(None)

    def reject(self, key: Key, code: int, text: str) -> bool:
        """Fail a request with the broker's words; ``False`` when no such request is open."""
        return self._fail(key, IbRejected(code, text))

    def fail_all(self, reason: str) -> None:
        """Fail everything that is open: the connection went."""
        for key in list(self._open):
            self._fail(key, ConnectivityError(reason))

    async def answer(self, pending: Pending, *, timeout_s: float, what: str) -> list[Any]:
        """Return all parts once the end marker came.

        Raises ``ConnectivityError`` when it does not come in time (a timeout is not an empty
        answer) or the connection goes, ``IbRejected`` when the broker refuses.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await pending.done
        except TimeoutError:
            raise ConnectivityError(
                f"the broker did not finish answering {what} within {timeout_s:g} s ({len(pending.items)} parts came)"
            ) from None
        finally:
            self._open.pop(pending.key, None)
        return pending.items

    def _fail(self, key: Key, error: FloorError) -> bool:
        pending = self._open.get(key)
        if pending is None:
            return False
        if not pending.done.done():
            pending.done.set_exception(error)
        return True
