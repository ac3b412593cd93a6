"""PortfolioManager: what every book is worth, the day's result, and books against the account.

Owner: the queue's thread, where the books live. It reads marks and rates, and hands the newest to the
risk gate, so that exposures are judged at the prices the screen shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from decimal import Decimal

from msgspec.structs import replace

from ibfloor.execution.recovery import Settlement, forks, settle
from ibfloor.manager.account_board import AccountBoard
from ibfloor.manager.break_causes import BreakCauses
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.marks import Marks
from ibfloor.manager.rate_keeper import RateKeeper
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.account import BrokerSnapshot
from ibfloor.model.fact import AnyFact, DayOpened, InstrumentDefined, OrderForked
from ibfloor.model.highs import Booked
from ibfloor.model.ids import UNASSIGNED, ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.moment import Clock, to_datetime
from ibfloor.model.money import Currency
from ibfloor.portfolio.entry_effects import booked_since
from ibfloor.portfolio.fx import RateNow
from ibfloor.portfolio.performance import Performance, advance, resumed
from ibfloor.portfolio.reconciliation import Difference, break_facts, compare, opening
from ibfloor.portfolio.valuation import Mark, Rates, Valuation, value, value_account


class PortfolioManager:
    """Values the books and compares them with the account; invents no price, rate or owner."""

    def __init__(
        self,
        state: FloorState,
        marks: Marks,
        rate_keeper: RateKeeper,
        gate: SharedGate,
        clock: Clock,
        board: AccountBoard,
        *,
        tz: tzinfo,
    ) -> None:
        self._causes = BreakCauses(state, marks, board, tz=tz)
        self._state = state
        self._marks = marks
        self._rate_keeper = rate_keeper
        self._gate = gate
        self._clock = clock
        self._tz = tz
        self._doubts: frozenset[ClientOrderId] = frozenset()
        self._forks: dict[ClientOrderId, int] = {}
        self.on_valued: Callable[[Mapping[StrategyId, Valuation], Valuation], None] = lambda books, account: None
        """Told of every valuation, on the queue's thread. Set before the start."""
        self.doubt = marks.doubt
        """Why the mark of an instrument may not be its market any more; empty where nothing says so."""
        self.performance: Performance | None = None
        """The day's anchor and the peak so far; ``None`` until the account could be valued once."""

    @property
    def has_doubts(self) -> bool:
        """Tell whether the last snapshot contradicts orders that only another one can decide."""
        return bool(self._doubts)

    @property
    def has_forks(self) -> bool:
        """Tell whether the broker works an intent more than once, by the last snapshot."""
        return bool(self._forks)

    def value_books(self, names: set[StrategyId]) -> tuple[dict[StrategyId, Valuation], Valuation]:
        """Return every book's worth now, those of ``names`` included, and the account's."""
        books = self._state.books
        everyone = names | set(books.strategies()) | {UNASSIGNED}
        if self._state.has_opening:  # before that the broker has not told the rates of what the account holds
            needed = self._currencies_held() | self._rate_keeper.traded()
            self._rate_keeper.keep(self._marks.base, self._marks.rates_now(sorted(needed)))
        held: set[InstrumentId] = set()
        for name in everyone:
            held |= set(books.book(name).open_positions)
        marks, rates = self._marks.of(held), self._marks.rates()
        self._gate.revalue(self._state.instruments, marks, rates)
        valuations = {name: value(books.book(name), marks, rates) for name in everyone}
        account = value_account(valuations.values(), marks, rates)
        self._advance(account, rates)
        self.on_valued(valuations, account)
        return valuations, account

    def rates_now(self) -> list[RateNow]:
        """Return how the rate of every currency stands that any book has cash or a position in."""
        return self._marks.rates_now(sorted(self._currencies_held()))

    def _currencies_held(self) -> set[Currency]:
        books = self._state.books
        held = {currency for currency, amount in books.cash_total().items() if amount}
        for name in books.strategies():
            held |= {position.currency for position in books.book(name).open_positions.values()}
        return held

    def booked(self, strategy: StrategyId | None, seen: int) -> Booked:
        """Return what may have moved a book's result after the first ``seen`` entries; ``None``: the account's."""
        books, marked = self._state.books, self._state.marked
        if not 0 <= seen < len(books.entries):
            return Booked(len(books.entries))
        marks, rates = self._marks.of(set(self._state.instruments)), self._marks.rates()
        if marked is not None:  # of what is held no more since an entry was undone
            last = {each.instrument_id: Mark(each.px, each.ts_ns, each.source) for each in marked.marks}
            known = {each.currency: each.rate for each in marked.rates}
            marks, rates = last | marks, replace(rates, to_base=known | dict(rates.to_base))
        return booked_since(books, strategy, seen, marks, rates)

    def last_equity(self) -> Decimal | None:
        """Return what the account was worth when it could be valued last; ``None`` before it ever could."""
        return None if self.performance is None else self.performance.equity

    def day_opening(self) -> DayOpened | None:
        """Return the fact to journal when a new trading day has begun since the last one journaled."""
        curve, known = self.performance, self._state.day
        if curve is None or (known is not None and known.day == curve.day):
            return None
        now_ns = self._clock.now_ns()
        return DayOpened(
            ts_event_ns=now_ns,
            ts_init_ns=now_ns,
            day=curve.day,
            equity=curve.anchor,
            flows=curve.flows,
            flows_by=curve.moneys,
            currency=self._marks.base,
        )

    def settle(self, snapshot: BrokerSnapshot, asked_at: int) -> tuple[AnyFact, ...]:
        """Return what the broker's lists mean for our orders and books, as facts to put.

        ``asked_at``: the order table's ``changes`` of before the asking.
        """
        now_ns = self._clock.now_ns()
        facts: list[AnyFact] = [
            InstrumentDefined(ts_event_ns=now_ns, ts_init_ns=now_ns, instrument=position.instrument)
            for position in snapshot.positions
            if position.instrument.instrument_id not in self._state.instruments
        ]
        if not self._state.has_opening:
            facts = opening(snapshot, now_ns)
        settlement: Settlement = settle(self._state.orders, snapshot, now_ns, self._doubts, asked_at=asked_at)
        self._doubts = settlement.doubts
        return (*facts, *settlement.facts, *self._forked(snapshot, now_ns))

    def _forked(self, snapshot: BrokerSnapshot, now_ns: int) -> list[AnyFact]:
        # One list may show an order that is just being changed twice: two lists are proof.
        proven = [cl_ord_id for cl_ord_id, times in self._forks.items() if times > 1]
        found = forks(self._state.orders, snapshot, proven)
        self._forks = {cl_ord_id: self._forks.get(cl_ord_id, 0) + 1 for cl_ord_id in found}
        return [
            OrderForked(
                ts_event_ns=snapshot.ts_event_ns, ts_init_ns=now_ns, cl_ord_id=cl_ord_id, perm_ids=found[cl_ord_id]
            )
            for cl_ord_id, times in self._forks.items()
            if times > 1
        ]

    def break_facts(self, differences: tuple[Difference, ...], snapshot: BrokerSnapshot) -> tuple[AnyFact, ...]:
        """Return what there is to tell of breaks: new ones with their likely cause, and those that are gone."""
        state, now_ns = self._state, self._clock.now_ns()
        explained = self._causes.explain(differences, snapshot, now_ns) if differences else {}
        resolved = {
            entry.break_key: entry.entry_id
            for entry in state.books.entries
            if (broken := state.breaks.get(entry.break_key)) is not None
            and entry.ts_init_ns >= broken.ts_event_ns
            and state.books.entries.reversed_by(entry.entry_id) is None
        }
        return tuple(
            break_facts(differences, now_ns, open_breaks=state.breaks, explained=explained, resolved_by=resolved)
        )

    def compare(self, snapshot: BrokerSnapshot) -> tuple[Difference, ...]:
        """Return where books and account differ, once the snapshot's facts are applied."""
        differences = tuple(compare(self._state.books, snapshot))
        self._causes.note(differences, snapshot)
        return differences

    def _advance(self, account: Valuation, rates: Rates) -> None:
        known = self._state.day
        if self.performance is None and known is not None:
            self.performance = resumed(known, self._state.valued)
        if not self._state.has_opening:
            return
        day = to_datetime(self._clock.now_ns(), self._tz).date().isoformat()
        self.performance = advance(
            self.performance, day, account.equity, account.flows_by, rates, lambda seen: self.booked(None, seen)
        )
