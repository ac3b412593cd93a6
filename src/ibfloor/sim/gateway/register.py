"""What orders there are: by permanent id, by client, by family; and the accounts they are for."""

from __future__ import annotations

import msgspec

from ibfloor.sim.account import SimAccount, SimExecution
from ibfloor.sim.gateway.events import BrokerOrder

_LEG_KEYS = 10


def leg_key(perm_id: int, n: int) -> int:
    """Return the key under which an account groups the fills of one leg of an order."""
    return -(perm_id * _LEG_KEYS + n)


class Register:
    """All orders and accounts of a login. Owner: the gateway's one thread."""

    def __init__(self, account: SimAccount) -> None:
        self.account = account
        """The login's first account."""
        self.accounts = {str(account.account): account}
        self._orders: dict[int, BrokerOrder] = {}
        self._by_client: dict[tuple[int, int], int] = {}
        self._highest_id: dict[int, int] = {}
        self._watching: dict[int, set[int]] = {}
        """Orders with conditions, and the positions of those whose execution has been seen."""
        self.combo_executions: list[SimExecution] = []
        """Of combinations as a whole: told to clients, booked in no account."""

    def order(self, perm_id: int) -> BrokerOrder:
        """Return an order by its permanent id, or by the key of one of its legs; raise ``KeyError`` for none."""
        return self._orders[perm_id if perm_id > 0 else -perm_id // _LEG_KEYS]

    def add_account(self, account: SimAccount) -> None:
        """Let the login have one more account; tickets name theirs."""
        self.accounts[account.account] = account

    def account_of(self, name: str) -> SimAccount:
        """Return the account of a name, the first one for a name that is none."""
        return self.accounts.get(name, self.account)

    def executions(self) -> list[SimExecution]:
        """Return the executions of all accounts, oldest first."""
        told = [execution for account in self.accounts.values() for execution in account.executions]
        return sorted(told, key=lambda execution: execution.ts_ns)

    def told_executions(self) -> list[SimExecution]:
        """Return the executions of all accounts and those of combinations as a whole, oldest first."""
        return sorted([*self.combo_executions, *self.executions()], key=lambda execution: execution.ts_ns)

    def find(self, client_id: int, order_id: int) -> BrokerOrder | None:
        """Return the order a client placed under an id."""
        perm_id = self._by_client.get((client_id, order_id))
        return None if perm_id is None else self._orders[perm_id]

    def open_orders(self) -> list[BrokerOrder]:
        """Return all orders that can still trade, oldest first."""
        return [order for order in self._orders.values() if not order.status.is_done]

    def completed_orders(self) -> list[BrokerOrder]:
        """Return all orders that cannot, oldest first."""
        return [order for order in self._orders.values() if order.status.is_done]

    def next_order_id(self, client_id: int) -> int:
        """Return the lowest id above all that a client ever used."""
        return self._highest_id.get(client_id, 0) + 1

    def _family(self, order: BrokerOrder) -> list[BrokerOrder]:
        root = order
        while root.parent_perm_id:
            root = self._orders[root.parent_perm_id]
        family = {root.perm_id}
        for one in self._orders.values():
            if one.parent_perm_id in family:
                family.add(one.perm_id)
        return [self._orders[perm_id] for perm_id in sorted(family) if not self._orders[perm_id].status.is_done]

    def _store(self, order: BrokerOrder, **changes: object) -> BrokerOrder:
        order = msgspec.structs.replace(order, **changes)
        self._orders[order.perm_id] = order
        return order
