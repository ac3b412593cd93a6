"""A trader that mostly trades two stocks as one order, and each alone now and then."""

from __future__ import annotations

from tests.sim.campaign.traders import Bracketeer as Bracketeer  # the other strategies of the world come from here too
from tests.sim.campaign.traders import Trader

from ibfloor import Limit, Market, Side
from ibfloor.model.order import Order, OrdType


class Spreader(Trader):
    """Buys one symbol against two of the other, and back; limits near and far, changes, cancels."""

    def _enter(self) -> None:
        if self.random.random() < 0.25 or len(self.mids) < 2:
            super()._enter()
            return
        first, second = self.params.symbols
        near, far = self.contracts[first], self.contracts[second]
        pair = self.combo([(near, 1, Side.BUY), (far, 2, Side.SELL)])
        mid = self.mids[first] - 2 * self.mids[second]
        side = Side.SELL if self.position(near).qty > 0 else Side.BUY
        if self.random.random() < 0.2:
            side = side.opposite
        qty = self.random.randrange(1, 25)
        if self.random.random() < 0.4:
            self.submit(Market(pair, side, qty))
        else:
            self.submit(Limit(pair, side, qty, mid + side.sign * self.random.uniform(-0.15, 0.25)))

    def _change(self, order: Order) -> None:
        if order.request.asks.combo is None:
            super()._change(order)
        elif self.random.random() < 0.5:
            self.replace(order, qty=self.random.randrange(1, 25))
        elif order.request.ord_type is OrdType.LIMIT:
            first, second = self.params.symbols
            mid = self.mids[first] - 2 * self.mids[second]
            self.replace(order, limit=mid + self.random.uniform(-0.2, 0.2))
