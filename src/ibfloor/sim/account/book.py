"""The book of one account, as the broker keeps it; conventions in ``sim.account``."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from ibfloor.model.ids import AccountId, ExecId, InstrumentId
from ibfloor.model.instrument import Instrument, SecurityType
from ibfloor.model.money import USD, Currency
from ibfloor.model.order import Side
from ibfloor.sim.account.position import SimPosition
from ibfloor.sim.account.values import account_values
from ibfloor.sim.exchange.fees import FIXED_FEES, FeeSchedule, Traded

ZERO = Decimal(0)
VARIATION = "variation"
_EXEC_EPOCH = 0x65A10000


class SimExecution(msgspec.Struct, frozen=True, kw_only=True):
    """One execution as the broker reports it; ``realised_pnl`` is ``None`` when nothing was closed."""

    exec_id: ExecId
    order_key: int
    ts_ns: int
    instrument: Instrument
    side: Side
    qty: Decimal
    px: Decimal
    cum_qty: Decimal
    avg_px: Decimal
    commission: Decimal
    currency: Currency
    realised_pnl: Decimal | None


class AccountMove(msgspec.Struct, frozen=True, kw_only=True):
    """A change without an execution: a dividend, a settlement, an exercise, a split."""

    kind: str
    ts_ns: int
    currency: Currency
    instrument: Instrument | None = None
    qty: Decimal = ZERO
    """Added to the position, at ``px``."""
    px: Decimal = ZERO
    amount: Decimal = ZERO
    """Added to cash, beside what ``qty`` at ``px`` costs."""


class SimAccount:
    """Cash, positions and executions of one account. Owner: the gateway's one thread."""

    def __init__(
        self,
        account: AccountId,
        cash: Mapping[Currency, Decimal] | None = None,
        *,
        base_currency: Currency = USD,
        fees: Mapping[SecurityType, FeeSchedule] | None = None,
        session: str = "0000e0d5",
    ) -> None:
        self.account = account
        self.base_currency = base_currency
        self._fees = FIXED_FEES if fees is None else fees
        self._session = session
        self._cash = dict(cash) if cash is not None else {base_currency: Decimal(1_000_000)}
        self._cash.setdefault(base_currency, ZERO)
        self.opening_cash = dict(self._cash)
        """What it began with, before any execution or move."""
        self._positions: dict[InstrumentId, SimPosition] = {}
        self._executions: list[SimExecution] = []
        self._booked = 0
        self._moves: list[AccountMove] = []
        self._traded: dict[int, tuple[Traded, Traded]] = {}

    @property
    def cash(self) -> dict[Currency, Decimal]:
        """Return settled cash per currency, a copy."""
        return dict(self._cash)

    @property
    def positions(self) -> tuple[SimPosition, ...]:
        """Return every position held now and every one closed before (quantity 0)."""
        return tuple(self._positions.values())

    @property
    def executions(self) -> tuple[SimExecution, ...]:
        """Return all executions, oldest first."""
        return tuple(self._executions)

    @property
    def moves(self) -> tuple[AccountMove, ...]:
        """Return every change without an execution, oldest first."""
        return tuple(self._moves)

    def position(self, instrument_id: InstrumentId) -> SimPosition | None:
        """Return the position in one instrument; ``None`` when it was never traded."""
        return self._positions.get(instrument_id)

    def book(
        self, order_key: int, instrument: Instrument, side: Side, qty: Decimal, px: Decimal, ts_ns: int
    ) -> SimExecution:
        """Take one fill of an order into the books; return the execution with its commission.

        ``order_key`` groups fills of one order, for its average price and its fees' minimum.
        """
        kind = instrument.contract.security_type
        self._booked += 1
        before, priced = self._traded.get(order_key, (Traded(), Traded()))
        after = before.plus(qty, px, instrument.multiplier)
        priced = priced.plus(qty, px)
        self._traded[order_key] = (after, priced)
        fee = self._fees[kind].fill_fee(before, after)
        realised_pnl = self._trade(instrument, side, qty, px, fee)
        execution = SimExecution(
            exec_id=ExecId(f"{self._session}.{_EXEC_EPOCH + self._booked:08x}.01.01"),
            order_key=order_key,
            ts_ns=ts_ns,
            instrument=instrument,
            side=side,
            qty=qty,
            px=px,
            cum_qty=priced.qty,
            avg_px=priced.value / priced.qty,
            commission=fee,
            currency=instrument.currency,
            realised_pnl=realised_pnl,
        )
        self._executions.append(execution)
        return execution

    def revise(self, exec_id: ExecId, px: Decimal, qty: Decimal, ts_ns: int) -> SimExecution | None:
        """Correct an execution, told under the next revision of its id; quantity 0 busts it.

        Taken back at its old price, booked again at the new one; returns ``None`` for a bust. Raises
        ``KeyError`` for an id that is none.
        """
        old = next((one for one in reversed(self._executions) if one.exec_id == exec_id), None)
        if old is None:
            raise KeyError(exec_id)
        instrument, multiplier = old.instrument, old.instrument.multiplier
        self._trade(instrument, old.side.opposite, old.qty, old.px, -old.commission)
        traded, priced = self._traded[old.order_key]
        traded, priced = traded.plus(-old.qty, old.px, multiplier), priced.plus(-old.qty, old.px)
        if not qty:
            self._traded[old.order_key] = (traded, priced)
            self._executions.remove(old)
            return None
        priced = priced.plus(qty, px)
        self._traded[old.order_key] = (traded.plus(qty, px, multiplier), priced)
        self._trade(instrument, old.side, qty, px, old.commission)
        head, _, revision = exec_id.rpartition(".")
        new = msgspec.structs.replace(
            old,
            exec_id=ExecId(f"{head}.{int(revision) + 1:02d}"),
            qty=qty,
            px=px,
            cum_qty=priced.qty,
            avg_px=priced.value / priced.qty,
            ts_ns=ts_ns,
        )
        self._executions[self._executions.index(old)] = new
        return new

    def adjust(
        self,
        instrument: Instrument,
        ratio: Decimal,
        add: Decimal,
        px: Decimal,
        *,
        kind: str = "adjustment",
        ts_ns: int = 0,
    ) -> None:
        """Change a position without an execution: times a ratio (a split), then some added at a price."""
        old = self._positions.get(instrument.instrument_id, SimPosition(instrument=instrument))
        self._positions[instrument.instrument_id] = msgspec.structs.replace(
            old, qty=old.qty * ratio, last_px=old.last_px / ratio
        )
        if ratio != 1:
            self._note(kind, ts_ns, instrument, qty=old.qty * (ratio - 1))
        if add:
            side = Side.BUY if add > 0 else Side.SELL
            self._trade(instrument, side, abs(add), px, ZERO)
            self._note(kind, ts_ns, instrument, qty=add, px=px)

    def settle(self, instrument_id: InstrumentId, px: Decimal, ts_ns: int) -> None:
        """Pay a future's gain since the last settlement in cash."""
        old = self._positions[instrument_id]
        paid = old.variation(px)
        self._positions[instrument_id] = msgspec.structs.replace(old, settled=old.settled + paid, last_px=px)
        self.deposit(paid, old.instrument.currency)
        self._note(VARIATION, ts_ns, old.instrument, amount=paid)

    def pay(
        self, kind: str, amount: Decimal, currency: Currency, ts_ns: int, instrument: Instrument | None = None
    ) -> None:
        """Add cash for a reason: a dividend, interest; a negative amount is taken."""
        self.deposit(amount, currency)
        self._moves.append(AccountMove(kind=kind, ts_ns=ts_ns, currency=currency, instrument=instrument, amount=amount))

    def deposit(self, amount: Decimal, currency: Currency) -> None:
        """Add cash from outside; a negative amount is a withdrawal."""
        self._cash[currency] = self._cash.get(currency, ZERO) + amount

    def values(
        self,
        marks: Mapping[InstrumentId, Decimal],
        rates: Mapping[Currency, Decimal] | None = None,
        under_marks: Mapping[InstrumentId, Decimal] | None = None,
    ) -> list[tuple[str, str, str]]:
        """Return IB's account values as (key, value, currency), positions marked at ``marks``.

        An instrument without a mark counts at its newest fill. ``rates`` are base currency per unit;
        ``under_marks`` are prices of the options' underlyings, by option.
        """
        return account_values(self.base_currency, self._cash, self.positions, marks, rates or {}, under_marks or {})

    def _note(
        self,
        kind: str,
        ts_ns: int,
        instrument: Instrument,
        *,
        qty: Decimal = ZERO,
        px: Decimal = ZERO,
        amount: Decimal = ZERO,
    ) -> None:
        currency = instrument.currency
        self._moves.append(
            AccountMove(kind=kind, ts_ns=ts_ns, currency=currency, instrument=instrument, qty=qty, px=px, amount=amount)
        )

    def _trade(self, instrument: Instrument, side: Side, qty: Decimal, px: Decimal, fee: Decimal) -> Decimal | None:
        # returns what the closing part realised; None when nothing was closed
        old = self._positions.get(instrument.instrument_id, SimPosition(instrument=instrument))
        new, closed_qty, gross = old.traded(side, qty, px, fee)
        self._positions[instrument.instrument_id] = new
        if instrument.contract.security_type is SecurityType.FUTURE:
            self.deposit(gross - (old.settled - new.settled) - fee, instrument.currency)
        else:
            self._move_cash(instrument, side.sign * qty, px, fee)
        return new.realised_pnl - old.realised_pnl if closed_qty else None

    def _move_cash(self, instrument: Instrument, signed_qty: Decimal, px: Decimal, fee: Decimal) -> None:
        self.deposit(-signed_qty * px * instrument.multiplier - fee, instrument.currency)
        if instrument.contract.security_type is SecurityType.FOREX:
            self.deposit(signed_qty, Currency(instrument.contract.symbol))
