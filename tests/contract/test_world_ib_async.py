"""Securities from a file: found, refused and traded through an unmodified ``ib_async.IB``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ib_async import IB, Contract, ContractDetails, Index, Order, Stock

from ibfloor.model.ids import AccountId
from ibfloor.sim.account import SimAccount
from ibfloor.sim.gateway.clock import SimClock, market_start_ns
from ibfloor.sim.gateway.gateway import Gateway
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.tcp import GatewayServer
from ibfloor.sim.market.generated import GeneratedMarket
from ibfloor.sim.market.listing import WORLD, read_listing
from ibfloor.sim.market.securities import SecurityMaster, default_master

ConnectIb = Callable[[Any, int], Awaitable[IB]]
Until = Callable[[Callable[[], object]], Awaitable[None]]
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "gateway.md"
DAY = date(2024, 11, 5)


@pytest.fixture(scope="module")
def world() -> SecurityMaster:
    return read_listing(WORLD, DAY).master_with(default_master(f"{DAY:%Y%m%d}"))


def play(world: SecurityMaster, scene: Callable[[GatewayLab], Coroutine[Any, Any, None]], at: str) -> None:
    async def run() -> None:
        async with GatewayLab(at=at, master=world, day=DAY) as lab:
            await asyncio.wait_for(scene(lab), 30)

    asyncio.run(run())


async def details(ib: IB, asked: Contract) -> ContractDetails:
    (found,) = await ib.reqContractDetailsAsync(asked)
    return found


def contract_of(found: ContractDetails) -> Contract:
    assert found.contract is not None
    return found.contract


def order(action: str, qty: float, order_type: str = "MKT", **fields: Any) -> Order:
    return Order(action=action, totalQuantity=qty, orderType=order_type, **fields)


def test_the_file_of_the_guide_is_listed_found_and_traded(connect_ib: ConnectIb, until: Until, tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(\[\[stock\]\].*?)```", GUIDE.read_text(), re.DOTALL)
    file = tmp_path / "mine.toml"
    file.write_text(text)

    async def run() -> None:
        start_ns = market_start_ns(DAY, "10:00")
        market = GeneratedMarket(1, start_ns, listing=read_listing(file, DAY))
        gateway = Gateway(market, SimAccount(AccountId("DU1")), SimClock(start_ns, is_stepped=True))
        async with GatewayServer(gateway, "127.0.0.1", 0) as server:
            ib = await connect_ib(server, 1)
            found = await details(ib, Stock("ACME", "SMART", "USD"))
            assert found.contract is not None
            assert (found.longName, found.minTick, found.contract.primaryExchange) == ("ACME ROCKETS", 0.01, "NYSE")
            (month, later) = await ib.reqContractDetailsAsync(Contract(secType="FUT", symbol="COAL", exchange="NYMEX"))
            assert month.contractMonth < later.contractMonth
            gateway.advance(60 * 10**9)
            trades = [
                ib.placeOrder(contract_of(found), order("BUY", 10)),
                ib.placeOrder(contract_of(month), order("BUY", 1)),
            ]
            await until(lambda: all(trade.isDone() for trade in trades))
            assert [trade.orderStatus.status for trade in trades] == ["Filled"] * 2
            assert trades[0].fills[0].execution.price == pytest.approx(25.0, rel=0.2)
            ib.disconnect()

    asyncio.run(run())


def test_sizes_that_no_market_takes_are_refused_by_their_codes(
    world: SecurityMaster, connect_ib: ConnectIb, until: Until
) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        heard: list[int] = []
        ib.errorEvent += lambda req_id, code, text, about: heard.append(code)
        toyota = await details(ib, Stock("7203", "SMART", "JPY"))
        assert (toyota.minSize, toyota.sizeIncrement) == (100, 100)
        assert toyota.contract is not None
        for qty, code in ((50, 388), (150, 355), (100.5, 10243)):
            ib.placeOrder(contract_of(toyota), order("BUY", qty))
            await until(partial(heard.__contains__, code))
        lab.quote("7203", "2825.0", "2825.5", size=1000)
        trade = ib.placeOrder(contract_of(toyota), order("BUY", 200))
        await until(trade.isDone)
        assert trade.fills[0].execution.price == 2825.5

    play(world, scene, at="19:30")  # 9:30 of the next day in Tokyo


def test_prices_between_the_steps_of_the_market_rule_are_refused(
    world: SecurityMaster, connect_ib: ConnectIb, until: Until
) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        toyota = await details(ib, Stock("7203", "SMART", "JPY"))
        (rule_id,) = {int(one) for one in toyota.marketRuleIds.split(",")}
        rule = await ib.reqMarketRuleAsync(rule_id)
        assert rule is not None
        steps = [(step.lowEdge, step.increment) for step in rule]
        assert steps == [(0, 0.1), (1000, 0.5), (3000, 1), (10000, 5), (30000, 10)]
        lab.quote("7203", "2825.0", "2825.5", size=1000)
        heard: dict[int, int] = {}
        ib.errorEvent += lambda req_id, code, text, about: heard.update({req_id: code} if req_id > 0 else {})
        taken = {999.9: True, 999.95: False, 2825.5: True, 2825.3: False, 3001: True, 3000.5: False}
        trades = {px: ib.placeOrder(contract_of(toyota), order("BUY", 100, "LMT", lmtPrice=px)) for px in taken}
        shown = [px for px, is_taken in taken.items() if is_taken]
        await until(lambda: sum(heard.values()) >= 330 and all(trades[px].order.permId for px in shown))
        refused = {px: heard.get(trade.order.orderId) for px, trade in trades.items()}
        assert refused == {px: None if is_taken else 110 for px, is_taken in taken.items()}

    play(world, scene, at="19:30")


def test_an_ambiguous_contract_and_one_for_data_only_are_refused(
    world: SecurityMaster, connect_ib: ConnectIb, until: Until
) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        heard: list[tuple[int, str]] = []
        ib.errorEvent += lambda req_id, code, text, about: heard.append((code, text))
        ib.placeOrder(Contract(secType="STK", symbol="SAP", exchange="SMART"), order("BUY", 1))
        await until(lambda: len(heard) == 1)
        assert heard[0][0] == 200
        assert "ambiguous" in heard[0][1]
        ib.placeOrder(Stock("NOSUCH", "SMART", "USD"), order("BUY", 1))
        await until(lambda: len(heard) == 2)
        assert heard[1][0] == 200
        index = await details(ib, Index("VIX", "CBOE", "USD"))
        ib.placeOrder(contract_of(index), order("BUY", 1))
        await until(lambda: len(heard) == 3)
        assert heard[2][0] == 201

    play(world, scene, at="10:00")


def test_a_security_is_found_by_its_isin(world: SecurityMaster, connect_ib: ConnectIb) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        by_isin = Contract(secIdType="ISIN", secId="US78462F1030", exchange="SMART")
        assert contract_of(await details(ib, by_isin)).symbol == "SPY"
        assert await ib.reqContractDetailsAsync(Contract(secIdType="ISIN", secId="US0000000000")) == []
        assert (
            await ib.reqContractDetailsAsync(Stock("AAPL", "SMART", "USD", secIdType="ISIN", secId="US78462F1030"))
            == []
        )

    play(world, scene, at="10:00")


def test_an_order_waits_through_the_pause_at_noon_that_the_details_tell(
    world: SecurityMaster, connect_ib: ConnectIb, until: Until
) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        toyota = await details(ib, Stock("7203", "SMART", "JPY"))
        told = [(one.start.strftime("%H%M"), one.end.strftime("%H%M")) for one in toyota.liquidSessions()][:2]
        assert told == [("0900", "1130"), ("1230", "1530")]
        assert toyota.timeZoneId == "Japan"
        lab.quote("7203", "2825.0", "2825.5")
        trade = ib.placeOrder(contract_of(toyota), order("BUY", 100))
        await until(lambda: trade.orderStatus.status == "PreSubmitted")
        lab.advance(29 * 60)
        await ib.reqCurrentTimeAsync()
        assert not trade.fills
        lab.advance(60)
        lab.quote("7203", "2825.0", "2825.5", after_s=1)
        await until(lambda: trade.orderStatus.status == "Filled")

    play(world, scene, at="22:00")  # noon of the next day in Tokyo
