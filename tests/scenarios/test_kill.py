"""The kill switch ends what is ours, once for the account, and leaves to a person what the person does after it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ib_async import IB, LimitOrder, Stock

from ibfloor.sim.faults import actions as do

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WORKING = ("PreSubmitted", "Submitted", "PendingSubmit")

RESTING = """
from ibfloor import Quote, Stock, Strategy, StrategyParams

class Params(StrategyParams):
    symbol: str = "SPY"

class Resting(Strategy[Params]):
    def on_start(self) -> None:
        self.stock = Stock(self.params.symbol)
        self.subscribe_quotes(self.stock)
        self.is_placed = False

    def on_quote(self, quote: Quote) -> None:
        if not self.is_placed and quote.bid_px == quote.bid_px:
            self.is_placed = True
            self.buy(self.stock, 10, limit=round(quote.bid_px * 0.97, 2))
"""


def working(scene: Any) -> list[str]:
    return [row.order_ref for row in scene.book().orders if row.status in WORKING]


def test_a_kill_cancels_the_account_once_and_a_persons_later_orders_are_left_alone(scene: Any) -> None:
    file = scene.folder / "resting.py"
    file.write_text(RESTING)
    scene.write_config(f'[[strategy]]\nname = "resting"\nfile = "{file}"\n')
    floor = scene.floor()
    scene.until(lambda: working(scene), floor)
    # Neither the global cancels of the kill nor the strategy's own get through, until the gateway is mended.
    scene.break_gateway(do.Drop(), "in:req_global_cancel", times=0)
    scene.break_gateway(do.Drop(), "in:cancel_order", times=0)
    denied = scene.cli("kill", "drill")
    assert (denied.returncode, "may still work" in denied.stderr) == (1, True)

    async def trade_by_hand() -> None:
        ib = IB()
        await ib.connectAsync("127.0.0.1", scene.port, clientId=77)
        spy = Stock("SPY", "SMART", "USD")
        await ib.qualifyContractsAsync(spy)
        order = LimitOrder("BUY", 7, 1.0, orderRef="by hand")
        ib.placeOrder(spy, order)
        await asyncio.to_thread(scene.until, lambda: "by hand" in working(scene), floor)
        ib.disconnect()

    asyncio.run(trade_by_hand())
    scene.mend_gateway()
    scene.until(lambda: "resting:1" not in working(scene), floor, 60)
    assert working(scene) == ["by hand"]
