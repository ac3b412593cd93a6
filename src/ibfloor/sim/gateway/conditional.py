"""Orders that look at other things: their conditions are watched here, and a child may take its parent along.

A condition is met or not at every moment; an execution once seen stays so. They are joined from left
to right. Unless the order ignores the hours, what looks at a contract is met in its regular hours only.
"""

from __future__ import annotations

from decimal import Decimal

from ibfloor.sim.account import SimAccount
from ibfloor.sim.exchange.values import Filled, MarketTick
from ibfloor.sim.gateway.core import Broker
from ibfloor.sim.gateway.events import BrokerOrder, Condition, ConditionKind, Conditions, IbStatus, Ticket
from ibfloor.sim.gateway.looks import Looks


class ConditionalBroker(Broker):
    """A broker that holds, releases and cancels orders by their conditions. Owner: the gateway's one thread."""

    looks: Looks | None = None
    """How conditions see the market; without it they are never met."""

    def on_tick(self, tick: MarketTick) -> None:
        """Let the exchange see a tick, then the conditions."""
        super().on_tick(tick)
        if self._watching:
            assert self.looks is not None, "nothing is watched without looks"
            self.looks.on_tick(tick)
            self._check_all(tick.ts_ns)

    def on_time(self, now_ns: int) -> None:
        """Let time pass for the orders and their conditions."""
        super().on_time(now_ns)
        self._check_all(now_ns)

    def _send(self, order: BrokerOrder, now_ns: int) -> None:
        super()._send(order, now_ns)
        self._watch(order.perm_id, now_ns)

    def _change(self, old: BrokerOrder, ticket: Ticket, now_ns: int) -> None:
        super()._change(old, ticket, now_ns)
        if not self._orders[old.perm_id].is_held:
            self._watch(old.perm_id, now_ns)

    def _watch(self, perm_id: int, now_ns: int) -> None:
        order = self._orders[perm_id]
        if order.ticket.conditions is not None and self.looks is not None and not order.status.is_done:
            self._watching.setdefault(perm_id, set())
            self._check(perm_id, now_ns)
        elif self._watching.pop(perm_id, None) is not None and not order.status.is_done:
            self._apply(self._exchange.release(perm_id, now_ns))  # a change has taken its conditions away

    def _check_all(self, now_ns: int) -> None:
        for perm_id in list(self._watching):
            if perm_id in self._watching:  # what another one set off may have ended it
                self._check(perm_id, now_ns)

    def _check(self, perm_id: int, now_ns: int) -> None:
        order = self._orders[perm_id]
        conditions = order.ticket.conditions
        if order.status.is_done or conditions is None:
            self._watching.pop(perm_id, None)
            return
        if not order.is_held and self._are_met(order, conditions, now_ns):
            del self._watching[perm_id]
            if conditions.cancels:
                self._apply(self._exchange.cancel(perm_id, now_ns))
            else:
                self._apply(self._exchange.release(perm_id, now_ns))

    def _are_met(self, order: BrokerOrder, conditions: Conditions, now_ns: int) -> bool:
        assert self.looks is not None, "nothing is watched without looks"
        account = self.account_of(order.ticket.account)
        return self.looks.are_met(conditions, self._watching[order.perm_id], lambda: self._cushion(account), now_ns)

    def _cushion(self, account: SimAccount) -> Decimal | None:
        return None if self._credit is None else self._credit.cushion(account)

    def _fill(self, order: BrokerOrder, fill: Filled) -> None:
        super()._fill(order, fill)
        for perm_id, seen in list(self._watching.items()):
            conditions = self._orders[perm_id].ticket.conditions
            assert conditions is not None, "only orders with conditions are watched"
            ticket = order.ticket
            seen.update(n for n, one in enumerate(conditions.all) if _sees(one, ticket))

    def _end(self, order: BrokerOrder, status: IbStatus, reason: str, now_ns: int) -> None:
        super()._end(order, status, reason, now_ns)
        parent = self._orders.get(order.parent_perm_id)
        if order.ticket.attributes.get("auto_cancel_parent") and parent is not None and not parent.status.is_done:
            self._cancel(parent, now_ns)


def _sees(condition: Condition, ticket: Ticket) -> bool:
    contract = ticket.instrument.contract
    return (
        condition.kind is ConditionKind.EXECUTION
        and condition.symbol == contract.symbol
        and condition.sec_type in ("", contract.security_type)
        and condition.exchange in ("", "SMART", ticket.exchange)
    )
