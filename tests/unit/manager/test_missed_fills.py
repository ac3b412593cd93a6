"""A strategy hears of every fill of its own, of those it was away for before it starts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.handler_pump import HandlerPump
from ibfloor.manager.notice import Homecoming, homecoming, notice_of
from ibfloor.manager.runner import StrategyRunner
from ibfloor.model.errors import LedgerError
from ibfloor.model.fact import AnyFact, FillsTold, InstrumentDefined, OrderFilled, OrderSubmitted
from ibfloor.model.ids import ExecId, InstrumentId, StrategyId, cl_ord_id
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.money import USD
from ibfloor.model.order import OrderRequest, OrdType, Side
from ibfloor.strategy.registry import make_strategy

NAME = StrategyId("sma")
SPY = Instrument(instrument_id=InstrumentId(756733), contract=Stock("SPY"), local_symbol="SPY", currency=USD)
SOURCE = """
from ibfloor import Strategy, StrategyParams

class Watcher(Strategy[StrategyParams]):
    def __init__(self, params):
        super().__init__(params)
        self.seen = []

    def on_start(self):
        self.seen.append("start")

    {prefix}def on_fill(self, fill):
        self.seen.append(fill.exec_id)
"""


def filled(number: int, revision: int = 1) -> OrderFilled:
    return OrderFilled(
        ts_event_ns=number,
        ts_init_ns=number,
        exec_id=ExecId(f"e.{number}.{revision:02}"),
        cl_ord_id=cl_ord_id(NAME, 1),
        strategy=NAME,
        instrument_id=SPY.instrument_id,
        side=Side.BUY,
        last_qty=Decimal(10),
        last_px=Decimal(100),
        currency=USD,
    )


def told(number: int) -> FillsTold:
    return FillsTold(ts_event_ns=0, ts_init_ns=0, strategy=NAME, number=number)


def state_after(*facts: AnyFact) -> FloorState:
    state = FloorState()
    request = OrderRequest(
        cl_ord_id=cl_ord_id(NAME, 1),
        strategy=NAME,
        instrument_id=SPY.instrument_id,
        side=Side.BUY,
        order_qty=Decimal(100),
        ord_type=OrdType.MARKET,
        note="why",
    )
    submitted = OrderSubmitted(ts_event_ns=0, ts_init_ns=0, request=request, client_id=10, order_id=1)
    for fact in (InstrumentDefined(ts_event_ns=0, ts_init_ns=0, instrument=SPY), submitted, *facts):
        if state.is_news(fact):
            state.apply(fact)
    return state


def numbers(home: Homecoming) -> list[int]:
    return [notice.execution for notice in home.missed]


def test_fills_after_the_last_one_told_are_missed_and_no_other() -> None:
    state = state_after(told(0), filled(1), filled(2), told(1), filled(2), filled(3), told(0))
    assert numbers(homecoming(state, NAME, 10)) == [2, 3]
    assert homecoming(state, NAME, 10).told == 1


def test_correction_counts_as_something_to_tell() -> None:
    state = state_after(told(0), filled(1), told(1), filled(1, revision=2))
    (missed,) = homecoming(state, NAME, 10).missed
    assert isinstance(missed.fact, OrderFilled)
    assert missed.fact.exec_id == "e.1.02"


def test_ledger_of_before_a_strategy_was_ever_told_anything_is_not_told_again() -> None:
    home = homecoming(state_after(filled(1), filled(2)), NAME, 10)
    assert (numbers(home), home.told) == ([], 2)


class Context:
    """The part of a worker's context that a runner needs: nothing is defined right after a start."""

    is_warming = False

    def instrument(self, which: object) -> Instrument | None:
        return None


@pytest.mark.parametrize("prefix", ["", "async "])
def test_missed_fills_come_once_before_on_start_and_are_noted_when_handled(
    tmp_path: Path, run: Callable[..., Any], prefix: str
) -> None:
    file = tmp_path / "watcher.py"
    file.write_text(SOURCE.replace("{prefix}", prefix))
    noted: list[int] = []
    state = state_after(told(0), filled(1), filled(2))

    async def main() -> list[str]:
        async with asyncio.TaskGroup() as tasks:
            made = make_strategy(NAME, file=file)
            context: Any = Context()
            made.strategy.bind(context)
            pump = HandlerPump(tasks)
            runner = StrategyRunner(made, context, pump, can_trade=True, on_told=noted.append)
            runner.start(homecoming(state, NAME, 10).missed)
            late = filled(3)
            runner.take_notice(notice_of(state.apply(late), state, NAME))
            await pump.drained()
            assert not pump.failure.done(), pump.failure
            pump.abandon()
        seen: list[str] = made.strategy.seen  # type: ignore[attr-defined]
        return seen

    assert run(main()) == ["e.1.01", "e.2.01", "start", "e.3.01"]
    assert noted == [1, 2, 3]


def test_fill_of_a_life_that_ended_before_its_note_comes_again_under_its_id_and_says_so(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    file = tmp_path / "watcher.py"
    told_as = "self.seen.append((fill.exec_id, fill.may_be_repeat))"
    file.write_text(SOURCE.replace("{prefix}", "").replace("self.seen.append(fill.exec_id)", told_as))
    state = state_after(told(0), filled(1), filled(2))

    async def life(on_told: Callable[[int], None], *, dies_after: int) -> list[Any]:
        async with asyncio.TaskGroup() as tasks:
            made = make_strategy(NAME, file=file)
            context: Any = Context()
            made.strategy.bind(context)
            pump = HandlerPump(tasks)
            runner = StrategyRunner(made, context, pump, can_trade=True, on_told=on_told)
            runner.start(homecoming(state, NAME, 10).missed)
            await pump.drained() if not dies_after else None
            pump.abandon()
        seen: list[Any] = made.strategy.seen  # type: ignore[attr-defined]
        return seen

    def no_note(number: int) -> None:
        raise LedgerError("killed before it was written")

    first = run(life(no_note, dies_after=1))
    assert first == [("e.1.01", True)]
    again = run(life(lambda number: None, dies_after=0))
    assert again == [("e.1.01", True), ("e.2.01", False), "start"]


def test_fill_whose_handler_failed_is_told_again(tmp_path: Path, run: Callable[..., Any]) -> None:
    file = tmp_path / "watcher.py"
    file.write_text(SOURCE.replace("{prefix}", "").replace("self.seen.append(fill.exec_id)", "raise OSError('no')"))
    noted: list[int] = []

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            made = make_strategy(NAME, file=file)
            context: Any = Context()
            made.strategy.bind(context)
            pump = HandlerPump(tasks)
            runner = StrategyRunner(made, context, pump, can_trade=True, on_told=noted.append)
            runner.start(homecoming(state_after(told(0), filled(1)), NAME, 10).missed)
            assert pump.failure.done()

    run(main())
    assert noted == []
