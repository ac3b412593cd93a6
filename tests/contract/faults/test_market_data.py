"""Faults of market data and history: competing sessions, permissions, lost streams, refused queries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from ib_async import IB, Contract

from ibfloor.sim.faults import Fault, When
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec.kinds import Scalar
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.raw_client import RawClient, Told

Play = Callable[..., str]
ConnectIb = Callable[[GatewayLab, int], Awaitable[IB]]
Until = Callable[[Callable[[], object]], Awaitable[None]]
SPY: dict[str, Scalar] = {"symbol": "SPY", "sec_type": "STK", "exchange": "SMART", "currency": "USD"}
BARS: dict[str, Scalar] = {**SPY, "duration": "1 D", "bar_size": "1 min", "what": "TRADES", "use_rth": True}


def fault(what: do.AnyAction, on: str = "", **when: object) -> Fault:
    return Fault(name="f", what=what, when=When(on=on, **when))  # type: ignore[arg-type]


def codes(told: list[Told]) -> list[tuple[object, object]]:
    errors = [one.values for one in told if one.name == "error" and one.values["code"] != 2199]
    return [(values["req_id"], values["code"]) for values in errors]


def tick_types(told: list[Told]) -> set[object]:
    return {one.values["type"] for one in told if one.name in ("tick_price", "tick_size", "tick_string")}


def halts(told: list[Told]) -> list[tuple[object, object]]:
    return [(one.values["req_id"], one.values["value"]) for one in told if one.name == "tick_generic"]


async def started(lab: GatewayLab) -> RawClient:
    client = await RawClient.start(lab.port, 1)
    await client.drain()
    return client


def test_a_competing_session_takes_every_line_until_it_ends(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
        await client.drain()
        lab.inject(fault(do.Compete(for_s=30)))
        client.send(ask.REQ_MKT_DATA, req_id=6, **SPY)
        lab.quote("SPY", "168.20", "168.22", after_s=1)
        told = await client.drain()
        assert codes(told) == [(5, 10197), (6, 10197)]
        assert tick_types(told) == set()
        lab.advance(30)
        client.send(ask.REQ_MKT_DATA, req_id=7, **SPY)
        assert tick_types(await client.drain()) >= {1, 2}
        client.close()

    play(scene)


@pytest.mark.parametrize("code", [354, 10089, 10090, 10168])
def test_a_symbol_without_permission_has_no_quotes_and_others_do(play: Play, code: int) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        lab.quote("BAC", "14.00", "14.01")
        client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
        client.send(ask.REQ_MKT_DATA, req_id=6, **{**SPY, "symbol": "BAC"})
        told = await client.drain()
        assert codes(told) == [(5, code)]
        assert {one.values["req_id"] for one in told if one.name == "tick_price"} == {6}
        client.close()

    play(scene, fault(do.NoPermission(symbols=("SPY",), code=code)))  # type: ignore[arg-type]


def test_a_client_that_takes_delayed_data_gets_it_marked_as_such(
    play: Play, connect_ib: ConnectIb, until: Until
) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.send(ask.REQ_MARKET_DATA_TYPE, type=3)
        client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
        told = await client.drain()
        assert codes(told) == [(5, 10167)]
        assert [one.values["type"] for one in told if one.name == "market_data_type"] == [3]
        assert tick_types(told) >= {66, 67}
        ib = await connect_ib(lab, 2)
        ib.reqMarketDataType(3)
        ticker = ib.reqMktData(Contract(secType="STK", conId=756733, symbol="SPY", exchange="SMART", currency="USD"))
        await until(lambda: ticker.bid == 168.0)
        assert ticker.marketDataType == 3
        ib.disconnect()
        client.close()

    play(scene, fault(do.NoPermission(symbols=("SPY",))))


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (162, "Historical Market Data Service error message:Historical data request pacing violation"),
        (162, "Historical Market Data Service error message:HMDS query returned no data: SPY@SMART Trades"),
        (162, "Historical Market Data Service error message:invalid step: 60"),
        (366, "No historical data query found for ticker id:5"),
        (10314, "End Date/Time: The date, time, or time-zone entered is invalid."),
    ],
)
def test_history_is_refused_with_each_of_ibs_texts(play: Play, code: int, text: str) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.send(ask.REQ_HISTORICAL_DATA, req_id=5, **BARS)
        told = await client.drain()
        assert codes(told) == [(5, code)]
        assert text in [one.values.get("text") for one in told]
        client.close()

    play(scene, fault(do.Fail(code=code, text=text), "in:req_historical_data"))


def test_history_that_never_answers_stays_open(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.market.give_history("SPY", lab.start_ns - 60_000_000_000, 60_000_000_000, ["168.00"])
        client = await started(lab)
        client.send(ask.REQ_HISTORICAL_DATA, req_id=5, **BARS)
        assert [one.name for one in await client.drain()] == []
        session = lab.gateway.sessions[1]
        assert lab.gateway.streams.find(session, 5) is not None
        client.close()

    play(scene, fault(do.Drop(), "out:historical_data"))


@pytest.mark.parametrize("code", [10182, 10225])
def test_five_second_bars_end_in_mid_stream(play: Play, code: int) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        client.send(ask.REQ_REAL_TIME_BARS, req_id=5, **SPY, bar_size=5, what="TRADES", use_rth=False)
        await client.drain()
        lab.inject(fault(do.LoseStreams(streams="bars", code=code, text="gone")))
        lab.trade("SPY", "168.00", 100, after_s=1)
        lab.advance(10)
        told = await client.drain()
        assert codes(told) == [(5, code)]
        assert "real_time_bar" not in [one.name for one in told]
        client.close()

    play(scene)


@pytest.mark.parametrize(("is_volatile", "value"), [(False, 1), (True, 2)])
def test_a_halt_is_told_by_tick_49_and_nothing_trades_until_it_is_over(
    play: Play, connect_ib: ConnectIb, until: Until, is_volatile: bool, value: int
) -> None:
    async def scene(lab: GatewayLab) -> None:
        client, ib = await started(lab), await connect_ib(lab, 2)
        spy = Contract(secType="STK", conId=756733, symbol="SPY", exchange="SMART", currency="USD")
        ticker = ib.reqMktData(spy)
        await until(lambda: ticker.halted == 0)
        client.place(1, 10)
        client.place(2, 10, "160.00")
        await client.drain()
        assert len(lab.book.executions) == 1
        lab.inject(fault(do.Halt(symbol="SPY", volatility=is_volatile, for_s=60)))
        await until(lambda: ticker.halted == value)
        client.send(ask.REQ_MKT_DATA, req_id=5, **SPY)
        assert halts(await client.drain()) == [(5, value)]
        client.place(3, 10)
        lab.quote("SPY", "159.00", "159.02", after_s=1)
        lab.trade("SPY", "158.00", after_s=1)
        told = await client.drain()
        assert tick_types(told) >= {1, 2}, "quotes go on"
        assert 4 not in tick_types(told)
        assert len(lab.book.executions) == 1
        lab.advance(60)
        await until(lambda: ticker.halted == 0)
        assert halts(await client.drain()) == [(5, 0)]
        assert [row.px for row in lab.book.executions][1:] == [Decimal("159.02"), Decimal("160.00")]
        ib.disconnect()
        client.close()

    play(scene)
