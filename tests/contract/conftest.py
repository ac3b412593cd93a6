from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from ib_async import IB

from ibfloor.sim.gateway.lab import GatewayLab

ConnectIb = Callable[..., Awaitable[IB]]
Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
def connect_ib() -> ConnectIb:
    async def connect(lab: GatewayLab, client_id: int) -> IB:
        ib = IB()
        await ib.connectAsync("127.0.0.1", lab.port, clientId=client_id, timeout=8)
        return ib

    return connect


@pytest.fixture
def until() -> Until:
    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - ib_async tells by its state
                await asyncio.sleep(0.002)

    return wait


@pytest.fixture
def ib_complaints(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What ib_async logged as a warning or worse: timeouts, fields it could not decode, errors."""
    caplog.set_level(logging.INFO, logger="ib_async")

    def complaints() -> list[str]:
        return [
            record.getMessage()
            for record in caplog.records
            if record.name.startswith("ib_async") and record.levelno >= logging.WARNING
        ]

    return complaints
