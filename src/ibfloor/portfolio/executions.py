"""Executions as a statement tells them: the newest revision, its fee, and how far it was from the arrival price."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from ibfloor.model.arrival import Arrival
from ibfloor.model.fact import CashMoved, FeeReported, OrderFilled, PositionMoved
from ibfloor.model.ids import UNASSIGNED, ClientOrderId, ExecId, InstrumentId, StrategyId, exec_root
from ibfloor.model.money import Currency, Money
from ibfloor.model.order import Side
from ibfloor.portfolio.chronicle import Bookings, Chronicle
from ibfloor.portfolio.figures import ZERO, Figure
from ibfloor.portfolio.worth import Prices

_ZERO = Decimal(0)


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One execution as it stands now, corrections taken in."""

    ts_ns: int
    exec_id: ExecId
    cl_ord_id: ClientOrderId | None
    strategy: StrategyId
    instrument_id: InstrumentId
    side: Side
    qty: Decimal
    px: Decimal
    currency: Currency
    multiplier: Decimal
    fee: Money | None
    arrival: Arrival | None

    @property
    def value(self) -> Decimal:
        """Return the traded value, never negative: price times quantity times multiplier."""
        return abs(self.qty * self.px * self.multiplier)

    @property
    def slippage(self) -> Figure:
        """Return what the execution cost against the arrival price, in its currency; a gain is negative."""
        if self.arrival is None:
            return Figure(None, "no arrival price")
        return Figure((self.px - self.arrival.px) * self.side.sign * self.qty * self.multiplier)

    def fee_in(self, currency: Currency) -> Figure:
        """Return the fee where it is in a currency; a fee in another one is not counted there."""
        if self.fee is None or self.fee.currency != currency:
            return ZERO
        return Figure(self.fee.amount)


def executions_of(story: Chronicle, start_ns: int, end_ns: int) -> tuple[Execution, ...]:
    """Return the executions of ``start_ns <= time < end_ns``, oldest first."""
    fills: dict[str, tuple[int, OrderFilled]] = {}
    owners: dict[str, tuple[int, StrategyId]] = {}
    fees: dict[str, tuple[int, Money]] = {}
    times: dict[str, int] = {}
    counts_ns: dict[str, int] = {}
    for booked in story.bookings:
        match booked.fact:
            case OrderFilled() as fill:
                root, revision = exec_root(fill.exec_id)
                times.setdefault(root, booked.happened_ns)
                counts_ns.setdefault(root, booked.ts_ns)
                if revision > fills.get(root, (-1, fill))[0]:
                    fills[root] = (revision, fill)
                if fill.strategy != UNASSIGNED and revision > owners.get(root, (-1, UNASSIGNED))[0]:
                    owners[root] = (revision, fill.strategy)
            case FeeReported() as told:
                root, revision = exec_root(told.exec_id)
                if revision >= fees.get(root, (-1, told.fee))[0]:
                    fees[root] = (revision, told.fee)
            case _:
                pass
    return tuple(
        _execution(times[root], fill, owners.get(root), fees.get(root), story)
        for root, (_, fill) in fills.items()
        if start_ns <= counts_ns[root] < end_ns
    )


def _execution(
    ts_ns: int, fill: OrderFilled, owner: tuple[int, StrategyId] | None, fee: tuple[int, Money] | None, story: Chronicle
) -> Execution:
    return Execution(
        ts_ns=ts_ns,
        exec_id=fill.exec_id,
        cl_ord_id=fill.cl_ord_id,
        strategy=UNASSIGNED if owner is None else owner[1],
        instrument_id=fill.instrument_id,
        side=fill.side,
        qty=fill.last_qty,
        px=fill.last_px,
        currency=fill.currency,
        multiplier=fill.multiplier,
        fee=None if fee is None else fee[1],
        arrival=None if fill.cl_ord_id is None else story.arrivals.get(fill.cl_ord_id),
    )


def flows_told(booked: Iterable[Bookings], prices: Prices) -> Iterator[tuple[int, StrategyId, str]]:
    """Yield movements that are no book entries, with when, whose and what."""
    for fact in booked:
        match fact:
            case CashMoved():
                yield fact.ts_event_ns, fact.strategy, f"{fact.reason}: {fact.amount.amount:f} {fact.amount.currency}"
            case PositionMoved():
                name = prices.name(fact.instrument_id)
                yield fact.ts_event_ns, fact.strategy, f"{fact.reason}: {fact.qty:f} {name} at {fact.px:f}"
            case _:
                pass
