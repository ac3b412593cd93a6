"""The clock of night, where asked for: the gateway restarts, IB resets, Sunday's log-in ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from decimal import Decimal

import pytest

from ibfloor.model.errors import ConfigError
from ibfloor.model.moment import to_datetime
from ibfloor.sim.faults import Fault, When
from ibfloor.sim.faults import actions as do
from ibfloor.sim.faults.nights import Nights, nights_of
from ibfloor.sim.faults.plan import NIGHTLY_RESET, NIGHTLY_RESTART
from ibfloor.sim.gateway.clock import EXCHANGE_TIME
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.raw_client import RawClient, Told
from ibfloor.sim.gateway.schedule import ClockEvent
from ibfloor.sim.gateway.server import GatewaySettings, build_gateway

Play = Callable[..., str]
HOUR_S = 3600.0
RESTART = Nights(restart_at=time(23, 45)).faults
RESET = Nights(reset_at=time(0, 15)).faults
SUNDAY = Nights(sunday_login_hours=6).faults


async def started(lab: GatewayLab, client_id: int = 1) -> RawClient:
    client = await RawClient.start(lab.port, client_id)
    await client.drain()
    return client


def codes(told: list[Told]) -> list[object]:
    return [one.values["code"] for one in told if one.name == "error" and one.values["code"] != 2199]


async def is_refused(lab: GatewayLab) -> bool:
    try:
        client = await RawClient.open(lab.port)
    except ConnectionError:
        return True
    client.close()
    return False


def test_without_asking_nobody_is_disturbed_by_night(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        for _ in range(7 * 24):
            lab.advance(HOUR_S)
        assert codes(await client.drain()) == []
        client.close()

    play(scene)


def test_the_restart_resets_connections_and_loses_orders_in_flight_but_no_working_one(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        lab.advance(13 * HOUR_S + 44 * 60)
        client.place(1, 10, "100.00", tif="GTC", outside_rth=True)
        await client.drain()
        lab.advance(60)
        client.place(2, 20, "100.00", tif="GTC", outside_rth=True)
        await client.writer.drain()
        assert await is_refused(lab)
        lab.advance(2)
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
        assert [order.order_id for order in lab.book.orders] == [1]
        assert lab.book.orders[0].status == "Submitted"
        lab.advance(89)
        assert await is_refused(lab)
        lab.advance(1)
        again = await started(lab)
        again.send(ask.REQ_ALL_OPEN_ORDERS)
        assert [one.values["order_id"] for one in await again.drain() if one.name == "open_order"] == [1]
        lab.advance(24 * HOUR_S)
        lab.advance(2)
        assert await again.is_cut()
        again.close()
        client.close()

    play(scene, *RESTART)


def test_the_reset_is_an_outage_and_ten_minutes_without_executions(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        lab.advance(14 * HOUR_S + 14 * 60)
        client.place(1, 10, "168.02", tif="GTC", outside_rth=True)
        await client.drain()
        lab.advance(60)
        assert codes(await client.drain()) == [1100]
        lab.advance(120)
        assert codes(await client.drain()) == [1102]
        lab.quote("SPY", "168.00", "168.02", after_s=60)
        client.place(2, 10, "168.10", tif="GTC", outside_rth=True)
        told = await client.drain()
        assert "exec_details" not in [one.name for one in told]
        lab.advance(420)
        assert [one.name for one in await client.drain() if one.name == "exec_details"] == ["exec_details"]
        client.close()

    play(scene, *RESET)


def test_from_sunday_on_nobody_logs_in_until_somebody_has_logged_in_again(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        lab.advance(5 * 24 * HOUR_S + 14 * HOUR_S + 3599)
        assert codes(await client.drain()) == []
        lab.advance(1)
        lab.advance(2)
        assert f"{to_datetime(lab.gateway.now_ns(), EXCHANGE_TIME):%a %H:%M:%S}" == "Sun 01:00:02"
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
        for _ in range(6):
            assert await is_refused(lab)
            lab.advance(HOUR_S)
        again = await started(lab)
        lab.advance(24 * HOUR_S)
        assert codes(await again.drain()) == []
        again.close()
        client.close()

    play(scene, *SUNDAY)


def test_a_person_can_log_in_earlier(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.advance(5 * 24 * HOUR_S + 15 * HOUR_S)
        lab.advance(10)
        assert await is_refused(lab)
        lab.clear("sunday-logout")
        (await started(lab)).close()

    play(scene, *SUNDAY)


def test_a_plan_of_ones_own_may_go_by_the_clock_of_night(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        for _ in range(3 * 24):
            lab.advance(HOUR_S)
        assert codes(await client.drain()) == [2108, 2108]
        client.close()

    notice = do.Notice(code=2108, text="inactive")
    play(scene, Fault(name="idle", what=notice, when=When(on=NIGHTLY_RESTART, times=2)))


def test_the_times_are_those_the_settings_name() -> None:
    nights = nights_of("22:30", "03:05", 0)
    gateway = build_gateway(
        GatewaySettings(start="10:00", symbols=("SPY",), hold_until_client=True, nights=nights, cash=Decimal(1))
    )
    due = {event: f"{to_datetime(gateway.schedule.due_ns(event), EXCHANGE_TIME):%H:%M}" for event in ClockEvent}
    assert due == {
        ClockEvent.NIGHTLY_RESTART: "22:30",
        ClockEvent.NIGHTLY_RESET: "03:05",
        ClockEvent.SUNDAY_RESET: "01:00",
    }
    assert [row.name for row in gateway.faults.rows()] == ["nightly-restart", "nightly-outage", "nightly-late"]


@pytest.mark.parametrize(("restart", "reset", "hours"), [("25:00", "", 0), ("", "at night", 0), ("", "", -1)])
def test_what_is_no_time_is_refused(restart: str, reset: str, hours: float) -> None:
    with pytest.raises(ConfigError, match=r"HH:MM|hours"):
        nights_of(restart, reset, hours)


def test_the_clock_passes_no_client() -> None:
    with pytest.raises(ConfigError, match="strikes"):
        GatewayLab(Fault(name="f", what=do.Reset(), when=When(on=NIGHTLY_RESET, clients=(1,))))
