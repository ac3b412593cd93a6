"""The gateway as its own process: ready line, signals, parent pipe, book, speed."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ib_async import IB, MarketOrder, Stock

from ibfloor.model.errors import ConfigError, ConnectivityError
from ibfloor.sim.gateway.book import BookReport
from ibfloor.sim.gateway.server import GatewaySettings, build_gateway, run_gateway

pytestmark = pytest.mark.slow

_RUN = """
import sys
from pathlib import Path
import msgspec
from ibfloor.sim.gateway.server import GatewaySettings, run_gateway
run_gateway(msgspec.json.decode(sys.argv[1], type=GatewaySettings, dec_hook=lambda kind, text: kind(text)))
"""


@contextmanager
def started(**settings: object) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    wanted = {"port": 0, "seed": 7, "symbols": ["SPY", "BAC"], "start": "09:29", **settings}
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, json.dumps(wanted)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait(10)
        process.stdin.close()
        process.stdout.close()


def test_it_says_ready_once_trades_and_leaves_its_book_on_sigterm(tmp_path: Path) -> None:
    async def trade(port: int) -> str:
        ib = IB()
        await ib.connectAsync("127.0.0.1", port, clientId=2, timeout=8)
        contract = Stock("SPY", "SMART", "USD")
        await ib.qualifyContractsAsync(contract)
        bars = await ib.reqHistoricalDataAsync(contract, "", "2 D", "1 min", "TRADES", useRTH=True)
        assert len(bars) > 300
        done = asyncio.Event()
        order = ib.placeOrder(contract, MarketOrder("BUY", 100, orderRef="p:1"))
        order.filledEvent += lambda _: done.set()
        await asyncio.wait_for(done.wait(), 10)
        ib.disconnect()
        return order.fills[0].execution.execId

    book = tmp_path / "book.json"
    with started(speed=60, hold_until_client=True, book_path=str(book)) as (process, ready):
        assert (ready["event"], ready["pid"], ready["speed"]) == ("ready", process.pid, 60)
        exec_id = asyncio.run(trade(ready["port"]))
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""
    report = msgspec.json.decode(book.read_bytes(), type=BookReport)
    assert [(row.exec_id, row.order_ref, str(row.qty)) for row in report.executions] == [(exec_id, "p:1", "100")]
    assert [(row.symbol, str(row.qty)) for row in report.positions] == [("SPY", "100")]


def test_it_ends_when_its_parent_is_gone() -> None:
    with started(parent_pipe=True) as (process, _):
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def test_sigusr1_without_a_book_path_is_harmless() -> None:
    with started() as (process, _):
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (GatewaySettings(speed=0.5), "speed is 0.5"),
        (GatewaySettings(start="9h30"), "start is '9h30'"),
        (GatewaySettings(market="replay"), "needs a data folder"),
        (GatewaySettings(market="live"), "market is 'live'"),
        (GatewaySettings(symbols=("NOSUCH",)), "NOSUCH"),
        (GatewaySettings(start="25:00"), "start is '25:00'"),
    ],
)
def test_settings_that_make_no_sense_are_named(settings: GatewaySettings, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        build_gateway(settings)


def test_a_port_in_use_is_named() -> None:
    with started() as (_, ready):
        settings = GatewaySettings(port=ready["port"], symbols=("SPY",), start="09:29")
        with pytest.raises(ConnectivityError, match=f"{ready['port']}: another program has this port"):
            run_gateway(settings)
