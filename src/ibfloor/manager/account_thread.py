"""AccountThread: the master session and its reconciler, on a thread and loop of their own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from ibfloor.broker.port import MasterSession
from ibfloor.loop_thread import LoopThread
from ibfloor.manager.answers import respond
from ibfloor.manager.reconciler import Reconciler
from ibfloor.model.account import ListedOrder
from ibfloor.model.errors import ConnectivityError


class AccountThread:
    """``async with`` starts it and returns when the session stands; raises what its ``open`` raises.

    ``on_failure`` is called on the account thread when the reconciler dies of an error later.
    """

    def __init__(
        self,
        session: MasterSession,
        reconciler: Reconciler,
        *,
        on_failure: Callable[[BaseException], None],
        thread: LoopThread | None = None,
    ) -> None:
        self._session = session
        self._reconciler = reconciler
        self._on_failure = on_failure
        self._opened: Future[None] = Future()
        self._thread = thread or LoopThread("account")

    async def __aenter__(self) -> Self:
        self._thread.start(self._serve)
        try:
            ended = asyncio.wrap_future(self._thread.ended)
            ended.add_done_callback(_look)  # its error is told by ``on_failure``, or raised right here
            await asyncio.wait([asyncio.wrap_future(self._opened), ended], return_when=asyncio.FIRST_COMPLETED)
            if self._thread.ended.done():
                self._thread.ended.result()
        except BaseException:
            await self._thread.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._thread.stop()

    def cancel_everything(self) -> Future[bool]:
        """Cancel every working order of the account; answers whether the request left. From any thread."""
        has_left: Future[bool] = Future()
        try:
            self._thread.post(respond, has_left, self._cancel_everything)
        except ConnectivityError:  # no thread: no session, and the workers cancel their own
            has_left.set_result(False)
        return has_left

    def open_orders(self) -> Future[tuple[ListedOrder, ...]]:
        """Ask the broker what works now; fails with ``ConnectivityError`` when it does not say. From any thread."""
        return self._thread.run(self._session.open_orders())

    def cancel_by_hand(self, orders: Sequence[ListedOrder]) -> None:
        """Cancel orders that were typed in by hand; another program's stay. From any thread."""
        with contextlib.suppress(ConnectivityError):  # no thread, no session: whoever looks sees that they work
            self._thread.post(self._cancel_by_hand, orders)

    def settle(self) -> Future[bool]:
        """Reconcile now; answers whether books and account agree. From any thread."""
        agreed: Future[bool] = Future()
        self._reconciler.settle_now(lambda is_equal: respond(agreed, lambda: is_equal))
        return agreed

    def page(self, text: str) -> None:
        """Call a person. From any thread."""
        self._reconciler.page(text)

    async def _serve(self) -> None:
        try:
            await self._session.open()
            self._opened.set_result(None)
            await self._reconciler.run()
        except Exception as error:
            if self._opened.done():
                self._on_failure(error)
            raise
        finally:
            await self._session.close()

    def _cancel_by_hand(self, orders: Sequence[ListedOrder]) -> None:
        for order in orders:
            with contextlib.suppress(ConnectivityError):
                self._session.cancel_foreign(order.client_id, order.order_id)

    def _cancel_everything(self) -> bool:
        try:
            self._session.cancel_everything()
        except ConnectivityError:  # the session is down: every worker cancels its own
            return False
        return True


def _look(ended: asyncio.Future[None]) -> None:
    if not ended.cancelled():
        ended.exception()
