"""When the broker's lists are proof, and when not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ibfloor.clock import FloorClock
from ibfloor.manager import reconciler as reconciler_module
from ibfloor.manager.reconciler import Reconciler
from ibfloor.manager.suspects import CONFIRMATIONS, LOOKS_MAX
from ibfloor.model.errors import ConnectivityError
from ibfloor.model.fact import AnyFact, BreakCleared, BreakFound, SessionState
from ibfloor.model.money import USD
from ibfloor.portfolio.reconciliation import Difference, break_facts


class _Account:
    """A session whose connection to IB may go while it answers."""

    def __init__(self, before: SessionState, after: SessionState) -> None:
        self.state = before
        self._after = after
        self.asked = 0

    async def snapshot(self) -> str:
        self.asked += 1
        self.state = self._after
        return "lists"


class _Holds:
    def hold(self, *_: object) -> None: ...


def _reconciler(account: Any) -> Reconciler:
    nobody: Any = None
    holds: Any = _Holds()
    return Reconciler(
        account, nobody, nobody, holds, FloorClock(), period_s=1.0, on_account=lambda account, currency: None
    )


def test_lists_of_a_gateway_with_ib_are_taken() -> None:
    account = _Account(SessionState.CONNECTED, SessionState.CONNECTED)

    assert str(asyncio.run(_reconciler(account)._ask_broker())) == "lists"


@pytest.mark.parametrize(
    ("before", "after", "asked"),
    [(SessionState.DEGRADED, SessionState.CONNECTED, 0), (SessionState.CONNECTED, SessionState.DEGRADED, 1)],
)
def test_lists_of_a_gateway_without_ib_prove_no_order_absent(
    before: SessionState, after: SessionState, asked: int
) -> None:
    account = _Account(before, after)

    with pytest.raises(ConnectivityError, match="proves nothing"):
        asyncio.run(_reconciler(account)._ask_broker())
    assert account.asked == asked


def test_whoever_asks_after_the_account_thread_has_ended_is_told_no() -> None:
    class Forbidden(Exception):
        """What ends the thread, as an account that is not allowed does."""

    def forbid(_account: object, _currency: object) -> None:
        raise Forbidden

    looks, answers = _Looks(lambda _: {}), list[bool]()
    itself: Any = looks
    broker: Any = _Broker()
    reconciler = Reconciler(broker, itself, itself, itself, FloorClock(), period_s=1.0, on_account=forbid)
    with pytest.raises(Forbidden):
        asyncio.run(reconciler.run())

    reconciler.settle_now(answers.append)
    reconciler.request("late", "a session came back while the floor ended")
    reconciler.nudge()

    assert answers == [False]


class _Broker:
    """A session that always answers; what it lists is of no concern here."""

    state = SessionState.CONNECTED

    async def snapshot(self) -> Any:
        return SimpleNamespace(account="DU1", base_currency=USD, positions=())


class _Looks:
    """A floor without orders whose books differ from the account as a script says, look by look."""

    def __init__(self, script: Callable[[int], Mapping[str, int]], *, trades: bool = False) -> None:
        self._script = script
        self._trades = trades
        self.taken = 0
        self.told: list[tuple[int, AnyFact]] = []
        self.pages: list[str] = []
        self.lifted: list[str] = []
        self.breaks: dict[str, BreakFound] = {}
        self.orders = SimpleNamespace(changes=0, unknown=tuple)
        self.has_forks = self.has_doubts = False
        self.performance = None

    # as the queue

    def ask(self, question: Callable[[Any], Any]) -> Future[Any]:
        answer: Future[Any] = Future()
        answer.set_result(question(self))
        return answer

    def put(self, fact: AnyFact) -> None:
        self.told.append((self.taken, fact))
        if isinstance(fact, BreakFound):
            self.breaks[fact.key] = fact
        elif isinstance(fact, BreakCleared):
            del self.breaks[fact.key]

    # as the portfolio

    def settle(self, _snapshot: object, _asked_at: int) -> tuple[AnyFact, ...]:
        self.orders.changes += self._trades
        return ()

    def compare(self, _snapshot: object) -> tuple[Difference, ...]:
        self.taken += 1
        found = self._script(self.taken).items()
        return tuple(
            Difference(key=key, ours=Decimal(0), theirs=Decimal(size), text=f"{key} differs") for key, size in found
        )

    def break_facts(self, differences: tuple[Difference, ...], _snapshot: object) -> tuple[AnyFact, ...]:
        return tuple(break_facts(differences, self.taken, open_breaks=self.breaks))

    # as the gate's holds

    def hold(self, *_: object) -> None: ...

    def lift(self, name: str, _strategy: object = None) -> None:
        self.lifted.append(name)

    # what it did

    def settled(self) -> bool:
        """Settle as at a start, with somebody waiting; return what they are told."""

        async def whole() -> bool:
            itself: Any = self
            broker: Any = _Broker()
            reconciler = Reconciler(
                broker,
                itself,
                itself,
                itself,
                FloorClock(),
                period_s=60.0,
                on_account=lambda account, currency: None,
                page=self.pages.append,
            )
            answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            reconciler.settle_now(answer.set_result)
            running = asyncio.create_task(reconciler.run())
            async with asyncio.timeout(20):
                is_equal = await answer
            running.cancel()
            return is_equal

        return asyncio.run(whole())

    def first_told(self) -> dict[str, int]:
        """Return at which look every break was told first."""
        return {fact.key: look for look, fact in reversed(self.told) if isinstance(fact, BreakFound)}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciler_module, "RECHECK_S", 0)


@pytest.mark.usefixtures("at_once")
def test_a_difference_that_moves_hides_no_other_and_is_told_in_the_end() -> None:
    looks = _Looks(lambda look: {"position:1": 7, "cash:USD": look})
    assert looks.settled() is False
    assert looks.first_told() == {"position:1": CONFIRMATIONS, "cash:USD": LOOKS_MAX}
    assert "moves at every look" in looks.breaks["cash:USD"].text
    assert "moves" not in looks.breaks["position:1"].text
    assert len(looks.pages) == 2
    assert looks.lifted == ["start"]


@pytest.mark.usefixtures("at_once")
def test_what_moves_while_orders_change_is_on_its_way_and_hides_no_break() -> None:
    looks = _Looks(lambda look: {"position:1": 7, "cash:USD": look}, trades=True)
    assert looks.settled() is False
    assert looks.first_told() == {"position:1": CONFIRMATIONS}
    assert looks.taken == LOOKS_MAX, "who waits is answered"


@pytest.mark.usefixtures("at_once")
def test_a_fill_on_its_way_is_no_break_and_a_break_that_is_gone_is_cleared() -> None:
    looks = _Looks(lambda look: {"position:1": 100} if look < CONFIRMATIONS else {})
    looks.breaks["cash:USD"] = BreakFound(
        ts_event_ns=1, ts_init_ns=1, key="cash:USD", ours=Decimal(0), theirs=Decimal(1), text=""
    )
    with structlog.testing.capture_logs() as lines:
        assert looks.settled() is True
    assert looks.first_told() == {}
    assert looks.breaks == {}
    (cleared,) = (line for line in lines if line["event"] == "break cleared")
    assert cleared["difference"] == "cash:USD"


_sizes = st.lists(st.sampled_from((0, 0, 1, 2, 3)), min_size=LOOKS_MAX, max_size=LOOKS_MAX)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scripts=st.dictionaries(st.sampled_from(("position:1", "position:2", "cash:USD")), _sizes))
def test_every_difference_that_stands_is_told_when_it_does_whatever_the_others_do(
    at_once: None, scripts: dict[str, list[int]]
) -> None:
    looks = _Looks(lambda look: {key: sizes[look - 1] for key, sizes in scripts.items() if sizes[look - 1]})
    is_equal = looks.settled()
    assert looks.taken <= LOOKS_MAX
    standing: dict[str, int] = {}
    for key, sizes in scripts.items():
        seen = sizes[: looks.taken]
        for look in range(CONFIRMATIONS, len(seen) + 1):
            if len(set(seen[look - CONFIRMATIONS : look])) == 1 and seen[look - 1]:
                standing.setdefault(key, look)
        if len(seen) == LOOKS_MAX and all(seen):
            standing.setdefault(key, LOOKS_MAX)
    assert looks.first_told() == standing
    last = {key for key, sizes in scripts.items() if sizes[looks.taken - 1]}
    assert set(looks.breaks) == set(standing) & last
    assert is_equal is not bool(last)
