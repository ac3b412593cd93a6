from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest


@pytest.fixture
def run() -> Callable[[Awaitable[Any]], Any]:
    """Run a coroutine with a deadline: no test of ours may hang."""

    def within(work: Awaitable[Any]) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(20):
                return await work

        return asyncio.run(bounded())

    return within
