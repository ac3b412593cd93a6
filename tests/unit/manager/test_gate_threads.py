"""Four strategies' threads and the queue's on one gate: no interleaving lets the floor go beyond a limit.

The oracle is what the market could still do by what was approved: an order enters it after the gate has
approved it and leaves it before the gate hears of its end, so it never holds more than the gate may have let out.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from random import Random
from threading import Barrier, Lock, Thread
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.unlimited import limits_but

from ibfloor.clock import FloorClock
from ibfloor.execution.order_table import OrderTable
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.ids import ClientOrderId
from ibfloor.model.instrument import Instrument
from ibfloor.model.market import Quote
from ibfloor.model.order import OrderRequest, OrdStatus, Side
from ibfloor.risk.gate import RiskGate
from ibfloor.risk.limits import AccountLimits

D = Decimal
THREADS = 4
POSITION_MAX = 150
ACCOUNT_MAX = 300
GROSS_MAX = 25_000  # at a price of 100 this holds before the account's position does
ORDERS_MAX = 5
LIMITS = limits_but(
    AccountLimits(max_gross_exposure=D(GROSS_MAX), max_open_orders=D(ORDERS_MAX)),
    max_position_qty=D(POSITION_MAX),
    max_account_position_qty=D(ACCOUNT_MAX),
    collar_pct=D(5),
    quote_age_max_s=D(1_000_000),
    allow_self_trade=True,
)
DEEDS = ("send", "send", "fill", "cancel", "change")
STEPS = 25
Program = list[tuple[tuple[str, int, int], Side]]


def program_of(rng: Random) -> Program:
    """Return what one strategy tries, at random."""
    return [((rng.choice(DEEDS), rng.randrange(8), rng.randint(1, 120)), rng.choice(list(Side))) for _ in range(STEPS)]


class Market:
    """What may come of everything that was approved; each strategy's and the account's worst case."""

    def __init__(self, *, watches_account: bool) -> None:
        self._watches_account = watches_account
        self._lock = Lock()
        self._held: Counter[str] = Counter()
        self._left: dict[str, tuple[str, Side, int]] = {}
        self.worst: list[str] = []

    def enter(self, request: OrderRequest, qty: int) -> None:
        with self._lock:
            self._left[request.cl_ord_id] = (request.strategy, request.side, qty)
            self._look()

    def fill(self, order: str, qty: int) -> None:
        with self._lock:
            strategy, side, left = self._left[order]
            self._left[order] = (strategy, side, left - qty)
            self._held[strategy] += qty * side.sign
            self._look()

    def leave(self, order: str) -> None:
        with self._lock:
            del self._left[order]

    def _look(self) -> None:
        names = {strategy for strategy, _, _ in self._left.values()} | set(self._held)
        cases = {name: self._worst(name) for name in names}
        account = self._worst(None)
        told = [f"{name} could hold {case}" for name, case in cases.items() if case > POSITION_MAX]
        if self._watches_account and account > min(ACCOUNT_MAX, GROSS_MAX // 100):
            told.append(f"the account could hold {account}")
        self.worst += told

    def _worst(self, name: str | None) -> int:
        held = sum(self._held.values()) if name is None else self._held[name]
        mine = [(side, qty) for strategy, side, qty in self._left.values() if name in (None, strategy)]
        buys = sum(qty for side, qty in mine if side is Side.BUY)
        sells = sum(qty for side, qty in mine if side is Side.SELL)
        return max(abs(held + buys), abs(held - sells))


class Trader:
    """One strategy's thread; facts go to the table and the gate in turn, as the queue's thread sends them."""

    def __init__(self, name: str, gate: SharedGate, market: Market, facts: Any, table: OrderTable, turn: Lock) -> None:
        self._name = name
        self._gate = gate
        self._market = market
        self._facts = facts
        self._table = table
        self._turn = turn
        self._instrument: Instrument = facts.instrument()
        self._left: dict[int, tuple[OrderRequest, int]] = {}
        self._number = 0
        self.approved = 0

    def run(self, program: Program) -> None:
        for (what, which, qty), side in program:
            if what == "send":
                self._send(qty, side)
            elif self._left:
                number = list(self._left)[which % len(self._left)]
                getattr(self, f"_{what}")(number, qty)

    def _send(self, qty: int, side: Side) -> None:
        self._number += 1
        request = self._facts.request(self._number, qty, side, strategy=self._name)
        if self._gate.check_and_reserve(request, self._instrument) is not None:
            return
        self._market.enter(request, qty)
        self.approved += 1
        self._tell(self._facts.submitted(request))
        self._left[self._number] = (request, qty)

    def _fill(self, number: int, qty: int) -> None:
        request, left = self._left[number]
        qty = min(qty, left)
        self._market.fill(request.cl_ord_id, qty)
        if qty == left:
            del self._left[number]
            self._market.leave(request.cl_ord_id)
        else:
            self._left[number] = (request, left - qty)
        exec_id = f"{self._name}{number}-{left}.01"
        self._tell(self._facts.filled(qty, "100", exec_id, request.cl_ord_id, side=request.side))

    def _cancel(self, number: int, _: int) -> None:
        request, _ = self._left.pop(number)
        self._market.leave(request.cl_ord_id)
        self._tell(self._facts.reported(OrdStatus.CANCELED, ref=request.cl_ord_id))

    def _change(self, number: int, qty: int) -> None:
        request, left = self._left[number]
        bigger = self._facts.request(number, int(request.order_qty) + qty, request.side, strategy=self._name)
        if self._gate.check_replace(bigger, self._instrument) is not None:
            return
        self._market.enter(bigger, left + qty)  # the broker may have it before anybody says so
        self._market.enter(request, left)
        self._gate.release_replace(ClientOrderId(request.cl_ord_id))

    def _tell(self, fact: Any) -> None:
        with self._turn:
            if self._table.is_news(fact):
                self._gate.apply(fact, self._table.apply(fact))


@contextmanager
def hectic() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(2e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def race(facts: Any, programs: list[Program], *, allow_short: bool) -> tuple[Market, list[Trader]]:
    # An exit passes the account's limits: where others are short, it may take the account further. Without
    # shorts it cannot, and the account's limits hold as well.
    clock, market, table, turn = FloorClock(), Market(watches_account=not allow_short), OrderTable(), Lock()
    limits = replace(LIMITS, strategy=replace(LIMITS.strategy, allow_short=allow_short))
    instrument = facts.instrument()
    quote = Quote(instrument, clock.now_ns(), 100.0, 100.0, 1.0, 1.0)
    gate = SharedGate(RiskGate(limits), lambda _: quote, clock)
    traders = [Trader(f"s{n}", gate, market, facts, table, turn) for n in range(THREADS)]
    barrier, failures = Barrier(THREADS), list[BaseException]()

    def run(trader: Trader, program: Program) -> None:
        barrier.wait()
        try:
            trader.run(program)
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failures.append(error)

    threads = [Thread(target=run, args=pair) for pair in zip(traders, programs, strict=True)]
    with hectic():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    return market, traders


@given(seed=st.integers(0, 2**32), allow_short=st.booleans())
@settings(max_examples=20, deadline=None)
def test_no_interleaving_of_four_threads_goes_beyond_a_limit(facts: Any, seed: int, allow_short: bool) -> None:
    rng = Random(seed)
    market, _ = race(facts, [program_of(rng) for _ in range(THREADS)], allow_short=allow_short)
    assert market.worst == []


def test_threads_that_only_send_fill_the_limit_and_stop_there(facts: Any) -> None:
    program = [(("send", 0, 50), Side.BUY)] * 20
    market, traders = race(facts, [program] * THREADS, allow_short=False)
    assert market.worst == []
    assert sum(trader.approved for trader in traders) == ORDERS_MAX, "5 x 50 is the gross limit's 250, too"


def test_guard_that_a_change_trips_is_told_to_whoever_journals_it(facts: Any) -> None:
    limits = replace(LIMITS, strategy=replace(LIMITS.strategy, max_rejects_in_a_row=D(1)))
    spy, clock, told = facts.instrument(), FloorClock(), list[Any]()
    quote = Quote(instrument=spy, ts_event_ns=clock.now_ns(), bid_px=100.0, ask_px=100.0, bid_qty=1, ask_qty=1)
    gate = SharedGate(RiskGate(limits), lambda _: quote, clock, told.append)
    assert gate.check_and_reserve(facts.request(1, 1), spy) is None
    too_many = gate.check_replace(facts.request(1, POSITION_MAX + 1), spy)
    assert too_many is not None
    assert too_many.rule == "max_position"
    assert not told
    refusal = gate.check_replace(facts.request(1, 2), spy)
    assert refusal is not None
    assert refusal.rule == "rejects_in_a_row"
    assert [(fact.strategy, fact.rule) for fact in told] == [("sma", "rejects_in_a_row")]
