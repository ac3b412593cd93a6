from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import structlog
from hypothesis import settings

# A property holds or it does not: how long an example takes says more of the machine than of the code.
settings.register_profile("ibfloor", deadline=None)
settings.load_profile("ibfloor")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Write the threads that a test plays into the run's report: scripts/reliability.py reads them there."""
    for item in items:
        item.user_properties += [("thread", mark.args[0]) for mark in item.iter_markers("thread")]


def pytest_runtest_teardown() -> None:
    """Leave no test the log that another one has set up."""
    structlog.reset_defaults()


@pytest.fixture
def run() -> Callable[[Awaitable[Any]], Any]:
    """Run a coroutine with a deadline: no test of ours may hang."""

    def within(work: Awaitable[Any]) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(60):
                return await work

        return asyncio.run(bounded())

    return within
