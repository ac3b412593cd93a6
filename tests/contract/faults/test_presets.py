"""Every named fault: it happens, the gateway survives it, and it replays from its seed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ibfloor.model.errors import ConfigError
from ibfloor.sim.faults.presets import PRESETS, plan_of
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec.kinds import Scalar
from ibfloor.sim.gateway.faults.points import check_points
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.raw_client import RawClient

pytestmark = pytest.mark.slow

Play = Callable[..., str]
SPY: dict[str, Scalar] = {"symbol": "SPY", "sec_type": "STK", "exchange": "SMART", "currency": "USD"}


async def _try(lab: GatewayLab, step: Callable[[RawClient], object], client: RawClient) -> None:
    try:
        step(client)
        await asyncio.wait_for(client.drain(), 0.1)
    except (TimeoutError, ConnectionError):
        pass  # that is what some faults are for
    lab.advance(5)


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in ("crash", "sunday-login")])
def test_a_preset_happens_and_the_gateway_survives_it(play: Play, name: str) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await RawClient.start(lab.port, 1)
        for fault in plan_of(name).faults:
            lab.inject(fault)
        client.send(ask.REQ_CONTRACT_DETAILS, req_id=1, **SPY)
        client.send(ask.REQ_MKT_DATA, req_id=2, **SPY)
        client.send(ask.REQ_HISTORICAL_DATA, req_id=3, **SPY, duration="1 D", bar_size="1 min", what="TRADES")
        for order_id in range(4, 40, 4):
            await _try(lab, lambda one, n=order_id: one.place(n, 10), client)  # type: ignore[misc]
            await _try(lab, lambda one, n=order_id: one.place(n + 1, 10, "150.00"), client)  # type: ignore[misc]
            await _try(lab, lambda one, n=order_id: one.place(n + 2, 10, what_if=True), client)  # type: ignore[misc]
            await _try(lab, lambda one, n=order_id: one.send(ask.CANCEL_ORDER, order_id=n + 1), client)  # type: ignore[misc]
            if not lab.gateway.sessions:
                break
        client.close()
        while lab.gateway.sessions:
            lab.advance(0)
            await asyncio.sleep(0)
        rows = lab.gateway.faults.rows()
        assert any(row.fired for row in rows), rows
        lab.advance(700)
        for row in rows:
            lab.clear(row.name)
        (await RawClient.start(lab.port, 9)).close()

    play(scene)


def test_presets_are_described_in_one_line_and_name_points_that_exist() -> None:
    names = [fault.name for preset in PRESETS.values() for fault in preset.faults]
    assert len(set(names)) == len(names), "two presets can be armed together"
    for preset in PRESETS.values():
        assert preset.line
        assert "\n" not in preset.line
        for fault in preset.faults:
            check_points(fault)


def test_every_preset_is_a_row_of_its_own() -> None:
    rows = [
        found
        for file in sorted(Path(__file__).parent.glob("test_rows_*.py"))
        for found in re.findall(r'^@?row\("([^"]+)", "([^"]+)"', file.read_text(), re.MULTILINE)
    ]
    names = [name for name, _ in rows]
    assert len(set(names)) == len(names)
    assert {preset for _, preset in rows} == set(PRESETS) - {"crash"}, "a crash is seen from outside: test_console.py"


def test_presets_combine_and_an_unknown_one_is_named() -> None:
    assert [fault.name for fault in plan_of("no-fees, corrections", seed=3).faults] == ["no-fees", "corrections"]
    with pytest.raises(ConfigError, match="'nonsense' is no preset"):
        plan_of("no-fees,nonsense")
