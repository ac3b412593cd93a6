"""The broker that can be made to go wrong: forked orders, fills out of turn, corrections, busts."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.sim.account import SimExecution
from ibfloor.sim.exchange.values import Filled
from ibfloor.sim.gateway.conditional import ConditionalBroker
from ibfloor.sim.gateway.events import ZERO, Executed, Ticket

FIRST_REVISION = ".01"


class FallibleBroker(ConditionalBroker):
    """A broker that also does what faults ask of it. Owner: the gateway's one thread."""

    forks_changes = False
    """While set, a change of a working order becomes a second one under its id, as an outage can do."""

    def place(self, client_id: int, order_id: int, ticket: Ticket, now_ns: int) -> None:
        """Take a new order, a change of a working one, or a fork of it."""
        old = self.find(client_id, order_id)
        if self.forks_changes and old is not None and not old.status.is_done and not ticket.what_if:
            self._accept(client_id, order_id, ticket, now_ns)
        else:
            super().place(client_id, order_id, ticket, now_ns)

    def cancel(self, client_id: int, order_id: int, now_ns: int) -> None:
        """Cancel a client's own order; of a forked one the newest that still works."""
        newest = self.find(client_id, order_id)
        working = [order for order in self.open_orders() if (order.client_id, order.order_id) == (client_id, order_id)]
        if newest is not None and newest.status.is_done and working:
            self._cancel(working[-1], now_ns)
        else:
            super().cancel(client_id, order_id, now_ns)

    def roll_back_ids(self, by: int) -> None:
        """Let every client's order ids fall back; orders that are over give free the ids above."""
        for client_id, highest in self._highest_id.items():
            self._highest_id[client_id] = max(0, highest - by)
        for (client_id, order_id), perm_id in list(self._by_client.items()):
            if order_id > self._highest_id.get(client_id, 0) and self._orders[perm_id].status.is_done:
                del self._by_client[client_id, order_id]

    def fill_rest(self, perm_id: int, now_ns: int, share: Decimal = Decimal(1)) -> None:
        """Fill what is left of an order, or a share of it, even of one that was canceled."""
        order = self._orders[perm_id]
        rest, lot = order.ticket.qty - order.filled_qty, order.ticket.instrument.lot_size
        qty = rest if share == 1 else min(rest, max(lot, rest * share // lot * lot))
        if qty > ZERO:
            px = order.ticket.limit_px or self._price_of(order.ticket.instrument.instrument_id)
            events = self._exchange.fill(perm_id, qty, px, now_ns)
            # one that the exchange holds no more was canceled, or never sent
            self._apply(events or [Filled(key=perm_id, ts_ns=now_ns, qty=qty, px=px, leaves_qty=rest - qty)])

    def correct(self, execution: SimExecution, px: Decimal, now_ns: int) -> None:
        """Give an execution another price, under the next revision of its id; once only, and no leg's."""
        order = self._orders.get(execution.order_key)
        if order is None:
            return
        account = self.account_of(order.ticket.account)
        if execution not in account.executions or not execution.exec_id.endswith(FIRST_REVISION):
            return  # it was taken back, or corrected before
        revised = account.revise(execution.exec_id, px, execution.qty, now_ns)
        assert revised is not None, "only a quantity of zero busts"
        order = self._store(order, avg_px=revised.avg_px, last_px=revised.px)
        self._emit(Executed(order=order, execution=revised))

    def bust(self, execution: SimExecution) -> None:
        """Take an execution back, corrected or not; its order says nothing of it."""
        account = self.account_of(self.order(execution.order_key).ticket.account)
        root = _root(execution)
        for one in account.executions:
            if _root(one) == root:
                account.revise(one.exec_id, one.px, ZERO, one.ts_ns)


def _root(execution: SimExecution) -> str:
    return execution.exec_id.rpartition(".")[0]
