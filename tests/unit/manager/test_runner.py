from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ibfloor.data.subscriber import WarmUp
from ibfloor.manager.handler_pump import HandlerPump
from ibfloor.manager.runner import StrategyRunner
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Contract, Instrument, Stock
from ibfloor.model.market import Bar, Quote
from ibfloor.model.moment import NS_PER_MINUTE
from ibfloor.model.money import USD
from ibfloor.strategy.registry import make_strategy
from ibfloor.strategy.values import Connection, WantedBars, WantedQuotes

SOURCE = """
from ibfloor import Strategy, StrategyParams

class Watcher(Strategy[StrategyParams]):
    def on_start(self):
        self.seen = []

    def on_quote(self, quote):
        self.seen.append(("quote", quote.contract))

    def on_bar(self, bar):
        self.seen.append(("bar", self.is_warming))

    def on_connection(self, connection):
        self.seen.append(("connection", connection.can_trade))
"""

SPY = Stock("SPY")
SPY_ARCA = Stock("SPY", primary_exchange="ARCA")
KNOWN = Instrument(instrument_id=InstrumentId(756733), contract=SPY, local_symbol="SPY", currency=USD)


class Context:
    """The part of a worker's context that a runner needs."""

    def __init__(self) -> None:
        self.is_warming = False
        self.known: dict[Contract, Instrument] = {SPY: KNOWN, SPY_ARCA: KNOWN}

    def instrument(self, which: Contract | InstrumentId) -> Instrument | None:
        return self.known.get(which) if isinstance(which, Contract) else KNOWN


@pytest.fixture
def running(tmp_path: Path) -> Callable[[Callable[[Any, Any], None]], None]:
    file = tmp_path / "watcher.py"
    file.write_text(SOURCE)

    def run(body: Callable[[Any, Any], None]) -> None:
        async def main() -> None:
            async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
                made = make_strategy(StrategyId("watcher"), file=file)
                context: Any = Context()
                made.strategy.bind(context)
                pump = HandlerPump(tasks)
                runner = StrategyRunner(made, context, pump, can_trade=True, on_told=lambda _: None)
                runner.start(())
                body(runner, made.strategy)
                assert not pump.failure.done(), pump.failure
                pump.abandon()

        asyncio.run(main())

    return run


def quote() -> Quote:
    return Quote(KNOWN, 1, 100.0, 100.1, 5.0, 5.0)


def bar(minute: int) -> Bar:
    return Bar(KNOWN, minute * NS_PER_MINUTE, NS_PER_MINUTE, 1.0, 1.0, 1.0, 1.0, 10.0)


def test_an_instrument_asked_for_by_another_name_comes_under_the_name_asked_for(running: Any) -> None:
    def body(runner: Any, strategy: Any) -> None:
        runner.want(WantedQuotes(contract=SPY_ARCA))
        runner.take_market((quote(),))
        assert strategy.seen == [("quote", SPY_ARCA)]

    running(body)


def test_what_was_not_asked_for_is_not_delivered(running: Any) -> None:
    def body(runner: Any, strategy: Any) -> None:
        runner.want(WantedBars(contract=SPY, bar="5 mins"))
        runner.take_market((quote(), bar(1)))
        assert strategy.seen == []

    running(body)


def test_bars_of_before_come_flagged_and_live_ones_do_not(running: Any) -> None:
    def body(runner: Any, strategy: Any) -> None:
        runner.want(WantedBars(contract=SPY, bar="1 min", warmup=1))
        runner.take_market(WarmUp(KNOWN, NS_PER_MINUTE, (bar(1),)))
        runner.take_market((bar(2),))
        assert strategy.seen == [("bar", True), ("bar", False)]

    running(body)


def test_the_first_loss_of_the_connection_is_told_and_no_change_is_told_twice(running: Any) -> None:
    def body(runner: Any, strategy: Any) -> None:
        for can_trade in (True, False, False, True):
            runner.take_connection(Connection(can_trade=can_trade))
        assert strategy.seen == [("connection", False), ("connection", True)]

    running(body)
