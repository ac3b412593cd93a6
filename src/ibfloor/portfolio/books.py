"""All books: a fold over executions, fees and movements. One owner, no threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from decimal import Decimal
from functools import partial

import msgspec
from msgspec.structs import replace

from ibfloor.model.entry import INCOME_KINDS, BookEntry, CashLeg, EntryKind, PositionLeg, SettleLeg, SplitLeg
from ibfloor.model.fact import CashMoved, Fact, FeeReported, InstrumentDefined, OrderFilled, PositionMoved
from ibfloor.model.ids import UNASSIGNED, ExecId, InstrumentId, StrategyId, exec_root
from ibfloor.model.instrument import Instrument
from ibfloor.model.lots import LotMethod
from ibfloor.model.money import Currency, Money
from ibfloor.portfolio.as_one import AsOne
from ibfloor.portfolio.book import Amounts, Book, add_to
from ibfloor.portfolio.digest import digest_of
from ibfloor.portfolio.entry_log import EntryLog
from ibfloor.portfolio.holding import Entry, Holding
from ibfloor.portfolio.making import Making, settlement_in
from ibfloor.portfolio.position import Position, Settlement

_ZERO = Decimal(0)


class _Execution(msgspec.Struct):
    revision: int = -1
    fill: OrderFilled | None = None
    owner: StrategyId = UNASSIGNED
    owner_revision: int = -1
    ts_ns: int = 0
    entry: Entry | None = None
    fee_revision: int = -1
    fee: Money | None = None


class Books:
    """Every strategy's book and ``UNASSIGNED``; their sum is the account.

    An execution is keyed by its root: a higher revision takes the place of the lower, at the same
    place in time. Facts may come in any order and more than once; the books end the same.
    Cash of an instrument not yet defined moves as for a stock, until its definition comes.
    """

    def __init__(self, lots: LotMethod = LotMethod.FIFO) -> None:
        self.lots = lots
        self._holdings: dict[StrategyId, dict[InstrumentId, Holding]] = {}
        self._cash_moved: dict[StrategyId, Amounts] = {}
        self._executions: dict[str, _Execution] = {}
        self._fees: dict[StrategyId, Amounts] = {}
        self._fills: dict[StrategyId, int] = {}
        self._instruments: dict[InstrumentId, Instrument] = {}
        self._made: dict[StrategyId, Book] = {}
        self._makings: dict[StrategyId, Making] = {}
        self._as_one: dict[InstrumentId, AsOne] = {}
        self._fees_pending = 0
        self._income: dict[StrategyId, dict[EntryKind, Amounts]] = {}
        self._common: dict[InstrumentId, dict[str, Entry]] = {}
        self.entries = EntryLog()

    def apply(self, fact: Fact) -> bool:
        """Take a fact; return whether it changed a book. Facts of no concern are ignored."""
        match fact:
            case OrderFilled():
                return self._apply_fill(fact)
            case FeeReported():
                return self._apply_fee(fact)
            case CashMoved():
                return self._apply_cash(fact)
            case PositionMoved():
                return self._apply_position(fact)
            case BookEntry():
                return self._apply_entry(fact)
            case InstrumentDefined():
                return self._apply_definition(fact.instrument)
            case _:
                return False

    def strategies(self) -> list[StrategyId]:
        """Return the owners of books, sorted; ``UNASSIGNED`` among them once it holds anything."""
        return sorted({*self._holdings, *self._cash_moved, *self._fees, *self._income})

    def book(self, strategy: StrategyId) -> Book:
        """Return a strategy's book as of now; an empty one for a strategy not known."""
        made = self._made.get(strategy)
        if made is None:
            made = self._made[strategy] = self._make(strategy)
        return made

    @property
    def fees_pending(self) -> int:
        """Return how many executions still wait for their fee."""
        return self._fees_pending

    def fee_of(self, exec_id: ExecId) -> Money | None:
        """Return the fee of an execution, once it is known."""
        execution = self._executions.get(exec_root(exec_id)[0])
        return execution.fee if execution else None

    def owner_of(self, exec_id: ExecId) -> StrategyId | None:
        """Return whose book an execution is in; ``None`` when it is in none."""
        execution = self._executions.get(exec_root(exec_id)[0])
        return execution.owner if execution and execution.fill else None

    def instrument(self, instrument_id: InstrumentId) -> Instrument | None:
        """Return an instrument's definition, once the broker gave it."""
        return self._instruments.get(instrument_id)

    def position_total(self, instrument_id: InstrumentId) -> Decimal:
        """Return the signed quantity over all books."""
        return sum((held[instrument_id].qty for held in self._holdings.values() if instrument_id in held), _ZERO)

    def position_at(self, strategy: StrategyId, instrument_id: InstrumentId, ts_ns: int) -> Position | None:
        """Return a position as it was when a book entry of that time found it; ``None`` where none was ever held."""
        holding = self._holdings.get(strategy, {}).get(instrument_id)
        return None if holding is None else holding.position_at(ts_ns, settlement_in(self._instruments, instrument_id))

    def instruments_held(self) -> set[InstrumentId]:
        """Return every instrument that any book holds or has held."""
        return {instrument_id for held in self._holdings.values() for instrument_id in held}

    def instruments_open(self) -> set[InstrumentId]:
        """Return every instrument that any book holds now: also where their sum is nothing."""
        return {key for held in self._holdings.values() for key, holding in held.items() if holding.qty}

    def is_open(self, instrument_id: InstrumentId) -> bool:
        """Tell whether any book holds an instrument now."""
        return any(held[instrument_id].qty for held in self._holdings.values() if instrument_id in held)

    def cash_total(self) -> Amounts:
        """Return the cash over all books, by currency."""
        total: Amounts = {}
        for strategy in self.strategies():
            for currency, amount in self.book(strategy).cash.items():
                add_to(total, currency, amount)
        return total

    def account_cash(self) -> Amounts:
        """Return the cash the account must show, by currency.

        It differs from ``cash_total`` only for futures that several books hold: each book realises
        its own results, the broker those of the sum. The difference is in the open results.
        """
        cash = self.cash_total()
        by_instrument: dict[InstrumentId, list[Holding]] = {}
        for held in self._holdings.values():
            for instrument_id, holding in held.items():
                if settlement_in(self._instruments, instrument_id) is Settlement.VARIATION:
                    by_instrument.setdefault(instrument_id, []).append(holding)
        for instrument_id, holdings in by_instrument.items():
            if instrument_id not in self._as_one:
                self._as_one[instrument_id] = AsOne(holdings)
            ours = sum((holding.fold().realised + holding.fold().paid for holding in holdings), _ZERO)
            add_to(cash, holdings[0].currency, self._as_one[instrument_id].paid - ours)
        return cash

    @contextmanager
    def trying(self, entry: BookEntry) -> Iterator[None]:
        """Have a new entry, or a reversal, in the books for as long as a ``with`` block looks at them."""
        original = self.entries.get(entry.reverses) if entry.reverses else entry
        sign = -1 if entry.reverses else 1
        if original is None or self.entries.reversed_by(original.entry_id) is not None:
            original = replace(entry, legs=())
        cash, income = deepcopy((self._cash_moved, self._income))  # subtracting brings back no digit that adding lost
        self._book(original, sign)
        try:
            yield
        finally:
            self._book(original, -sign)
            self._cash_moved, self._income = cash, income

    def digest(self) -> str:
        """Return a hash of every book: equal books, equal digest, however they came about."""
        return digest_of(self.book(strategy) for strategy in self.strategies())

    def _apply_fill(self, fill: OrderFilled) -> bool:
        root, revision = exec_root(fill.exec_id)
        execution = self._executions.get(root)
        if execution is None:
            execution = self._executions[root] = _Execution(ts_ns=fill.ts_event_ns)
        elif execution.revision == revision:
            return False
        before = (execution.owner, execution.entry)
        is_first = execution.fill is None
        if is_first and execution.fee is None:
            self._fees_pending += 1
        elif not is_first:
            self._take_back(root, execution)
        execution.ts_ns = fill.ts_event_ns if is_first else min(execution.ts_ns, fill.ts_event_ns)
        if fill.strategy != UNASSIGNED and revision > execution.owner_revision:
            execution.owner, execution.owner_revision = fill.strategy, revision
        if revision > execution.revision:
            execution.fill, execution.revision = fill, revision
        self._post(root, execution)
        return before != (execution.owner, execution.entry)

    def _post(self, root: str, execution: _Execution) -> None:
        fill = execution.fill
        assert fill is not None
        entry = Entry(execution.ts_ns, True, root, fill.signed_qty, fill.last_px)
        self._holding(execution.owner, fill.instrument_id, fill.currency, fill.multiplier).add(entry)
        execution.entry = entry
        self._count(execution, 1)

    def _take_back(self, root: str, execution: _Execution) -> None:
        fill, entry = execution.fill, execution.entry
        assert fill is not None
        assert entry is not None
        owner = execution.owner
        self._holdings[owner][fill.instrument_id].remove(entry)
        self._count(execution, -1)
        self._forget_blank(owner, fill.instrument_id)
        if not self._fills[owner]:
            self._fees.pop(owner, None)

    def _forget_blank(self, strategy: StrategyId, instrument_id: InstrumentId) -> None:
        held = self._holdings[strategy]
        if held[instrument_id].is_blank:  # a book that never was leaves no trace
            del held[instrument_id]
            self._as_one.pop(instrument_id, None)
        if not held:
            del self._holdings[strategy]

    def _count(self, execution: _Execution, sign: int) -> None:
        owner = execution.owner
        self._fills[owner] = self._fills.get(owner, 0) + sign
        if execution.fee is not None:
            fee = execution.fee
            add_to(self._fees.setdefault(owner, {}), fee.currency, fee.amount * sign)
        self._made.pop(owner, None)

    def _apply_fee(self, fact: FeeReported) -> bool:
        root, revision = exec_root(fact.exec_id)
        execution = self._executions.setdefault(root, _Execution())
        if revision < execution.fee_revision or (revision == execution.fee_revision and fact.fee == execution.fee):
            return False
        is_booked = execution.fill is not None
        if is_booked:
            self._count(execution, -1)
            self._fees_pending -= execution.fee is None
        execution.fee, execution.fee_revision = fact.fee, revision
        if is_booked:
            self._count(execution, 1)
        return is_booked

    def _apply_cash(self, fact: CashMoved) -> bool:
        add_to(self._cash_moved.setdefault(fact.strategy, {}), fact.amount.currency, fact.amount.amount)
        self._made.pop(fact.strategy, None)
        return True

    def _apply_position(self, fact: PositionMoved) -> bool:
        entry = Entry(fact.ts_event_ns, False, f"{fact.qty.normalize()}@{fact.px.normalize()}", fact.qty, fact.px)
        self._holding(fact.strategy, fact.instrument_id, fact.currency, fact.multiplier).add(entry)
        self._made.pop(fact.strategy, None)
        return True

    def _apply_entry(self, entry: BookEntry) -> bool:
        booked = self.entries.take(entry)
        if booked is not None:
            self._book(*booked)
        return booked is not None

    def _book(self, entry: BookEntry, sign: int) -> None:
        for number, leg in enumerate(entry.legs):
            key = f"{entry.entry_id}#{number:05}"
            match leg:
                case CashLeg():
                    self._book_cash(entry.kind, leg, sign)
                case PositionLeg():
                    self._book_position(entry.ts_event_ns, key, leg, sign)
                case SplitLeg():
                    change = Entry(entry.ts_event_ns, False, key, _ZERO, _ZERO, leg.new, leg.old)
                    self._book_common(entry.entry_id, leg.instrument_id, change, sign)
                case SettleLeg():
                    change = Entry(entry.ts_event_ns, False, key, _ZERO, leg.px, settles=True)
                    self._book_common(entry.entry_id, leg.instrument_id, change, sign)
            self._made.pop(leg.strategy, None)

    def _book_position(self, ts_ns: int, key: str, leg: PositionLeg, sign: int) -> None:
        booked = Entry(ts_ns, False, key, leg.qty, leg.px, 1, 1, leg.opened_ns, leg.lot, leg.value)
        if sign > 0:
            self._holding(leg.strategy, leg.instrument_id, leg.currency, leg.multiplier).add(booked)
        else:
            self._holdings[leg.strategy][leg.instrument_id].remove(booked)
            self._forget_blank(leg.strategy, leg.instrument_id)

    def _book_common(self, entry_id: str, instrument_id: InstrumentId, change: Entry, sign: int) -> None:
        # One for all books, whoever the legs name: also for those that learn of an older trade later.
        common = self._common.setdefault(instrument_id, {})
        if (entry_id in common) == (sign > 0):
            return
        change = common.setdefault(entry_id, change)
        if sign < 0:
            del common[entry_id]
        for strategy, held in self._holdings.items():
            if (holding := held.get(instrument_id)) is not None:
                (holding.add if sign > 0 else holding.remove)(change)
                self._made.pop(strategy, None)

    def _book_cash(self, kind: EntryKind, leg: CashLeg, sign: int) -> None:
        amounts = self._cash_moved.setdefault(leg.strategy, {})
        if kind in INCOME_KINDS:
            amounts = self._income.setdefault(leg.strategy, {}).setdefault(kind, {})
        add_to(amounts, leg.amount.currency, leg.amount.amount * sign)

    def _apply_definition(self, instrument: Instrument) -> bool:
        known = self._instruments.get(instrument.instrument_id)
        self._instruments[instrument.instrument_id] = instrument
        is_news = known is None or known.contract.security_type != instrument.contract.security_type
        if not is_news or instrument.instrument_id not in self.instruments_held():
            return False
        self._made.clear()
        self._makings.clear()
        return True

    def _holding(
        self, strategy: StrategyId, instrument_id: InstrumentId, currency: Currency, multiplier: Decimal
    ) -> Holding:
        held = self._holdings.setdefault(strategy, {})
        holding = held.get(instrument_id)
        if holding is None:
            holding = held[instrument_id] = Holding(instrument_id, currency, multiplier, self.lots)
            holding.on_change = partial(self._changed, strategy, instrument_id)
            for change in self._common.get(instrument_id, {}).values():
                holding.add(change)
        return holding

    def _changed(self, strategy: StrategyId, instrument_id: InstrumentId, entry: Entry, sign: int) -> None:
        if (making := self._makings.get(strategy)) is not None:
            making.touch(instrument_id)
            if sign < 0:
                making.restart()
        if (as_one := self._as_one.get(instrument_id)) is not None:
            as_one.take(entry, sign)

    def _make(self, strategy: StrategyId) -> Book:
        return self._makings.setdefault(strategy, Making()).book(
            strategy,
            self._holdings.get(strategy, {}),
            self._instruments,
            moved=self._cash_moved.get(strategy, {}),
            fees=self._fees.get(strategy, {}),
            income=self._income.get(strategy, {}),
            fills=self._fills.get(strategy, 0),
        )
