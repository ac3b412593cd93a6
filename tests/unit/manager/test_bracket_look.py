"""What the guard of brackets is answered, and that it hears all news before the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ibfloor.execution.bracket_guard import Differences
from ibfloor.mailbox import Mailbox
from ibfloor.manager.bracket_look import BracketLook, differences
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.services import Services
from ibfloor.model.fact import BreakFound


def broken(key: str, ours: int, theirs: int) -> BreakFound:
    return BreakFound(ts_event_ns=1, ts_init_ns=1, key=key, ours=Decimal(ours), theirs=Decimal(theirs), text="")


class Floor:
    """A queue that answers from its state, and a reconciler whose end a test decides."""

    def __init__(self) -> None:
        self.state = FloorState()
        self.settled: Future[bool] = Future()
        self.account = self.queue = self

    def settle(self) -> Future[bool]:
        return self.settled

    def ask(self, question: Callable[[FloorState], Any]) -> Future[Any]:
        answer: Future[Any] = Future()
        answer.set_result(question(self.state))
        return answer


def call(act: Callable[[], object]) -> bool:
    act()
    return True


def test_differences_are_what_the_account_has_more_of_a_contract() -> None:
    state = FloorState()
    for fact in (broken("position:7", 100, 60), broken("cash:USD", 1, 2), broken("position:8", -5, 0)):
        state.apply(fact)
    assert differences(state) == {7: -40, 8: 5}


def test_answer_is_what_is_known_once_the_reconciler_is_done() -> None:
    floor, found = Floor(), list[Differences]()
    BracketLook(cast(Services, floor), call)(found.append)
    assert found == [], "nobody has looked yet"
    floor.state.apply(broken("position:7", 100, 0))
    floor.settled.set_result(False)
    assert found == [{7: -100}]


def test_look_that_fails_is_not_answered() -> None:
    floor, found = Floor(), list[Differences]()
    floor.queue = cast(Any, SimpleNamespace(ask=lambda _: _failed()))
    BracketLook(cast(Services, floor), call)(found.append)
    floor.settled.set_result(True)
    assert found == []


def _failed() -> Future[Any]:
    answer: Future[Any] = Future()
    answer.set_exception(RuntimeError("the queue has ended"))
    return answer


@pytest.mark.parametrize("is_ahead", [True, False])
def test_what_waits_in_a_mailbox_can_be_had_before_its_wake_up_and_comes_once(
    is_ahead: bool, run: Callable[..., Any]
) -> None:
    async def main() -> list[str]:
        heard: list[str] = []
        box: Mailbox[str] = Mailbox(heard.append)
        box.open()
        box.put("fill")
        if is_ahead:
            box.deliver_now()
        heard.append("answer")
        for _ in range(3):
            await asyncio.sleep(0)
        box.put("later")
        for _ in range(3):
            await asyncio.sleep(0)
        box.close()
        return heard

    expected = ["fill", "answer"] if is_ahead else ["answer", "fill"]
    assert run(main()) == [*expected, "later"]
