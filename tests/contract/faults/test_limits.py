"""IB's limits: what is too much is refused with IB's own error, and nothing else is disturbed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec.kinds import Scalar
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.limits import Limits
from ibfloor.sim.gateway.raw_client import RawClient, Told

Play = Callable[..., str]
SPY: dict[str, Scalar] = {"symbol": "SPY", "sec_type": "STK", "exchange": "SMART", "currency": "USD"}
SMALL: dict[str, Scalar] = {"bar_size": "5 secs", "what": "TRADES", "use_rth": True}
UNHURRIED = Limits(messages_per_s=0)


def codes(told: list[Told]) -> list[int]:
    errors = [int(str(one.values["code"])) for one in told if one.name == "error"]
    return [code for code in errors if code != 2199]


async def started(lab: GatewayLab, client_id: int = 1) -> RawClient:
    client = await RawClient.start(lab.port, client_id)
    await client.drain()
    lab.advance(1)
    await client.drain()
    lab.advance(1)
    return client


def small(client: RawClient, req_id: int, seconds: int, **more: Scalar) -> None:
    client.send(ask.REQ_HISTORICAL_DATA, req_id=req_id, **{**SPY, **SMALL, "duration": f"{seconds} S", **more})


def test_fifty_messages_a_second_pass_and_one_more_is_told_100(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        for _ in range(49):
            client.send(ask.REQ_IDS)
        assert codes(await client.drain()) == []
        client.send(ask.REQ_IDS)
        assert (await client.until("error", code=100))[-1].values["text"] == (
            "Max rate of messages per second has been exceeded:max=50 rec=51 (1)"
        )
        lab.advance(1)
        assert codes(await client.drain()) == []
        client.close()

    play(scene, limits=Limits())


def test_a_flood_is_cut_off_and_another_client_does_not_notice(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        flooding, calm = await started(lab, 1), await started(lab, 2)
        for _ in range(60):
            flooding.send(ask.REQ_IDS)
        assert await flooding.is_cut()
        assert codes(await calm.drain()) == []
        for one in (flooding, calm):
            one.close()

    play(scene, limits=Limits())


def test_the_101st_line_is_refused_and_a_canceled_one_makes_room(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        for req_id in range(1, 102):
            client.send(ask.REQ_MKT_DATA, req_id=req_id, **SPY)
        assert codes(await client.drain()) == [101]
        client.send(ask.CANCEL_MKT_DATA, req_id=1)
        client.send(ask.REQ_MKT_DATA, req_id=101, **SPY)
        assert codes(await client.drain()) == []
        client.close()

    play(scene, limits=UNHURRIED)


def test_lines_are_of_all_clients_together_and_a_client_that_goes_frees_its_own(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        first, second = await started(lab, 1), await started(lab, 2)
        first.send(ask.REQ_MKT_DATA, req_id=1, **SPY)
        await first.drain()
        second.send(ask.REQ_MKT_DATA, req_id=1, **SPY)
        assert codes(await second.drain()) == [101]
        first.close()
        while 1 in lab.gateway.sessions:
            await second.drain()
        second.send(ask.REQ_MKT_DATA, req_id=1, **SPY)
        assert codes(await second.drain()) == []
        second.close()

    play(scene, limits=Limits(messages_per_s=0, lines=1))


def test_an_unknown_contract_takes_no_line(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        for req_id in range(3):
            client.send(ask.REQ_MKT_DATA, req_id=req_id, **{**SPY, "symbol": "NOSUCH"})
        client.send(ask.REQ_MKT_DATA, req_id=9, **SPY)
        assert codes(await client.drain()) == [200, 200, 200]
        client.close()

    play(scene, limits=Limits(messages_per_s=0, lines=1))


def test_an_identical_small_bar_query_must_wait_fifteen_seconds(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        small(client, 1, 1800)
        small(client, 2, 1800)
        told = [one.values["text"] for one in await client.drain() if _is_162(one)]
        assert "pacing violation" not in str(told[0])
        assert "pacing violation" in str(told[1])
        lab.advance(15)
        small(client, 3, 1800)
        assert "pacing" not in str([one.values for one in await client.drain()])
        client.close()

    play(scene, limits=UNHURRIED)


def test_the_sixth_query_of_one_contract_within_two_seconds_is_too_many(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        for n in range(6):
            small(client, n, 100 + n)
        paced = ["pacing" in str(one.values["text"]) for one in await client.drain() if _is_162(one)]
        assert paced == [False] * 5 + [True]
        client.close()

    play(scene, limits=UNHURRIED)


@pytest.mark.parametrize(("what", "passed"), [("TRADES", 60), ("BID_ASK", 30)])
def test_sixty_small_bar_queries_in_ten_minutes_and_bid_ask_counts_twice(play: Play, what: str, passed: int) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        paced = []
        for n in range(passed + 1):
            small(client, n, 100 + n, what=what)
            paced += ["pacing" in str(one.values["text"]) for one in await client.drain() if _is_162(one)]
            lab.advance(3)
        assert paced == [False] * passed + [True]
        lab.advance(600)
        small(client, 999, 999, what=what)
        assert "pacing" not in str([one.values for one in await client.drain()])
        client.close()

    play(scene, limits=UNHURRIED)


def _is_162(one: Told) -> bool:
    return one.name == "error" and one.values["code"] == 162


def test_minute_bars_are_not_paced(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        for n in range(20):
            small(client, n, 1800, bar_size="1 min")
        assert "pacing" not in str([one.values for one in await client.drain()])
        client.close()

    play(scene, limits=UNHURRIED)


def test_open_historical_queries_are_bounded(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.market.give_history("SPY", lab.start_ns - 60_000_000_000, 60_000_000_000, ["168.00"])
        client = await started(lab)
        for n in range(51):
            small(client, n, 1800, bar_size="1 min", keep_up_to_date=True)
        assert codes(await client.drain()) == [322]
        client.close()

    play(scene, limits=UNHURRIED)


def test_five_second_bars_are_bounded_in_ten_minutes(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        for req_id in range(61):
            client.send(ask.REQ_REAL_TIME_BARS, req_id=req_id, **SPY, bar_size=5, what="TRADES", use_rth=False)
        assert codes(await client.drain()) == [420]
        client.close()

    play(scene, limits=UNHURRIED)


def test_tick_by_tick_streams_are_few_and_one_symbol_waits_fifteen_seconds(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        client = await started(lab)
        symbols = ["SPY", "QQQ", "IWM", "AAPL", "BAC", "KO"]
        for req_id, symbol in enumerate(symbols):
            client.send(ask.REQ_TICK_BY_TICK, req_id=req_id, **{**SPY, "symbol": symbol}, kind="Last")
        assert codes(await client.drain()) == [10190]
        client.send(ask.CANCEL_TICK_BY_TICK, req_id=0)
        client.send(ask.REQ_TICK_BY_TICK, req_id=9, **SPY, kind="Last")
        assert codes(await client.drain()) == [10190]
        lab.advance(15)
        client.send(ask.REQ_TICK_BY_TICK, req_id=10, **SPY, kind="Last")
        assert codes(await client.drain()) == []
        client.close()

    play(scene, limits=UNHURRIED)


def test_the_33rd_client_is_hung_up_on(play: Play) -> None:
    async def scene(lab: GatewayLab) -> None:
        clients = [await RawClient.start(lab.port, client_id) for client_id in range(32)]
        with pytest.raises(ConnectionError):
            await RawClient.start(lab.port, 32)
        clients.pop().close()
        while len(lab.gateway.sessions) > 31:
            await clients[0].drain()
        clients.append(await RawClient.start(lab.port, 32))
        for one in clients:
            one.close()

    play(scene, limits=UNHURRIED)
