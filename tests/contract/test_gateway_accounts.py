"""Several accounts under one login: each order names its own, and each is told by itself."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from ibfloor.model.ids import AccountId
from ibfloor.model.money import USD, Currency
from ibfloor.sim.account import SimAccount
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.raw_client import RawClient, Told

EUR = Currency("EUR")


def test_an_order_names_its_account_and_only_that_one_moves() -> None:
    async def scenario() -> None:
        async with GatewayLab() as lab:
            second = SimAccount(AccountId("DU2000002"), {USD: Decimal(500_000)}, session="0000e0d6")
            lab.gateway.broker.add_account(second)
            lab.quote("SPY", "449.99", "450.01")
            client = await RawClient.open(lab.port)
            client.send(ask.START_API, client_id=3)
            told = await client.until("next_valid_id")
            accounts = next(each.values["accounts"] for each in told if each.name == "managed_accounts")
            assert accounts == "DU1000001,DU2000002"
            client.place(1, 10)
            await client.until("error", req_id=1, code=435)
            client.send(ask.REQ_POSITIONS)
            await client.until("position_end")
            client.place(2, 10, account="DU2000002")
            position = (await client.until("position"))[-1].values
            assert (position["account"], position["position"]) == ("DU2000002", Decimal(10))
            assert lab.account.executions == ()
            assert [execution.qty for execution in second.executions] == [10]
            client.close()

    asyncio.run(scenario())


class TwoAccounts:
    """A gateway with an account in dollars and one in euros that has dollars too; one client that listens."""

    def __init__(self, lab: GatewayLab) -> None:
        self.lab = lab
        cash = {EUR: Decimal(10_000), USD: Decimal(2_700)}
        self.euros = SimAccount(AccountId("DU2000002"), cash, base_currency=EUR, session="0000e0d6")
        lab.gateway.broker.add_account(self.euros)
        lab.quote("EUR.USD", "1.34990", "1.35010", size=1_000_000)
        lab.quote("SPY", "167.99", "168.01")

    async def client(self) -> RawClient:
        client = await RawClient.open(self.lab.port)
        client.send(ask.START_API, client_id=3)
        await client.until("next_valid_id")
        return client


def _net(told: list[Told], account: str) -> list[tuple[object, object]]:
    return [
        (one.values["value"], one.values["currency"])
        for one in told
        if one.name == "account_update_multi"
        and (one.values["key"], one.values["account"]) == ("NetLiquidation", account)
    ]


def test_each_account_is_valued_in_its_own_base_currency_every_three_minutes() -> None:
    async def scenario() -> None:
        async with GatewayLab() as lab:
            two = TwoAccounts(lab)
            client = await two.client()
            for req_id, account in ((1, "DU1000001"), (2, "DU2000002")):
                client.send(ask.REQ_ACCOUNT_UPDATES_MULTI, req_id=req_id, account=account, ledger_and_nlv=False)
                told = await client.until("account_update_multi_end", req_id=req_id)
                expected = [("1000000.00", "USD")] if req_id == 1 else [("12000.00", "EUR")]
                assert _net(told, account) == expected
            lab.advance(1)
            await client.drain()
            lab.advance(178)
            assert not [one for one in await client.drain() if one.name == "account_update_multi"]
            lab.quote("EUR.USD", "1.49990", "1.50010", size=1_000_000)
            lab.advance(3)
            told = await client.drain()
            assert _net(told, "DU1000001") == [("1000000.00", "USD")]
            assert _net(told, "DU2000002") == [("11800.00", "EUR")]
            client.close()

    asyncio.run(scenario())


def test_margin_is_that_of_the_orders_account_in_its_currency() -> None:
    async def scenario() -> None:
        async with GatewayLab() as lab:
            two = TwoAccounts(lab)
            client = await two.client()
            client.place(1, 250, account="DU2000002")
            (*_, error) = await client.until("error", req_id=1, code=201)
            assert "[12000.00 EUR] MUST EXCEED THE INITIAL MARGIN [15555.56 EUR]" in str(error.values["text"])
            client.place(2, 250, account="DU1000001")
            await client.until("order_status", order_id=2, status="Filled")
            client.place(3, 100, account="DU2000002")
            await client.until("order_status", order_id=3, status="Filled")
            assert two.euros.cash[USD] == Decimal(2_700) - Decimal("16801") - 1  # on margin: dollars are borrowed
            client.close()

    asyncio.run(scenario())


def test_profit_and_loss_are_told_for_each_account_in_its_base_currency() -> None:
    async def scenario() -> None:
        async with GatewayLab() as lab:
            two = TwoAccounts(lab)
            client = await two.client()
            for order_id, account in ((1, "DU1000001"), (2, "DU2000002")):
                client.place(order_id, 100, account=account)
                await client.until("order_status", order_id=order_id, status="Filled")
            lab.quote("SPY", "181.50", "181.52", after_s=1)
            for req_id, account, unrealized in ((7, "DU1000001", "1349.00"), (8, "DU2000002", "999.26")):
                client.send(ask.REQ_PNL, req_id=req_id, account=account)
                (*_, pnl) = await client.until("pnl", req_id=req_id)
                assert pnl.values["unrealized"] == Decimal(unrealized)  # 100 times 13.50, less a dollar of fees
            client.send(ask.REQ_PNL_SINGLE, req_id=9, account="DU2000002", con_id=756733)
            (*_, single) = await client.until("pnl_single", req_id=9)
            assert (single.values["position"], single.values["unrealized"]) == (Decimal(100), Decimal("1349.00"))
            client.close()

    asyncio.run(scenario())
