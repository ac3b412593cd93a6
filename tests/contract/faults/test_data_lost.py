"""1101 ends every subscription: nothing of market data comes until it is asked for again."""

from __future__ import annotations

from collections.abc import Callable

from ibfloor.sim.faults import Fault
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec import research_requests as study
from ibfloor.sim.gateway.codec.kinds import Scalar
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.raw_client import RawClient

Play = Callable[..., str]
SPY: dict[str, Scalar] = {"symbol": "SPY", "sec_type": "STK", "exchange": "SMART", "currency": "USD"}
LOST = Fault(name="lost", what=do.LoseUpstream(for_s=10, data_lost=True))


async def names_after(lab: GatewayLab, client: RawClient) -> set[str]:
    # more than the 30 s after which a scan is told again
    for n in range(4):
        lab.quote("SPY", f"168.{20 + n}", "168.30", after_s=10)
        lab.trade("SPY", "168.25", 100, after_s=1)
    return {one.name for one in await client.drain()} - {"error"}


async def watch(client: RawClient) -> None:
    client.send(ask.REQ_MKT_DATA, req_id=1, **SPY)
    client.send(ask.REQ_TICK_BY_TICK, req_id=2, **SPY, kind="BidAsk")
    client.send(study.REQ_MARKET_DEPTH, req_id=3, **SPY, rows=5, is_smart=True)
    client.send(study.REQ_SCANNER, req_id=4, instrument="STK", location="STK.US", scan_code="MOST_ACTIVE")
    client.send(ask.REQ_REAL_TIME_BARS, req_id=5, **SPY, bar_size=5, what="TRADES", use_rth=False)
    await client.drain()


ALL = {"tick_price", "tick_size", "tick_string", "tick_by_tick", "market_depth_l2", "scanner_data", "real_time_bar"}


def test_data_lost_ends_depth_scanners_bars_and_ticks_too(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await RawClient.start(lab.port, 1)
        await watch(client)
        assert await names_after(lab, client) == ALL
        lab.inject(LOST)
        lab.advance(10)
        await client.drain()
        assert await names_after(lab, client) == set()
        await watch(client)
        assert await names_after(lab, client) == ALL
        client.close()

    play(scene)


def test_a_canceled_line_tells_nothing_that_was_held_back(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await RawClient.start(lab.port, 1)
        client.send(ask.REQ_MKT_DATA, req_id=1, **SPY)
        await client.drain()
        lab.quote("SPY", "168.10", "168.12", after_s=0.01)
        lab.quote("SPY", "168.20", "168.22", after_s=0.01)
        client.send(ask.CANCEL_MKT_DATA, req_id=1)
        await client.drain()
        lab.advance(5)
        assert {one.name for one in await client.drain()} == {"error"}
        client.close()

    play(scene)


def test_a_held_back_quote_is_told_once_its_quarter_second_is_over(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await RawClient.start(lab.port, 1)
        lab.advance(1)
        client.send(ask.REQ_MKT_DATA, req_id=1, **SPY)
        await client.drain()
        for n in range(3):
            lab.quote("SPY", f"168.1{n}", "168.22", after_s=0.05)
        assert not [one for one in await client.drain() if one.name == "tick_price"]
        lab.advance(0.1)
        told = [one.values["price"] for one in await client.drain() if one.name == "tick_price"]
        assert [str(px) for px in told] == ["168.12", "168.22"]
        client.close()

    play(scene)
