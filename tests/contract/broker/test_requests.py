"""Requests of the data and master sessions when the broker says no, says nothing, or takes things back."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from ibfloor.model.errors import BrokerRejected, ConnectivityError
from ibfloor.model.moment import NS_PER_MINUTE


@pytest.fixture
def with_data(gateway: Any, run_gateway: Any, floor_at: Any, within: Any) -> Any:
    """Run a test with an open data session; refusals of market data are kept in a list."""

    def run(test: Any, **settings: float) -> None:
        async def connected() -> None:
            async with run_gateway(gateway):
                refused: list[tuple[str, int, str]] = []
                heard = asyncio.Event()

                def on_refused(instrument: Any, code: int, text: str) -> None:
                    refused.append((instrument.local_symbol, code, text))
                    heard.set()

                floor = floor_at(gateway.port, **settings)
                session = floor.clients.data_session(lambda batch: None, on_refused=on_refused)
                await session.open()
                try:
                    await test(session, floor, refused, heard)
                finally:
                    await session.close()

        within(connected)

    return run


def test_lost_data_is_asked_for_again_after_1101(gateway: Any, with_data: Any, spy: Any, frame: Any) -> None:
    async def test(session: Any, floor: Any, refused: Any, heard: Any) -> None:
        session.subscribe(spy)
        first, *_ = await gateway.got(1)
        gateway.say(frame(4, 2, -1, 1101, "Connectivity restored - data lost.", ""))
        _, second = await gateway.got(1, 2)
        assert first[2] != second[2], "late ticks of the old subscription must not be taken for new ones"
        assert first[3] == second[3] == str(spy.instrument_id)

    with_data(test)


@pytest.mark.parametrize("code", [354, 101, 10089, 10168])
def test_refused_market_data_is_told_with_ibs_words(
    gateway: Any, with_data: Any, spy: Any, frame: Any, code: int
) -> None:
    async def test(session: Any, floor: Any, refused: Any, heard: Any) -> None:
        session.subscribe(spy)
        (asked,) = await gateway.got(1)
        gateway.say(frame(4, 2, asked[2], code, "Requested market data is not subscribed.", ""))
        async with asyncio.timeout(20):
            await heard.wait()
        assert refused == [("SPY", code, "Requested market data is not subscribed.")]

    with_data(test)


def test_what_had_no_line_gets_the_first_that_is_freed(gateway: Any, with_data: Any, spy: Any, frame: Any) -> None:
    others = [msgspec.structs.replace(spy, instrument_id=spy.instrument_id + n) for n in (1, 2)]

    def full(fields: list[str]) -> list[bytes]:
        is_over = fields[0] == "1" and fields[3] != str(spy.instrument_id) and len(gateway.received) < 8
        return [frame(4, 2, fields[2], 101, "Max number of tickers has been reached", "")] if is_over else []

    gateway.on_request = full

    async def test(session: Any, floor: Any, refused: Any, heard: Any) -> None:
        for instrument in (spy, *others):
            session.subscribe(instrument)
        async with asyncio.timeout(20):
            while len(refused) < 2:
                heard.clear()
                await heard.wait()
        session.unsubscribe(spy)
        *_, again = await gateway.got(1, 4)
        assert again[3] == str(others[0].instrument_id), "the first that had none, and no other"
        assert len(await gateway.got(2)) == 1

    with_data(test, resubscribe_first_s=60.0, heartbeat_s=60.0)


def test_refused_market_data_is_asked_for_again_and_told_once(
    gateway: Any, with_data: Any, spy: Any, frame: Any
) -> None:
    words = "Requested market data is not subscribed."
    gateway.on_request = lambda fields: [frame(4, 2, fields[2], 354, words, "")] if fields[0] == "1" else []

    async def test(session: Any, floor: Any, refused: Any, heard: Any) -> None:
        session.subscribe(spy)
        asked = await gateway.got(1, 4)
        assert {fields[3] for fields in asked} == {str(spy.instrument_id)}
        assert refused == [("SPY", 354, words)]

    with_data(test, resubscribe_first_s=0.02, resubscribe_max_s=0.05)


@pytest.mark.parametrize("text", ["Historical Market Data Service error message:HMDS query returned no data: SPY"])
def test_history_without_data_is_an_empty_list(gateway: Any, with_data: Any, spy: Any, frame: Any, text: str) -> None:
    gateway.on_request = lambda fields: [frame(4, 2, fields[1], 162, text, "")] if fields[0] == "20" else []

    async def test(session: Any, floor: Any, refused: Any, heard: Any) -> None:
        assert await session.history(spy, bar_ns=NS_PER_MINUTE, duration_ns=NS_PER_MINUTE, end_ns=None) == []

    with_data(test)


@pytest.mark.parametrize(("code", "text"), [(162, "invalid step"), (200, "No security definition"), (321, "bad end")])
def test_history_the_broker_refuses_says_why(
    gateway: Any, with_data: Any, spy: Any, frame: Any, code: int, text: str
) -> None:
    gateway.on_request = lambda fields: [frame(4, 2, fields[1], code, text, "")] if fields[0] == "20" else []

    async def test(session: Any, floor: Any, refused: Any, heard: Any) -> None:
        with pytest.raises(BrokerRejected, match=f"IB {code}: {text}"):
            await session.history(spy, bar_ns=NS_PER_MINUTE, duration_ns=NS_PER_MINUTE, end_ns=None)

    with_data(test)


def test_history_without_an_answer_is_an_error_and_is_taken_back(gateway: Any, with_data: Any, spy: Any) -> None:
    async def test(session: Any, floor: Any, refused: Any, heard: Any) -> None:
        with pytest.raises(ConnectivityError, match=r"did not finish answering history of SPY within 0\.3 s"):
            await session.history(spy, bar_ns=NS_PER_MINUTE, duration_ns=NS_PER_MINUTE, end_ns=None)
        (asked,) = await gateway.got(20)
        (canceled,) = await gateway.got(25)
        assert canceled[2] == asked[1]

    with_data(test, request_timeout_s=0.1)


def test_request_fails_at_once_when_the_connection_goes(gateway: Any, with_data: Any, spy: Any) -> None:
    async def test(session: Any, floor: Any, refused: Any, heard: Any) -> None:
        asking = asyncio.create_task(session.resolve(spy.contract))
        await gateway.got(9)
        gateway.drop()
        with pytest.raises(ConnectivityError, match="the connection was lost"):
            await asking

    with_data(test)


@pytest.mark.parametrize("silent", [16, 99, 7, 61, 62])
def test_snapshot_with_a_part_that_does_not_end_is_no_snapshot(
    gateway: Any, run_gateway: Any, floor_at: Any, within: Any, frame: Any, silent: int
) -> None:
    ends = {
        "16": lambda fields: frame(53, 1),
        "99": lambda fields: frame(102),
        "7": lambda fields: frame(55, 1, fields[2]),
        "61": lambda fields: frame(62, 1),
        "62": lambda fields: frame(63, 1, fields[2], "DU1", "NetLiquidation", "5", "USD") + frame(64, 1, fields[2]),
    }
    whole = dict(ends)
    del ends[str(silent)]
    gateway.on_request = lambda fields: [ends[fields[0]](fields)] if fields[0] in ends else []

    async def test() -> None:
        async with run_gateway(gateway):
            master = floor_at(gateway.port, request_timeout_s=0.2).clients.master_session(lambda report: None)
            await master.open()
            with pytest.raises(ConnectivityError, match="did not finish answering"):
                await master.snapshot()
            gateway.on_request = lambda fields: [whole[fields[0]](fields)] if fields[0] in whole else []
            snapshot = await master.snapshot()
            assert snapshot.open_orders == ()
            assert snapshot.net_liquidation.amount == 5
            order = [fields[0] for fields in gateway.received if fields[0] in whole][-5:]
            assert order == ["16", "99", "7", "61", "62"], "executions must be asked for after orders"
            await master.close()

    within(test)


def test_order_of_another_client_cannot_be_cancelled_by_the_master_alone(
    gateway: Any, run_gateway: Any, floor_at: Any, within: Any
) -> None:
    async def test() -> None:
        async with run_gateway(gateway):
            master = floor_at(gateway.port).clients.master_session(lambda report: None)
            await master.open()
            with pytest.raises(ConnectivityError, match="client id 10"):
                master.cancel_foreign(10, 5)
            master.cancel_foreign(0, -7)
            (sent,) = await gateway.got(4)
            assert sent[2] == "-7"
            await master.close()

    within(test)
