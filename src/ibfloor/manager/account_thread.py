"""AccountThread: the master session and its reconciler, on a thread and loop of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from types import TracebackType
from typing import Self

from ibfloor.broker.port import MasterSession
from ibfloor.manager.reconciler import Reconciler


class AccountThread:
    """``async with`` starts it and returns when the session stands; raises what its ``open`` raises."""

    def __init__(
        self, session: MasterSession, reconciler: Reconciler, *, on_failure: Callable[[BaseException], None]
    ) -> None:
        self._session = session
        self._reconciler = reconciler
        self._on_failure = on_failure
        self._opened: Future[None] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serving: asyncio.Task[None] | None = None
        self._thread = Thread(target=self._run, name="account")

    async def __aenter__(self) -> Self:
        self._thread.start()
        try:
            await asyncio.wrap_future(self._opened)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def cancel_everything(self) -> None:
        """Cancel every working order of the account; from any thread."""
        self._call_soon(self._session.cancel_everything)

    def settle(self) -> Future[bool]:
        """Reconcile now; answers whether books and account agree. From any thread."""
        agreed: Future[bool] = Future()
        self._reconciler.settle_now(agreed.set_result)
        return agreed

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except asyncio.CancelledError:
            pass  # told to stop
        except BaseException as error:  # noqa: BLE001 - this thread's supervision: the floor must hear of its end
            if not self._opened.done():
                self._opened.set_exception(error)
            else:
                self._on_failure(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._serving = asyncio.current_task()
        await self._session.open()
        self._opened.set_result(None)
        try:
            await self._reconciler.run()
        finally:
            await self._session.close()

    async def _stop(self) -> None:
        self._call_soon(lambda: self._serving.cancel() if self._serving else None)
        await asyncio.to_thread(self._thread.join)

    def _call_soon(self, act: Callable[[], object]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act)
