"""BookingDesk: what a person does to the books, previewed first and then confirmed. Owner: the main loop.

A preview changes nothing and lives in memory alone; its id becomes the entry's, so that a confirmation
that comes twice, also over a restart, books once.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec

from ibfloor.manager.desk import DeskNow
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.model.booking import BookingPreview, UndoEntry, left_text
from ibfloor.model.command import CommandResult, ConfirmBooking, Denied, Done, PreviewBooking, Previewed
from ibfloor.model.entry import BookEntry
from ibfloor.model.fact import AnyFact
from ibfloor.model.ids import UNASSIGNED, StrategyId
from ibfloor.model.moment import Clock
from ibfloor.portfolio.actions import ActionError, Header
from ibfloor.portfolio.booking import entry_of
from ibfloor.portfolio.entry_check import check_entry
from ibfloor.portfolio.position import Position
from ibfloor.portfolio.preview import preview, touched

PREVIEWS_MAX = 200
_ID_BYTES = 5


class _Kept(msgspec.Struct, frozen=True):
    asked: PreviewBooking
    shown: BookingPreview
    touched: tuple[Position | None, ...]


class BookingDesk:
    """Previews and books. ``settle`` is asked for a comparison with the account after each booking."""

    def __init__(
        self,
        queue: MessageQueue,
        clock: Clock,
        *,
        desks: Callable[[], Iterable[DeskNow]],
        settle: Callable[[], object],
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._desks = desks
        self._settle = settle
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def preview(self, command: PreviewBooking) -> CommandResult:
        """Return what a booking would do."""
        names = frozenset(desk.name for desk in self._desks())
        made = await asyncio.wrap_future(self._queue.ask(lambda state: self._previewed(state, command, names)))
        if isinstance(made, Denied):
            return made
        self._kept[made.shown.preview_id] = made
        while len(self._kept) > PREVIEWS_MAX:
            self._kept.popitem(last=False)
        return Previewed(_words(made.shown), made.shown)

    async def confirm(self, command: ConfirmBooking) -> CommandResult:
        """Book what was previewed, once."""
        kept, names = self._kept.get(command.preview_id), frozenset(desk.name for desk in self._desks())
        result = await asyncio.wrap_future(
            self._queue.decide(lambda state: self._confirmed(state, command, kept, names))
        )
        if isinstance(result, Done):
            self._settle()
        return result

    def _previewed(self, state: FloorState, command: PreviewBooking, names: frozenset[StrategyId]) -> _Kept | Denied:
        if command.break_key and command.break_key not in state.breaks:
            return Denied(f"there is no open break {command.break_key}: it is resolved already, or its key is another")
        preview_id = self._new_id(command)
        entry = self._entry(state, command, names, preview_id, command.actor)
        if isinstance(entry, Denied):
            return entry
        lines, breaks = preview(entry, state.books, state.breaks, is_equal=_is_equal(state))
        shown = BookingPreview(preview_id=preview_id, entry=entry, lines=lines, breaks=breaks)
        return _Kept(command, shown, touched(entry, state.books))

    def _confirmed(
        self, state: FloorState, command: ConfirmBooking, kept: _Kept | None, names: frozenset[StrategyId]
    ) -> tuple[CommandResult, AnyFact | None]:
        if state.books.entries.get(command.preview_id) is not None:
            return Done(f"entry {command.preview_id} is booked already; nothing more was booked"), None
        if kept is None:
            return Denied(f"there is no preview {command.preview_id}, or the floor has restarted: preview again"), None
        entry = self._entry(state, kept.asked, names, command.preview_id, command.actor)
        if isinstance(entry, Denied):
            return Denied(f"the books have moved on since the preview: {entry.text}"), None
        breaks = preview(entry, state.books, state.breaks, is_equal=_is_equal(state))[1]
        if (entry.legs, touched(entry, state.books), breaks) != (
            kept.shown.entry.legs,
            kept.touched,
            kept.shown.breaks,
        ):
            return Denied("the books have moved on since the preview: preview again"), None
        return Done(f"booked as entry {entry.entry_id}"), entry

    def _entry(
        self,
        state: FloorState,
        asked: PreviewBooking,
        names: frozenset[StrategyId],
        entry_id: str,
        actor: str,
    ) -> BookEntry | Denied:
        now_ns = self._clock.now_ns()
        if not 0 <= asked.ts_ns <= now_ns:
            return Denied("a booking counts from now on, or from a time that has passed")
        head = Header(
            entry_id=entry_id,
            ts_event_ns=asked.ts_ns or now_ns,
            ts_init_ns=now_ns,
            actor=actor,
            reason=asked.reason,
            break_key=asked.break_key,
        )
        try:
            entry = entry_of(asked.booking, state.books, head)
        except ActionError as error:
            return Denied(str(error))
        known = {UNASSIGNED, *names, *state.strategies, *state.books.strategies()}
        strangers = sorted(entry.strategies - known)
        if strangers and not isinstance(asked.booking, UndoEntry):
            return Denied(f"there is no book {strangers[0]}; there are {', '.join(sorted(known))}")
        refusal = check_entry(entry, state.books)
        return entry if refusal is None else Denied(refusal)

    def _new_id(self, command: PreviewBooking) -> str:
        text = f"{command.command_id} {command.actor} {self._clock.now_ns()}"
        return hashlib.blake2s(text.encode(), digest_size=_ID_BYTES).hexdigest()


def _is_equal(state: FloorState) -> bool:
    last = state.reconciled
    return last is not None and last.breaks == len(state.breaks)


def _words(shown: BookingPreview) -> str:
    lines = [f"{line.strategy}: {line.what} {line.before:f} -> {line.after:f}" for line in shown.lines]
    lines += [left_text(each) for each in shown.breaks]
    return f"{shown.entry.kind.lower()}, preview {shown.preview_id}: " + "; ".join(lines)
