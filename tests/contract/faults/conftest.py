from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ibfloor.sim.faults import Fault
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.limits import Limits

Scene = Callable[[GatewayLab], Coroutine[Any, Any, None]]


@pytest.fixture
def play() -> Callable[..., str]:
    """Run a scene in a lab with faults and SPY quoted; return the book's hash at its end."""

    def run(scene: Scene, *faults: Fault, limits: Limits | None = None, seed: int = 1) -> str:
        async def within() -> str:
            troubles: list[object] = []
            asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
            async with GatewayLab(*faults, limits=limits, seed=seed) as lab:
                lab.quote("SPY", "168.00", "168.02", size=100_000)
                await asyncio.wait_for(scene(lab), 20)
                digest = lab.book_hash
            assert troubles == []
            return digest

        return asyncio.run(within())

    return run
