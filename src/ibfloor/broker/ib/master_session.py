"""The account's own connection (client id 0): every order, execution, position and the cash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from ib_async import Contract, ExecutionFilter, Order, OrderState

from ibfloor.broker.ib.client import LeanClient, LeanHandler
from ibfloor.broker.ib.convert import number, position_instrument, to_combo, to_ord_type, to_side, to_status
from ibfloor.broker.ib.order_messages import (
    COMMISSION,
    EXEC_DETAILS,
    ORDER_STATUS,
    StatusMessage,
    Summaries,
    read_fee,
    read_status,
)
from ibfloor.broker.ib.session import IbSession
from ibfloor.broker.ib.settings import IbWiring
from ibfloor.broker.ib.wrapper import Handler
from ibfloor.broker.port import AccountSink
from ibfloor.crash_points import reach
from ibfloor.model.account import AccountPosition, AccountReported, BrokerSnapshot, ListedOrder
from ibfloor.model.errors import ConfigError, ConnectivityError
from ibfloor.model.fact import FeeReported, OrderFilled
from ibfloor.model.ids import AccountId, InstrumentId
from ibfloor.model.money import Currency, Money
from ibfloor.model.order import OrdType

OnReadOnly = Callable[[bool], None]
"""Called after every connect with whether the API may only read."""

_PREVIEWED = Contract(conId=12087792, symbol="EUR", secType="CASH", exchange="IDEALPRO", currency="USD")
_OPEN, _COMPLETED, _POSITIONS, _FEES = "open orders", "completed orders", "positions", "fees"
_SUMMARY_TAGS = "NetLiquidation,TotalCashValue,GrossPositionValue,BuyingPower,$LEDGER:ALL"


class IbMasterSession(IbSession):
    """``port.MasterSession`` over TWS's API. Owner: the account thread."""

    def __init__(
        self,
        wiring: IbWiring,
        account_sink: AccountSink,
        *,
        client_id: int = 0,
        name: str = "master",
        on_read_only: OnReadOnly | None = None,
    ) -> None:
        super().__init__(name, client_id, wiring)
        self._tell_read_only = on_read_only
        self._preview_id = 0
        self._account_sink = account_sink
        self._accounts: list[str] = []
        self._one_snapshot = asyncio.Lock()
        self._one_list = asyncio.Lock()
        self._statuses: dict[int, StatusMessage] = {}
        self._summaries = Summaries()
        self._values: list[tuple[str, str, str]] = []

    @property
    def account(self) -> AccountId:
        """Return the account in use: the configured one, else the first the broker manages."""
        return AccountId(self._settings.account or (self._accounts[0] if self._accounts else ""))

    async def snapshot(self) -> BrokerSnapshot:
        """Ask for the whole account, executions after orders.

        Raises ``ConnectivityError`` when any part does not end in time.
        """
        async with self._one_snapshot:
            began_ns = self._clock.now_ns()
            self._statuses.clear()
            fees = self._requests.start(_FEES)
            try:
                reach("snapshot.begun")
                open_orders = await self._ask_open()
                reach("snapshot.open_orders")
                completed = await self._ask(_COMPLETED, "reqCompletedOrders", False)
                reach("snapshot.completed_orders")
                fills = await self._ask_executions()
                reach("snapshot.executions")
                positions = await self._ask(_POSITIONS, "reqPositions")
                reach("snapshot.positions")
                summary = await self._ask_summary()
                reach("snapshot.summary")
                self._live_client().cancelPositions()  # type: ignore[no-untyped-call]
            finally:
                self._requests.end(_FEES)
                fee_items = await self._requests.answer(fees, timeout_s=1.0, what=_FEES)
        return self._build(began_ns, open_orders, completed, fills, fee_items, positions, summary)

    async def open_orders(self) -> tuple[ListedOrder, ...]:
        """Ask for what works now, whoever placed it; raises ``ConnectivityError`` as ``snapshot`` does."""
        return tuple(self._still_open(await self._ask_open()))

    def cancel_everything(self) -> None:
        """Cancel every working order of the account; raises ``ConnectivityError`` when nothing was written."""
        self._live_client().reqGlobalCancel()  # type: ignore[no-untyped-call]

    def cancel_foreign(self, client_id: int, order_id: int) -> None:
        """Cancel an order of client 0 or one bound to it; raises ``ConnectivityError`` for another client's."""
        if client_id != self._client_id:
            raise ConnectivityError(
                f"order {order_id} belongs to client id {client_id}: only that session can cancel it alone"
            )
        self._live_client().cancelOrder(order_id)  # type: ignore[no-untyped-call]

    # asking

    async def _ask(self, key: str | int, method: str, *arguments: Any) -> list[Any]:
        client = self._live_client()
        pending = self._requests.start(key)
        getattr(client, method)(*arguments)
        return await self._requests.answer(pending, timeout_s=self._settings.request_timeout_s, what=method)

    async def _ask_open(self) -> list[Any]:
        async with self._one_list:  # a kill looks while a snapshot is under way
            return await self._ask(_OPEN, "reqAllOpenOrders")

    async def _ask_executions(self) -> list[OrderFilled]:
        req_id = self._requests.next_id()
        return await self._ask(req_id, "reqExecutions", req_id, ExecutionFilter())

    async def _ask_summary(self) -> list[tuple[str, str, str, str]]:
        req_id = self._requests.next_id()
        rows = await self._ask(req_id, "reqAccountSummary", req_id, "All", _SUMMARY_TAGS)
        self._live_client().cancelAccountSummary(req_id)  # type: ignore[no-untyped-call]
        self._values += [(tag, value, currency) for account, tag, value, currency in rows if account == self.account]
        self._report_account(is_asked=True)  # updates are minutes apart: rates and cash are as new as the snapshot
        return rows

    async def _prepare(self, client: LeanClient) -> None:
        self._accounts = list(client.getAccounts())
        if self._settings.account and self._settings.account not in self._accounts:
            raise ConfigError(
                f"[floor] account: {self._settings.account} is not among the accounts of this login "
                f"({', '.join(self._accounts)}): correct it, or leave it out to take the login's only one"
            )
        self._values.clear()
        if self._client_id == 0:
            client.reqAutoOpenOrders(True)  # type: ignore[no-untyped-call]
        client.reqAccountUpdates(True, self.account)  # type: ignore[no-untyped-call]
        self._ask_may_trade(client)

    def _ask_may_trade(self, client: LeanClient) -> None:
        # A preview is never an order, and it is refused as one where the API may only read.
        if self._tell_read_only is None:
            return
        order = Order(
            action="BUY", totalQuantity=25_000, orderType="MKT", whatIf=True, account=self.account, orderRef="may-trade"
        )
        self._preview_id = client.getReqId()
        client.placeOrder(self._preview_id, _PREVIEWED, order)  # type: ignore[no-untyped-call]

    def _on_request_error(self, req_id: int, code: int, text: str) -> None:
        if req_id != self._preview_id:
            super()._on_request_error(req_id, code, text)
            return
        self._told_may_trade(code == 321 and "read-only" in text.lower())

    def _told_may_trade(self, is_read_only: bool) -> None:
        self._preview_id = 0
        if self._tell_read_only is not None:
            self._tell_read_only(is_read_only)

    # messages

    def _handlers(self) -> dict[str, Handler]:
        requests = self._requests
        return {
            **super()._handlers(),
            "openOrder": self._on_open_order,
            "openOrderEnd": lambda: requests.end(_OPEN),
            "completedOrder": self._on_completed_order,
            "completedOrdersEnd": lambda: requests.end(_COMPLETED),
            "execDetailsEnd": requests.end,
            "position": self._on_position,
            "positionEnd": lambda: requests.end(_POSITIONS),
            "accountSummary": lambda req_id, *row: requests.add(req_id, row),
            "accountSummaryEnd": requests.end,
            "updateAccountValue": self._on_account_value,
            "updateAccountTime": lambda _: self._report_account(),
            "accountDownloadEnd": lambda _: self._report_account(),
            "updatePortfolio": lambda *_: None,  # positions are asked for, with their end marker
        }

    def _lean_handlers(self) -> Mapping[bytes, LeanHandler]:
        return {ORDER_STATUS: self._on_status, EXEC_DETAILS: self._on_execution, COMMISSION: self._on_commission}

    def _on_status(self, fields: list[bytes]) -> None:
        message = read_status(fields)
        self._statuses[message.perm_id] = message

    def _on_open_order(self, _order_id: int, contract: Contract, order: Order, state: OrderState) -> None:
        if not order.whatIf:
            self._requests.add(_OPEN, (contract, order, state))
        elif self._preview_id:
            self._told_may_trade(False)

    def _on_completed_order(self, contract: Contract, order: Order, state: OrderState) -> None:
        # At once: what the library decodes is several times as large, and a day has many orders.
        self._requests.add(_COMPLETED, self._open_order(contract, order, state))

    def _on_execution(self, fields: list[bytes]) -> None:
        if self._summaries.is_execution(fields):
            return
        fill = self._read_fill(fields, None)
        req_id = int(fields[1])
        if self._requests.is_open(req_id):
            self._requests.add(req_id, fill)
        else:
            reach("account.execution")
            self._tell(fill)

    def _on_commission(self, fields: list[bytes]) -> None:
        if not self._summaries.is_fee(fields) and (fee := read_fee(fields, self._clock.now_ns())):
            self._requests.add(_FEES, fee)
            reach("account.commission")
            self._tell(fee)

    def _on_position(self, account: str, contract: Contract, qty: float, avg_cost: float) -> None:
        if account == self.account:
            self._requests.add(_POSITIONS, (contract, qty, avg_cost))

    def _on_account_value(self, key: str, value: str, currency: str, account: str) -> None:
        if account in (self.account, ""):
            self._values.append((key, value, currency))

    def _report_account(self, *, is_asked: bool = False) -> None:
        if self._values:
            values, self._values = tuple(self._values), []
            now_ns = self._clock.now_ns()
            self._account_sink(
                AccountReported(ts_event_ns=now_ns, account=self.account, values=values, is_asked=is_asked)
            )

    # the snapshot

    def _build(
        self,
        began_ns: int,
        open_orders: list[tuple[Contract, Order, OrderState]],
        completed: list[ListedOrder],
        fills: list[OrderFilled],
        fees: list[FeeReported],
        positions: list[tuple[Contract, float, float]],
        summary: list[tuple[str, str, str, str]],
    ) -> BrokerSnapshot:
        rows = [(tag, value, currency) for account, tag, value, currency in summary if account == self.account]
        net = next(((value, currency) for tag, value, currency in rows if tag == "NetLiquidation" and currency), None)
        if net is None:
            raise ConnectivityError(f"the account summary of {self.account!r} has no NetLiquidation")
        return BrokerSnapshot(
            ts_event_ns=began_ns,
            account=self.account,
            base_currency=Currency(net[1]),
            open_orders=tuple(self._still_open(open_orders)),
            completed_orders=tuple({listed.perm_id: listed for listed in completed}.values()),
            fills=tuple(fills),
            fees=tuple(fees),
            positions=tuple(_position(*listed) for listed in _last_by_con_id(positions)),
            cash=_cash(rows),
            net_liquidation=Money(number(net[0]) or Decimal(0), Currency(net[1])),
        )

    def _still_open(self, listed: list[tuple[Contract, Order, OrderState]]) -> Iterator[ListedOrder]:
        # A live openOrder of before the list may have been read within it, of an order that is over by now.
        for contract, order, state in _last_by_perm_id(listed):
            heard = self._statuses.get(order.permId)
            shown = self._open_order(contract, order, state)
            if not shown.status.is_done and not (heard is not None and heard.status.is_done):
                yield shown

    def _open_order(self, contract: Contract, order: Order, state: OrderState) -> ListedOrder:
        heard = self._statuses.get(order.permId)
        cum_qty = heard.cum_qty if heard else number(order.filledQuantity) or Decimal(0)
        qty = number(order.totalQuantity) or Decimal(0)
        ord_type = to_ord_type(order.orderType)
        # IB moves the prices of trailing and pegged orders by itself: those are no change of the order.
        has_limit = not isinstance(ord_type, OrdType) or ord_type.has_limit
        has_stop = not isinstance(ord_type, OrdType) or ord_type.has_stop
        return ListedOrder(
            order_ref=order.orderRef,
            perm_id=order.permId,
            client_id=order.clientId,
            order_id=order.orderId,
            instrument_id=InstrumentId(contract.conId),
            side=to_side(order.action),
            ord_type=ord_type,
            order_qty=qty or cum_qty,  # a completed order is listed with what remains of it: nothing
            status=to_status(state.status, cum_qty, qty - cum_qty),
            limit_px=(number(order.lmtPrice) or None) if has_limit else None,
            stop_px=(number(order.auxPrice) or None) if has_stop else None,
            cum_qty=cum_qty,
            text=state.warningText or state.completedStatus,
            symbols=(contract.symbol, contract.localSymbol),
            combo=to_combo(contract, order.smartComboRoutingParams),
        )


def _last_by_perm_id(
    listed: list[tuple[Contract, Order, OrderState]],
) -> list[tuple[Contract, Order, OrderState]]:
    # An order that changes while the list is sent comes twice: the later is true.
    return list({order.permId: (contract, order, state) for contract, order, state in listed}.values())


def _last_by_con_id(listed: list[tuple[Contract, float, float]]) -> list[tuple[Contract, float, float]]:
    return list({contract.conId: (contract, qty, cost) for contract, qty, cost in listed}.values())


def _position(contract: Contract, qty: float, avg_cost: float) -> AccountPosition:
    instrument = position_instrument(contract)
    cost = number(avg_cost) or Decimal(0)
    # IB's average cost of a future or option contains the multiplier.
    return AccountPosition(instrument=instrument, qty=number(qty) or Decimal(0), avg_px=cost / instrument.multiplier)


def _cash(rows: list[tuple[str, str, str]]) -> tuple[Money, ...]:
    # IB's cash counts what futures have gained since their last settlement, which nobody has paid yet: it moves
    # with every tick. FuturesPNL is that part, in the same answer.
    unpaid = {currency: number(value) or Decimal(0) for key, value, currency in rows if key == "FuturesPNL"}
    for tag in ("TotalCashBalance", "CashBalance", "TotalCashValue"):
        found = [(value, currency) for key, value, currency in rows if key == tag and currency not in ("", "BASE")]
        if found:
            return tuple(
                Money((number(value) or Decimal(0)) - unpaid.get(currency, Decimal(0)), Currency(currency))
                for value, currency in found
            )
    return ()
