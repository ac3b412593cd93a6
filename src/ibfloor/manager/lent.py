"""Sessions under the client ids of strategies that are gone: their orders were handed to another strategy.

Only the client that placed an order can change or cancel it. So the strategy that has the orders now
holds a session for each such client beside its own. Owner: the strategy's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ibfloor.broker.port import OrderSession
from ibfloor.model.errors import ConfigError, ConnectivityError
from ibfloor.model.ids import StrategyId, owner_of
from ibfloor.model.order import Order, OrderRequest, Refusal


class LentSessions:
    """The sessions of one worker beside its own."""

    def __init__(
        self,
        make: Callable[[StrategyId, int], OrderSession],
        recheck: Callable[[OrderRequest], Refusal | None],
        own_client_id: int,
    ) -> None:
        self._make = make
        self._recheck = recheck
        self._own = own_client_id
        self.by_client: dict[int, OrderSession] = {}
        self._names: frozenset[StrategyId] = frozenset()

    def has(self, name: StrategyId) -> bool:
        """Tell whether one of them is under a strategy's client id; any thread may ask."""
        return name in self._names

    async def open(self, orders: Iterable[Order]) -> None:
        """Connect as every client that placed one of these orders; raises ``ConnectivityError`` when it cannot."""
        for order in orders:
            if order.client_id == self._own or order.client_id in self.by_client:
                continue
            placed_by = owner_of(order.cl_ord_id)
            assert placed_by is not None
            self._names |= {placed_by}
            session = self.by_client[order.client_id] = self._make(placed_by, order.client_id)
            session.recheck = self._recheck
            try:
                await session.open()
            except ConfigError as error:  # the gateway may still hold the id from before: worth another try
                raise ConnectivityError(str(error)) from error

    def sever(self) -> None:
        """Cut all of them, from any thread: the owner's own hangs."""
        for session in list(self.by_client.values()):
            session.sever()

    async def close(self) -> None:
        """Disconnect for good."""
        for session in self.by_client.values():
            await session.close()
        self._names = frozenset()
