"""Several accounts under one login: each order names its own, and each is told by itself."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from ibfloor.model.ids import AccountId
from ibfloor.model.money import USD
from ibfloor.sim.account import SimAccount
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.lab import GatewayLab
from ibfloor.sim.gateway.raw_client import RawClient


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
