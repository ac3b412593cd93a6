"""Unmodified official clients against the gateway, each at the version it negotiates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ibfloor.sim.gateway.lab import GatewayLab

MINUTE_NS = 60 * 1_000_000_000
pytestmark = pytest.mark.slow


def test_an_official_client_goes_through_everything_without_a_complaint(
    build: str, version_of: dict[str, int], drive: Callable[[str, GatewayLab], Coroutine[Any, Any, dict[str, Any]]]
) -> None:
    async def scene() -> None:
        async with GatewayLab() as lab:
            lab.quote("SPY", "168.00", "168.02")
            closes = ["167.5", "167.6", "167.7", "167.8", "168"]
            lab.market.give_history("SPY", lab.start_ns - 5 * MINUTE_NS, MINUTE_NS, closes)
            report = await asyncio.wait_for(drive(build, lab), 50)
        assert report["failures"] == []
        assert report["log"] == []
        assert report["alive"]
        assert report["passed"] == report["steps"]
        assert report["version"] == version_of[build]

    asyncio.run(scene())
