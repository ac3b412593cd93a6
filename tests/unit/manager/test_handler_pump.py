from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ibfloor.manager.handler_pump import HandlerPump


def pumped(body: Callable[[HandlerPump], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            pump = HandlerPump(tasks)
            await body(pump)
            pump.abandon()

    asyncio.run(main())


def test_plain_handlers_run_at_once_and_in_order() -> None:
    seen: list[int] = []

    async def body(pump: HandlerPump) -> None:
        for number in range(3):
            pump.call(seen.append, number)
        assert seen == [0, 1, 2]

    pumped(body)


def test_a_call_waits_for_the_async_handler_before_it() -> None:
    seen: list[str] = []

    async def slow() -> None:
        await asyncio.sleep(0)
        seen.append("slow")

    async def body(pump: HandlerPump) -> None:
        pump.call(slow)
        pump.call(seen.append, "after")
        assert seen == []
        await pump.drained()
        assert seen == ["slow", "after"]

    pumped(body)


def test_the_first_exception_ends_all_calls() -> None:
    seen: list[int] = []

    def breaks() -> None:
        raise ValueError("on purpose")

    async def body(pump: HandlerPump) -> None:
        pump.call(breaks)
        pump.call(seen.append, 1)
        error = await pump.failure
        assert isinstance(error, ValueError)
        assert seen == []

    pumped(body)


def test_an_async_exception_drops_what_waited_behind_it() -> None:
    seen: list[int] = []

    async def breaks() -> None:
        await asyncio.sleep(0)
        raise SystemExit(3)

    async def body(pump: HandlerPump) -> None:
        pump.call(breaks)
        pump.call(seen.append, 1)
        assert isinstance(await pump.failure, SystemExit)
        await pump.drained()
        assert seen == []

    pumped(body)


def test_a_handler_whose_own_wait_was_cancelled_has_failed_and_nothing_overtakes_it() -> None:
    seen: list[int] = []

    async def breaks() -> None:
        raise asyncio.CancelledError

    async def body(pump: HandlerPump) -> None:
        pump.call(breaks)
        pump.call(seen.append, 1)
        assert isinstance(await pump.failure, asyncio.CancelledError)
        assert seen == []

    pumped(body)


def test_of_waiting_calls_with_a_key_only_the_newest_is_made_and_none_else_is_lost() -> None:
    seen: list[object] = []

    async def slow() -> None:
        await asyncio.sleep(0)

    async def body(pump: HandlerPump) -> None:
        pump.call(slow)
        for number in range(1000):
            pump.call(seen.append, ("SPY", number), key="SPY")
            if number % 500 == 0:
                pump.call(seen.append, ("fill", number))
        pump.call(seen.append, ("QQQ", 1), key="QQQ")
        assert pump.depth == 4
        await pump.drained()
        assert seen == [("SPY", 999), ("fill", 0), ("fill", 500), ("QQQ", 1)]
        pump.call(slow)
        pump.call(seen.append, ("SPY", 1000), key="SPY")
        await pump.drained()
        assert seen[-1] == ("SPY", 1000)

    pumped(body)
