"""Offers that meet: what crosses, at what price, what is refused, and what never changes: the sum of the books."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.unlimited import limits_but

from ibfloor.config import CrossingSection
from ibfloor.execution.ticket import OrderTicket
from ibfloor.manager.crossing import OFFERS_MAX, Crossing
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.entry import BookEntry, PositionLeg
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import AnyFact, BreakCleared, BreakFound, InstrumentDefined
from ibfloor.model.ids import StrategyId
from ibfloor.model.instrument import Contract, Instrument, SecurityType
from ibfloor.model.kill import KillPlace, KillScope
from ibfloor.model.market import Halt, Quote
from ibfloor.model.money import USD
from ibfloor.model.order import OrdType, Refused, Side
from ibfloor.portfolio.crossing import crossings
from ibfloor.risk.gate import RiskGate
from ibfloor.risk.limits import AccountLimits, RiskLimits
from ibfloor.strategy.values import Offer

D = Decimal
S = 10**9
POSITION_MAX = 100
ALPHA, BETA, GAMMA = (StrategyId(name) for name in ("alpha", "beta", "gamma"))
LIMITS = limits_but(
    AccountLimits(max_gross_exposure=D(1_000_000)),
    max_position_qty=D(POSITION_MAX),
    collar_pct=D(5),
    quote_age_max_s=D(100),
)


class Rig:
    """A queue, a gate and crossing, with a quote and a clock that the test sets."""

    def __init__(self, facts: Any, *, enabled: bool = True, limits: RiskLimits = LIMITS) -> None:
        self.instrument: Instrument = facts.instrument()
        self.now = 1_000 * S
        self.is_broken = False
        self.quote(100.0, 100.05)
        self.doubt = ""
        self.state = FloorState()
        self.journal: list[AnyFact] = []
        self.faults: list[str] = []
        self.told: dict[str, Offer] = {}
        self.queue = MessageQueue(self.state, self, next_seq=1, on_fault=self.faults.append, on_trouble=lambda *_: None)
        self.gate = SharedGate(RiskGate(limits), lambda _: self.now_quote, self, self.queue.put)
        self.gate.doubt = lambda _: self.doubt
        self.queue.observe(lambda applied: self.gate.apply(applied.fact, applied.order, applied.held))
        section = CrossingSection(enabled=enabled)
        self.crossing = Crossing(section, self.queue, self.gate, lambda _: self.now_quote, self)

    speed = 1.0

    def now_ns(self) -> int:
        return self.now

    def wall_delay_s(self, until_ns: int) -> float:
        return max(0, until_ns - self.now) / S

    def append(self, fact: AnyFact, seq: int) -> None:
        if self.is_broken:
            raise LedgerError("no space left")
        self.journal.append(fact)

    def quote(self, bid: float, ask: float, age_s: int = 0) -> None:
        self.now_quote = Quote(self.instrument, self.now - age_s * S, bid, ask, 1.0, 1.0)

    def offer(
        self, strategy: StrategyId, side: Side, qty: int, limit: str | None = None, for_s: float = 30.0
    ) -> Offer | Refused:
        ticket = OrderTicket(
            instrument=self.instrument,
            side=side,
            order_qty=D(qty),
            ord_type=OrdType.MARKET if limit is None else OrdType.LIMIT,
            limit_px=None if limit is None else D(limit),
        )
        answer = self.crossing.offer(strategy, ticket, for_s, self.hear)
        self.queue.ask(lambda _: None).result(30)
        return answer

    def hear(self, offer: Offer) -> None:
        self.told[offer.offer_id] = offer

    def look(self) -> None:
        self.queue.ask(self.crossing._expire).result(30)
        while self.queue.decide(self.crossing._decide).result(30):
            pass

    def held(self, strategy: StrategyId) -> Decimal:
        return self.state.books.book(strategy).qty(self.instrument.instrument_id)

    @property
    def entries(self) -> list[BookEntry]:
        return [fact for fact in self.journal if isinstance(fact, BookEntry)]


@contextmanager
def running(facts: Any, **more: Any) -> Iterator[Rig]:
    rig = Rig(facts, **more)
    with rig.queue:
        rig.queue.put(InstrumentDefined(ts_event_ns=1, ts_init_ns=1, instrument=rig.instrument))
        yield rig
    assert rig.faults == []


def meet(rig: Rig) -> tuple[Offer, Offer]:
    buy, sell = rig.offer(ALPHA, Side.BUY, 30), rig.offer(BETA, Side.SELL, 20)
    assert isinstance(buy, Offer)
    assert isinstance(sell, Offer)
    return buy, sell


def test_two_that_meet_are_one_fact_at_the_exact_middle_and_both_are_told(facts: Any) -> None:
    with running(facts) as rig:
        buy, sell = meet(rig)
        (entry,) = rig.entries
        assert rig.held(ALPHA) == 20 == -rig.held(BETA)
        assert {leg.px for leg in entry.legs if isinstance(leg, PositionLeg)} == {D("100.025")}
        assert entry.quote is not None
        assert (entry.quote.bid_px, entry.quote.ask_px, entry.quote.ts_event_ns) == (D("100.0"), D("100.05"), rig.now)
        told = rig.told[buy.offer_id]
        assert (told.crossed_qty, told.left, told.last_px, told.is_over) == (D(20), D(10), D("100.025"), False)
        assert rig.told[sell.offer_id].is_over
        assert rig.gate.open_reservations == 0
        (row,) = crossings(rig.entries, rig.state.instruments)
        assert row.saved.amount == D("0.05") * 20
        rig.offer(GAMMA, Side.SELL, 10)
        assert rig.told[buy.offer_id].is_over
        again = FloorState()
        for fact in rig.journal:
            again.apply(fact)
        assert again.books.digest() == rig.state.books.digest()


def test_a_strategy_never_crosses_with_itself(facts: Any) -> None:
    with running(facts) as rig:
        rig.offer(ALPHA, Side.BUY, 10)
        rig.offer(ALPHA, Side.SELL, 10)
        rig.look()
        assert rig.entries == []


@pytest.mark.parametrize(
    ("bid", "ask", "age_s", "doubt"),
    [
        (100.0, 100.05, 6, ""),
        (100.0, 99.95, 0, ""),
        (100.0, 100.0, 0, ""),
        (float("nan"), 100.0, 0, ""),
        (100.0, float("nan"), 0, ""),
        (-1.0, 100.0, 0, ""),
        (100.0, 100.05, 0, "its farm broke"),
    ],
    ids=["stale", "crossed", "locked", "no bid", "no ask", "not a price", "in doubt"],
)
def test_offers_wait_without_a_fresh_quote_of_two_sides(
    facts: Any, bid: float, ask: float, age_s: int, doubt: str
) -> None:
    with running(facts) as rig:
        rig.quote(bid, ask, age_s)
        rig.doubt = doubt
        meet(rig)
        rig.look()
        assert rig.entries == []
        assert rig.told == {}
        rig.quote(100.0, 100.05)
        rig.doubt = ""
        rig.look()
        assert len(rig.entries) == 1


def test_a_limit_bounds_the_price_of_its_own_side(facts: Any) -> None:
    with running(facts) as rig:
        rig.offer(ALPHA, Side.BUY, 10, limit="100.02")
        rig.offer(BETA, Side.SELL, 10, limit="100.01")
        assert rig.entries == []
        rig.quote(99.99, 100.05)
        rig.look()
        (entry,) = rig.entries
        assert entry.quote is not None
        assert entry.quote.mid_px == D("100.02")


def test_an_offer_ends_with_its_time_and_one_withdrawn_or_left_crosses_no_more(facts: Any) -> None:
    with running(facts) as rig:
        late = rig.offer(ALPHA, Side.BUY, 10, for_s=5)
        back = rig.offer(ALPHA, Side.BUY, 10)
        left = rig.offer(GAMMA, Side.BUY, 10)
        assert isinstance(late, Offer)
        assert isinstance(back, Offer)
        assert isinstance(left, Offer)
        rig.crossing.withdraw(BETA, back.offer_id)  # not its own
        rig.look()
        assert rig.told == {}
        rig.crossing.withdraw(ALPHA, back.offer_id)
        rig.crossing.leave(GAMMA).result(30)
        rig.now += 5 * S
        rig.quote(100.0, 100.05)
        rig.offer(BETA, Side.SELL, 30)
        rig.look()
        assert rig.entries == []
        assert {key: each.text for key, each in rig.told.items()} == {
            late.offer_id: "its time is over",
            back.offer_id: "withdrawn",
        }


def test_a_strategy_that_offers_without_end_is_stopped_at_a_bound(facts: Any) -> None:
    with running(facts) as rig:
        offers = [rig.offer(ALPHA, Side.BUY, 1) for _ in range(OFFERS_MAX + 1)]
        last = offers[-1]
        assert isinstance(last, Offer)
        assert list(rig.told) == [last.offer_id]
        assert "withdraw one" in rig.told[last.offer_id].text
        assert isinstance(rig.offer(BETA, Side.SELL, OFFERS_MAX), Offer)
        rig.look()
        assert rig.held(ALPHA) == OFFERS_MAX


def _paused(rig: Rig) -> None:
    rig.gate.hold("pause", "by ann", ALPHA)


def _killed(rig: Rig) -> None:
    rig.gate.kill(KillPlace(KillScope.STRATEGY, "alpha"), "ann", "enough", rig.now)


def _shut(rig: Rig) -> None:
    rig.gate.hold("journal", "the disk is full")


@pytest.mark.parametrize("shut", [_paused, _killed, _shut])
def test_who_may_not_trade_crosses_nothing_and_hears_why(facts: Any, shut: Any) -> None:
    with running(facts) as rig:
        shut(rig)
        buy, _ = meet(rig)
        assert rig.entries == []
        assert rig.told[buy.offer_id].is_over
        assert rig.told[buy.offer_id].text
        assert rig.gate.open_reservations == 0


def test_limits_hold_and_a_short_sale_that_is_not_allowed_does_not_cross(facts: Any) -> None:
    with running(facts) as rig:
        big = rig.offer(ALPHA, Side.BUY, POSITION_MAX + 1)
        rig.offer(BETA, Side.SELL, POSITION_MAX + 1)
        assert isinstance(big, Offer)
        assert rig.told[big.offer_id].text.startswith("max_position")
        assert rig.entries == []
    no_shorts = replace(LIMITS, strategy=replace(LIMITS.strategy, allow_short=False))
    with running(facts, limits=no_shorts) as rig:
        _, sell = meet(rig)
        assert rig.entries == []
        assert rig.told[sell.offer_id].is_over
        assert rig.gate.open_reservations == 0


def test_an_order_of_another_strategy_that_works_at_the_touch_is_no_way_round_the_self_trade_rule(facts: Any) -> None:
    with running(facts) as rig:
        request = facts.request(px="100.00", strategy="gamma", instrument_id=rig.instrument.instrument_id)
        assert rig.gate.check_and_reserve(request, rig.instrument) is None
        _, sell = meet(rig)
        assert rig.entries == []
        assert rig.told[sell.offer_id].text.startswith("self_trade")
        assert rig.gate.open_reservations == 1


def test_nothing_crosses_while_the_instrument_has_a_break(facts: Any) -> None:
    with running(facts) as rig:
        key = f"position:{rig.instrument.instrument_id}"
        rig.queue.put(BreakFound(ts_event_ns=1, ts_init_ns=1, key=key, ours=D(0), theirs=D(5), text="five too many"))
        meet(rig)
        rig.look()
        assert rig.entries == []
        rig.queue.put(BreakCleared(ts_event_ns=2, ts_init_ns=2, key=key, reason="found"))
        rig.look()
        assert len(rig.entries) == 1


def test_nothing_crosses_while_trading_is_halted_neither_on_the_way_out(facts: Any) -> None:
    with running(facts) as rig:
        rig.gate.limits.take_halt(rig.instrument.instrument_id, Halt.GENERAL)
        meet(rig)
        rig.look()
        assert rig.entries == []
        rig.gate.limits.take_halt(rig.instrument.instrument_id, Halt.NONE)
        rig.look()
        assert len(rig.entries) == 1


def test_nothing_is_booked_while_the_journal_takes_nothing(facts: Any) -> None:
    with running(facts) as rig:
        rig.is_broken = True
        rig.queue.put(BreakCleared(ts_event_ns=1, ts_init_ns=1, key="cash:USD", reason="any fact"))
        meet(rig)
        assert rig.held(ALPHA) == 0
        rig.is_broken = False
        rig.queue.write_again()
        rig.look()
        assert len(rig.entries) == 1


def test_off_or_unfit_is_refused_at_once(facts: Any) -> None:
    with running(facts, enabled=False) as rig:
        answer = rig.offer(ALPHA, Side.BUY, 10)
        assert isinstance(answer, Refused)
        assert "[crossing] enabled = true" in answer.reason.text
    with running(facts) as rig:
        assert isinstance(rig.offer(ALPHA, Side.BUY, 10, for_s=0), Refused)
        assert isinstance(rig.offer(ALPHA, Side.BUY, 0), Refused)
        for kind in (SecurityType.FUTURE, SecurityType.FOREX):
            rig.instrument = replace(rig.instrument, contract=Contract(security_type=kind, symbol="X"))
            assert isinstance(rig.offer(ALPHA, Side.BUY, 10), Refused)


OFFERS = st.tuples(
    st.sampled_from([ALPHA, BETA, GAMMA]),
    st.sampled_from(list(Side)),
    st.integers(1, 70),
    st.sampled_from([None, "99.90", "100.00", "100.10"]),
    st.sampled_from([(99.9, 100.0), (100.0, 100.05), (100.0, 100.2), (100.1, 100.0)]),
)


@settings(max_examples=30, deadline=None)
@given(program=st.lists(OFFERS, min_size=2, max_size=14))
def test_whatever_is_offered_the_sum_of_the_books_stays_and_no_limit_breaks(facts: Any, program: list[Any]) -> None:
    with running(facts) as rig:
        limits: dict[str, tuple[Side, str | None]] = {}
        for strategy, side, qty, limit, (bid, ask) in program:
            rig.now += S
            rig.quote(bid, ask)
            answer = rig.offer(strategy, side, qty, limit)
            assert isinstance(answer, Offer)
            limits[answer.offer_id] = (side, limit)
            rig.look()
            held = [rig.held(each) for each in (ALPHA, BETA, GAMMA)]
            assert sum(held) == 0
            assert max(map(abs, held)) <= POSITION_MAX
            assert rig.state.books.cash_total().get(USD, D(0)) == 0
            assert rig.gate.open_reservations == 0
        assert all(len(entry.strategies) == 2 for entry in rig.entries)
        for offer_id, told in rig.told.items():
            side, limit = limits[offer_id]
            if told.last_px is not None and limit is not None:
                assert (D(limit) - told.last_px) * side.sign >= 0
        crossed = sum(told.crossed_qty for told in rig.told.values())
        assert crossed == 2 * sum((row.qty for row in crossings(rig.entries, {})), D(0))
