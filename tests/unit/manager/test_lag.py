"""A loop's lateness is remembered for a minute, however long it runs."""

from __future__ import annotations

import asyncio

from tests.sim.campaign.virtual_loop import virtual_loop

from ibfloor.manager.lag import PERIOD_S, LagMeter


def test_a_meter_keeps_the_samples_of_a_minute() -> None:
    async def measure(for_s: float) -> int:
        meter = LagMeter()
        measuring = asyncio.create_task(meter.run())
        await asyncio.sleep(for_s)
        measuring.cancel()
        await asyncio.gather(measuring, return_exceptions=True)
        return len(meter.samples())

    with virtual_loop() as loop:
        assert 0.9 * 30 / PERIOD_S < loop.run_until_complete(measure(30)) <= 30 / PERIOD_S
        assert loop.run_until_complete(measure(600)) == 60 / PERIOD_S
