"""A strategy hears of a book entry that changes its position, and of no other's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from ibfloor.mailbox import Mailbox
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.handler_pump import HandlerPump
from ibfloor.manager.mailroom import Mailroom
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.notice import Notice
from ibfloor.manager.runner import StrategyRunner
from ibfloor.model.entry import BookEntry, EntryKind, PositionLeg
from ibfloor.model.fact import AnyFact
from ibfloor.model.ids import UNASSIGNED, InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.money import USD
from ibfloor.strategy.registry import make_strategy

SPY = Instrument(instrument_id=InstrumentId(756733), contract=Stock("SPY"), local_symbol="SPY", currency=USD)
SMA, PAIR = StrategyId("sma"), StrategyId("pair")
SOURCE = """
from ibfloor import Strategy, StrategyParams

class Watcher(Strategy[StrategyParams]):
    def __init__(self, params):
        super().__init__(params)
        self.seen = []

    def on_position(self, position):
        self.seen.append((str(position.contract), position.qty, position.avg_px))
"""


class Journal:
    def append(self, fact: AnyFact, seq: int) -> None:
        pass


class Context:
    is_warming = False

    def instrument(self, which: object) -> Instrument:
        return SPY


def leg(strategy: StrategyId, qty: int) -> PositionLeg:
    px = Decimal(101)
    return PositionLeg(strategy=strategy, instrument_id=SPY.instrument_id, qty=Decimal(qty), px=px, currency=USD)


def test_books_an_entry_touches_are_told_and_no_other(tmp_path: Path, run: Callable[..., Any]) -> None:
    state = FloorState()
    queue = MessageQueue(state, Journal(), next_seq=1, on_fault=lambda text: None)
    room = Mailroom(state, queue)
    queue.observe(room.observe)
    boxes: dict[StrategyId, list[Notice]] = {SMA: [], PAIR: []}
    entry = BookEntry(
        ts_event_ns=1,
        ts_init_ns=1,
        entry_id="e1",
        kind=EntryKind.TRANSFER,
        legs=(leg(UNASSIGNED, -30), leg(SMA, 30)),
        reason="bought by hand for it",
        actor="ann",
    )

    async def main() -> list[Any]:
        came = asyncio.Event()

        def take(notice: Notice) -> None:
            boxes[SMA].append(notice)
            came.set()

        mailboxes = {SMA: Mailbox(take), PAIR: Mailbox(boxes[PAIR].append)}
        for box in mailboxes.values():
            box.open()
        with queue:
            for name, box in mailboxes.items():
                await asyncio.wrap_future(room.enroll(name, 10, box))
            queue.put(entry)
            queue.put(entry)  # a second time it is no news
            await asyncio.wrap_future(queue.ask(lambda state: None))
        async with asyncio.timeout(30):
            await came.wait()
        for box in mailboxes.values():
            box.close()
        async with asyncio.TaskGroup() as tasks:
            file = tmp_path / "watcher.py"
            file.write_text(SOURCE)
            made = make_strategy(SMA, file=file)
            context: Any = Context()
            made.strategy.bind(context)
            pump = HandlerPump(tasks)
            runner = StrategyRunner(made, context, pump, can_trade=True, on_told=lambda number: None)
            runner.start(())
            for notice in boxes[SMA]:
                runner.take_notice(notice)
            await pump.drained()
            pump.abandon()
        seen: list[Any] = made.strategy.seen  # type: ignore[attr-defined]
        return seen

    assert run(main()) == [("SPY", Decimal(30), Decimal(101))]
    assert boxes[PAIR] == []
