from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import settings

# A property holds or it does not: how long an example takes says more of the machine than of the code.
settings.register_profile("ibfloor", deadline=None)
settings.load_profile("ibfloor")


@pytest.fixture
def run() -> Callable[[Awaitable[Any]], Any]:
    """Run a coroutine with a deadline: no test of ours may hang."""

    def within(work: Awaitable[Any]) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(20):
                return await work

        return asyncio.run(bounded())

    return within
