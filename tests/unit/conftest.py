"""Facts for the tests of the pure core: strategy ``sma``, one instrument, times that only go up."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import count

import pytest

from ibfloor.model.account import AccountPosition, BrokerSnapshot, ListedOrder
from ibfloor.model.fact import (
    CashMoved,
    FeeReported,
    InstrumentDefined,
    OrderFilled,
    OrderReported,
    OrderSubmitted,
    PositionMoved,
)
from ibfloor.model.ids import UNASSIGNED, AccountId, ClientOrderId, ExecId, InstrumentId, StrategyId, owner_of
from ibfloor.model.instrument import Contract, Instrument, SecurityType
from ibfloor.model.money import USD, Currency, Money
from ibfloor.model.order import OrderRequest, OrdStatus, OrdType, Side

SPY = InstrumentId(756733)


class FactMaker:
    """Makes facts; each is later than the one before, unless a time is given."""

    def __init__(self) -> None:
        self._clock = count(1_000)

    def request(
        self,
        number: int = 1,
        qty: int = 100,
        side: Side = Side.BUY,
        *,
        strategy: str = "sma",
        ord_type: OrdType = OrdType.LIMIT,
        px: str | None = "100",
        instrument_id: int = SPY,
    ) -> OrderRequest:
        price = Decimal(px) if px else None
        return OrderRequest(
            cl_ord_id=ClientOrderId(f"{strategy}:{number}"),
            strategy=StrategyId(strategy),
            instrument_id=InstrumentId(instrument_id),
            side=side,
            order_qty=Decimal(qty),
            ord_type=ord_type,
            limit_px=price if ord_type is OrdType.LIMIT else None,
            stop_px=price if ord_type is OrdType.STOP else None,
        )

    def submitted(self, request: OrderRequest, *, client_id: int = 7, order_id: int = 41) -> OrderSubmitted:
        ts = next(self._clock)
        return OrderSubmitted(ts_event_ns=ts, ts_init_ns=ts, request=request, client_id=client_id, order_id=order_id)

    def filled(
        self,
        qty: int | str = 100,
        px: str = "100",
        exec_id: str = "a.01",
        ref: str | None = "sma:1",
        *,
        side: Side = Side.BUY,
        ts: int = 0,
        perm_id: int = 0,
        instrument_id: int = SPY,
        multiplier: str = "1",
    ) -> OrderFilled:
        ts = ts or next(self._clock)
        return OrderFilled(
            ts_event_ns=ts,
            ts_init_ns=ts,
            exec_id=ExecId(exec_id),
            cl_ord_id=ClientOrderId(ref) if ref else None,
            strategy=(owner_of(ref) if ref else None) or UNASSIGNED,
            instrument_id=InstrumentId(instrument_id),
            side=side,
            last_qty=Decimal(qty),
            last_px=Decimal(px),
            currency=USD,
            multiplier=Decimal(multiplier),
            perm_id=perm_id,
        )

    def reported(
        self, status: OrdStatus, *, cum_qty: int = 0, perm_id: int = 0, ref: str = "sma:1", text: str = ""
    ) -> OrderReported:
        ts = next(self._clock)
        return OrderReported(
            ts_event_ns=ts,
            ts_init_ns=ts,
            cl_ord_id=ClientOrderId(ref),
            status=status,
            cum_qty=Decimal(cum_qty),
            perm_id=perm_id,
            text=text,
        )

    def fee(self, exec_id: str = "a.01", amount: str = "1") -> FeeReported:
        ts = next(self._clock)
        return FeeReported(ts_event_ns=ts, ts_init_ns=ts, exec_id=ExecId(exec_id), fee=Money(Decimal(amount), USD))

    def cash(self, amount: str, *, strategy: str = "sma", currency: str = "USD", ts: int = 0) -> CashMoved:
        ts = ts or next(self._clock)
        money = Money(Decimal(amount), Currency(currency))
        return CashMoved(ts_event_ns=ts, ts_init_ns=ts, strategy=StrategyId(strategy), amount=money, reason="test")

    def moved(self, qty: int, px: str, *, strategy: str = "sma", ts: int = 0) -> PositionMoved:
        ts = ts or next(self._clock)
        return PositionMoved(
            ts_event_ns=ts,
            ts_init_ns=ts,
            strategy=StrategyId(strategy),
            instrument_id=SPY,
            qty=Decimal(qty),
            px=Decimal(px),
            currency=USD,
            multiplier=Decimal(1),
            reason="test",
        )

    def instrument(
        self,
        security_type: SecurityType = SecurityType.STOCK,
        symbol: str = "SPY",
        *,
        instrument_id: int = SPY,
        multiplier: str = "1",
        currency: str = "USD",
    ) -> Instrument:
        contract = Contract(security_type=security_type, symbol=symbol, currency=Currency(currency))
        return Instrument(
            instrument_id=InstrumentId(instrument_id),
            contract=contract,
            local_symbol=symbol,
            currency=Currency(currency),
            multiplier=Decimal(multiplier),
        )

    def defined(self, instrument: Instrument) -> InstrumentDefined:
        ts = next(self._clock)
        return InstrumentDefined(ts_event_ns=ts, ts_init_ns=ts, instrument=instrument)

    def listed(
        self,
        status: OrdStatus = OrdStatus.NEW,
        *,
        ref: str = "sma:1",
        perm_id: int = 9001,
        cum_qty: int = 0,
        qty: int = 100,
    ) -> ListedOrder:
        return ListedOrder(
            order_ref=ref,
            perm_id=perm_id,
            client_id=7,
            order_id=41,
            instrument_id=SPY,
            side=Side.BUY,
            ord_type=OrdType.LIMIT,
            limit_px=Decimal(100),
            order_qty=Decimal(qty),
            status=status,
            cum_qty=Decimal(cum_qty),
        )

    def snapshot(
        self,
        *,
        working: Sequence[ListedOrder] = (),
        completed: Sequence[ListedOrder] = (),
        fills: Sequence[OrderFilled] = (),
        fees: Sequence[FeeReported] = (),
        positions: Sequence[AccountPosition] = (),
        cash: Sequence[Money] = (),
    ) -> BrokerSnapshot:
        return BrokerSnapshot(
            ts_event_ns=next(self._clock),
            account=AccountId("DU1"),
            base_currency=USD,
            open_orders=tuple(working),
            completed_orders=tuple(completed),
            fills=tuple(fills),
            fees=tuple(fees),
            positions=tuple(positions),
            cash=tuple(cash),
            net_liquidation=Money(Decimal(0), USD),
        )


@pytest.fixture(scope="session")
def facts() -> FactMaker:
    """Return the maker; it keeps no state but its clock."""
    return FactMaker()
