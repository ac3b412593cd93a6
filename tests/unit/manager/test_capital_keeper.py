from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from ibfloor.manager.capital_board import CapitalBoard
from ibfloor.manager.capital_keeper import CapitalKeeper
from ibfloor.manager.daily_results import DAYS_NEEDED, DailyResults
from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.model.capital import CapitalAllocated, CapitalBasis, CapitalRule, CapitalRuled
from ibfloor.model.command import Denied, Done, SetCapital
from ibfloor.model.fact import AnyFact
from ibfloor.model.ids import StrategyId
from ibfloor.model.marking import BooksMarked
from ibfloor.model.money import USD
from ibfloor.portfolio.book import Book

ALPHA, BETA = StrategyId("alpha"), StrategyId("beta")


def weight(share: str) -> CapitalRule:
    return CapitalRule(basis=CapitalBasis.WEIGHT, weight=Decimal(share))


class Floor:
    """A queue that applies at once, and an account whose worth the test sets."""

    def __init__(self, **rules: CapitalRule) -> None:
        self.state = FloorState()
        self.worth: Decimal | None = Decimal(100_000)
        self.facts: list[AnyFact] = []
        self.board = CapitalBoard()
        self.restart(**rules)

    def restart(self, **rules: CapitalRule) -> None:
        sections = [SimpleNamespace(name=name, capital=SimpleNamespace(rule=rule)) for name, rule in rules.items()]
        sections.append(SimpleNamespace(name="without", capital=None))
        self.keeper = CapitalKeeper(
            cast(Any, SimpleNamespace(strategies=sections)),
            cast(Any, self),
            self.board,
            cast(Any, SimpleNamespace(now_ns=lambda: 5)),
            lambda: self.worth,
            lambda: USD,
        )

    def ask(self, question: Callable[[FloorState], Any]) -> Future[Any]:
        answer: Future[Any] = Future()
        answer.set_result(question(self.state))
        return answer

    def put(self, fact: AnyFact) -> None:
        self.facts.append(fact)
        self.state.apply(fact)
        self.keeper.observe(Applied(fact, None))

    def look(self) -> None:
        asyncio.run(self.keeper._allocate())

    def set(self, strategy: StrategyId, rule: CapitalRule) -> Done | Denied:
        command = SetCapital(command_id="c", actor="ann", strategy=strategy, rule=rule)
        result = asyncio.run(self.keeper.set_rule(command))
        assert isinstance(result, Done | Denied)
        return result

    @property
    def amounts(self) -> dict[str, str]:
        return {name: f"{fact.amount:f}" for name, fact in self.state.capital.items()}


def test_capital_is_allocated_once_and_again_only_when_the_account_moved_enough() -> None:
    floor = Floor(alpha=weight("0.2"), beta=weight("0.5"))
    floor.look()
    floor.look()
    assert floor.amounts == {"alpha": "20000.00", "beta": "50000.00"}
    assert len(floor.facts) == 2
    floor.worth = Decimal(105_000)
    floor.look()
    assert len(floor.facts) == 2
    floor.worth = Decimal(200_000)
    floor.look()
    assert floor.amounts == {"alpha": "40000.00", "beta": "100000.00"}
    assert floor.board.of(ALPHA) == Decimal(40_000)
    assert floor.board.of(StrategyId("without")) is None
    last = floor.facts[-1]
    assert isinstance(last, CapitalAllocated)
    assert last.net_liquidation == 200_000
    assert "outside" in last.reason


def test_account_whose_worth_is_not_known_allocates_nothing() -> None:
    floor = Floor(alpha=weight("0.2"))
    floor.worth = None
    floor.look()
    assert floor.amounts == {}


def test_new_rule_counts_at_once_and_is_journaled_with_who_gave_it() -> None:
    floor = Floor(alpha=weight("0.2"))
    floor.look()
    assert floor.set(ALPHA, weight("0.21")) == Done("the capital of alpha is 21,000.00 USD")
    ruled = next(fact for fact in floor.facts if isinstance(fact, CapitalRuled))
    assert (ruled.actor, ruled.configured) == ("ann", weight("0.2"))


def test_new_rule_outlives_a_restart_until_the_file_says_something_else() -> None:
    floor = Floor(alpha=weight("0.2"))
    floor.set(ALPHA, weight("0.4"))
    floor.restart(alpha=weight("0.2"))
    floor.worth = Decimal(200_000)
    floor.look()
    assert floor.amounts == {"alpha": "80000.00"}
    floor.restart(alpha=weight("0.1"))
    floor.look()
    assert floor.amounts == {"alpha": "20000.00"}


def test_rule_that_makes_no_sense_or_is_for_nobody_changes_nothing() -> None:
    floor = Floor(alpha=weight("0.2"), beta=weight("0.7"))
    too_much, nobody = floor.set(ALPHA, weight("0.4")), floor.set(StrategyId("nobody"), weight("0.1"))
    wrong = floor.set(ALPHA, CapitalRule(basis=CapitalBasis.FIXED))
    assert isinstance(too_much, Denied)
    assert "sum up to 1.1" in too_much.text
    assert isinstance(nobody, Denied)
    assert "no strategy nobody" in nobody.text
    assert isinstance(wrong, Denied)
    assert "needs amount" in wrong.text
    assert floor.facts == []


def test_volatility_is_that_of_daily_results_on_the_capital_once_there_are_enough() -> None:
    daily, earned = DailyResults(), Decimal(0)
    capital = CapitalAllocated(
        ts_event_ns=1, ts_init_ns=1, strategy=ALPHA, amount=Decimal(10_000), currency=USD, reason="fixed"
    )
    marked = BooksMarked(ts_event_ns=1, ts_init_ns=1, base=USD)
    for day in range(DAYS_NEEDED + 1):
        assert daily.volatility_pct(ALPHA) is None
        earned += Decimal(100) if day % 2 else Decimal(-100)
        daily.close_day([Book(strategy=ALPHA, cash={USD: earned})], marked, {}, {ALPHA: capital})
    found = daily.volatility_pct(ALPHA)
    assert found is not None
    # +1 % and -1 % in turn: a deviation of 1 % x sqrt(20/19), over sqrt(252) days.
    assert abs(float(found) - (20 / 19) ** 0.5 * 252**0.5) < 1e-9
    assert daily.volatility_pct(BETA) is None
