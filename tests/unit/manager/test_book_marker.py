from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

from ibfloor.manager.book_marker import FIRST_PATIENCE_NS, BookMarker
from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.model.entry import BookEntry, EntryKind, SplitLeg
from ibfloor.model.fact import AnyFact, CashMoved, OrderFilled, OrderSubmitted
from ibfloor.model.ids import UNASSIGNED, ClientOrderId, ExecId, InstrumentId, StrategyId
from ibfloor.model.marking import TRADED, BooksMarked, MarkTaken
from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.model.money import Currency, Money
from ibfloor.model.order import OrderRequest, OrdType, Side
from ibfloor.portfolio.fx import FxRate, RateNow
from ibfloor.portfolio.valuation import Mark

USD, EUR = Currency("USD"), Currency("EUR")
SPY = InstrumentId(1)
NOON = 1_772_557_200_000_000_000


class World:
    """A floor's state with a price board and a clock that a test moves."""

    def __init__(self) -> None:
        self.now_ns = NOON
        self.px: dict[InstrumentId, str] = {SPY: "100"}
        self.rate = RateNow(currency=EUR, rate=FxRate(currency=EUR, px=Decimal("1.1"), ts_ns=NOON, source="EUR.USD"))
        self.state = FloorState()
        marks = SimpleNamespace(
            base=USD,
            of=lambda held: {key: Mark(Decimal(self.px[key]), NOON, "mid") for key in held if key in self.px},
        )
        clock = SimpleNamespace(now_ns=lambda: self.now_ns)
        self.marker = BookMarker(
            cast(Any, None), cast(Any, marks), lambda: [self.rate], cast(Any, clock), tz=ZoneInfo("America/New_York")
        )
        self.apply(
            CashMoved(
                ts_event_ns=NOON, ts_init_ns=NOON, strategy=UNASSIGNED, amount=Money(Decimal(9), USD), reason="opening"
            )
        )

    def apply(self, fact: AnyFact) -> None:
        self.state.apply(fact)
        self.marker.observe(Applied(fact, None))

    def buy(self) -> None:
        self.apply(
            OrderFilled(
                ts_event_ns=self.now_ns,
                ts_init_ns=self.now_ns,
                exec_id=ExecId(f"x{self.now_ns}.01"),
                cl_ord_id=None,
                strategy=StrategyId("alpha"),
                instrument_id=SPY,
                side=Side.BUY,
                last_qty=Decimal(1),
                last_px=Decimal(100),
                currency=USD,
            )
        )

    def look(self, *, after_ns: int = 0, is_last: bool = False) -> BooksMarked | None:
        self.now_ns += after_ns
        question: Callable[..., BooksMarked | None] = self.marker._on_queue
        fact = question(self.state, is_last=is_last)
        if fact is not None:
            self.apply(fact)
        return fact


def test_books_are_marked_once_a_minute_with_what_every_price_and_rate_is_and_whose() -> None:
    world = World()
    world.buy()
    fact = world.look()
    assert fact is not None
    assert [(each.instrument_id, each.px, each.source) for each in fact.marks] == [(SPY, Decimal(100), "mid")]
    assert [(each.currency, each.rate, each.source) for each in fact.rates] == [(EUR, Decimal("1.1"), "EUR.USD")]
    world.px[SPY] = "101"
    assert world.look(after_ns=NS_PER_MINUTE // 2) is None
    assert world.look(after_ns=NS_PER_MINUTE // 2) is not None


def test_unmoved_prices_and_books_leave_no_fact_but_a_new_day_does() -> None:
    world = World()
    world.buy()
    assert world.look() is not None
    assert world.look(after_ns=NS_PER_MINUTE) is None
    world.buy()
    assert world.look(after_ns=NS_PER_MINUTE) is not None
    assert world.look(after_ns=NS_PER_MINUTE) is None
    assert world.look(after_ns=24 * 60 * NS_PER_MINUTE) is not None


def test_first_marks_wait_until_all_that_is_held_has_a_price_but_not_forever() -> None:
    world = World()
    del world.px[SPY]
    world.buy()
    assert world.look() is None
    world.px[SPY] = "100"
    assert world.look(after_ns=1) is not None
    impatient = World()
    del impatient.px[SPY]
    impatient.buy()
    assert impatient.look() is None
    fact = impatient.look(after_ns=FIRST_PATIENCE_NS)
    assert fact is not None
    assert not fact.marks


def test_rate_with_a_problem_is_not_recorded_as_if_it_were_good() -> None:
    world = World()
    world.look()
    old = FxRate(currency=EUR, px=Decimal("1.2"), ts_ns=1, source="EUR.USD")
    world.rate = RateNow(currency=EUR, rate=old, problem="the rate of EUR is too old")
    fact = world.look(after_ns=NS_PER_MINUTE)
    assert fact is not None
    assert fact.rates == ()


def test_books_are_marked_when_the_floor_ends_and_never_before_there_are_any() -> None:
    world = World()
    assert world.look() is not None
    world.buy()
    assert world.look() is None
    assert world.look(is_last=True) is not None
    empty = World()
    empty.state = FloorState()
    assert empty.look(is_last=True) is None


def test_marks_tell_the_price_of_what_an_order_works_for_before_it_is_held() -> None:
    world = World()
    request = OrderRequest(
        cl_ord_id=ClientOrderId("alpha:1"),
        strategy=StrategyId("alpha"),
        instrument_id=SPY,
        side=Side.BUY,
        order_qty=Decimal(1),
        ord_type=OrdType.MARKET,
    )
    world.apply(OrderSubmitted(ts_event_ns=NOON, ts_init_ns=NOON, request=request, client_id=1, order_id=1))
    fact = world.look()
    assert fact is not None
    assert [each.instrument_id for each in fact.marks] == [SPY]


def test_what_was_just_traded_counts_at_its_own_price_until_the_market_tells_one_but_not_for_long() -> None:
    world = World()
    world.look()
    del world.px[SPY]
    world.buy()
    bought_ns = world.now_ns
    fact = world.look(after_ns=NS_PER_MINUTE)
    assert fact is not None
    assert fact.marks == (MarkTaken(SPY, Decimal(100), bought_ns, TRADED),)
    fact = world.look(after_ns=NS_PER_MINUTE)
    assert fact is not None
    assert fact.marks == ()
    world.px[SPY] = "101"
    fact = world.look(after_ns=NS_PER_MINUTE)
    assert fact is not None
    assert [(each.px, each.source) for each in fact.marks] == [(Decimal(101), "mid")]


def test_price_of_before_a_split_is_not_recorded() -> None:
    world = World()
    world.look()
    del world.px[SPY]
    world.buy()
    leg = SplitLeg(strategy=StrategyId("alpha"), instrument_id=SPY, new=2, old=1)
    at_ns = world.now_ns
    world.apply(
        BookEntry(
            ts_event_ns=at_ns, ts_init_ns=at_ns, entry_id="s", kind=EntryKind.SPLIT, legs=(leg,), reason="", actor="ann"
        )
    )
    fact = world.look(after_ns=NS_PER_MINUTE)
    assert fact is not None
    assert fact.marks == ()
