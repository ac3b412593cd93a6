"""What a kill switch does at the broker: cancel what is in its reach, look whether any works, close positions.

What counts is the broker's own list, asked for again and again, never the floor's memory of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from decimal import Decimal
from typing import Protocol

import msgspec
import structlog

from ibfloor.crash_points import reach
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.manager.strategy_manager import StrategyManager
from ibfloor.manager.way_out import Part
from ibfloor.model.account import ListedOrder
from ibfloor.model.errors import ConnectivityError
from ibfloor.model.ids import UNASSIGNED, InstrumentId, StrategyId, owner_of
from ibfloor.model.instrument import Instrument
from ibfloor.model.kill import KillPlace, KillScope, names_of

LOOK_S = 0.15
LOOK_TIMEOUT_S = 3.0
LOOKS_NEEDED = 2
AGAIN_S = 1.0
HANG_S = 1.0
PAGE_S = 10.0
BOOKED_S = 3.0

log = structlog.get_logger("kill")


class AccountDoor(Protocol):
    """The account's session as a kill needs it; every call from any thread."""

    def cancel_everything(self) -> Future[bool]:
        """Cancel the whole account; answers whether the request left."""

    def cancel_by_hand(self, orders: Sequence[ListedOrder]) -> None:
        """Cancel orders that were typed in by hand."""

    def open_orders(self) -> Future[tuple[ListedOrder, ...]]:
        """Ask the broker what works."""

    def settle(self) -> Future[bool]:
        """Compare orders and books with the broker."""


class Looked(msgspec.Struct, frozen=True):
    """What a look at the broker came to."""

    orders_left: int
    """-1 when the broker did not say."""
    text: str


class KillHand:
    """Cancels, looks and closes. Owner: the main loop; ``cancel`` alone may be called from any thread."""

    def __init__(
        self,
        account: AccountDoor,
        strategies: StrategyManager,
        queue: MessageQueue,
        gate: SharedGate,
        instrument: Callable[[InstrumentId], Instrument | None],
        *,
        collar_pct: Decimal,
        watch_held: Callable[[FloorState], None],
    ) -> None:
        self._account = account
        self._strategies = strategies
        self._queue = queue
        self._gate = gate
        self._instrument = instrument
        self._collar_pct = collar_pct
        self._watch_held = watch_held
        self._clearing: asyncio.Task[str] | None = None
        self.show: Callable[[KillPlace, Looked], None] = lambda place, looked: None
        """Told what every look came to."""
        self.has_asked_account = False
        """Whether the whole account was canceled: a person may trade on by hand after that."""

    def part(self, place: KillPlace, collar_pct: Decimal | None = None) -> Part:
        """Return which part of a strategy is in reach."""
        if place.scope is not KillScope.INSTRUMENT:
            return Part(collar_pct=collar_pct)
        return Part(covers=lambda key: self._covers(place, key), covers_some=True, collar_pct=collar_pct)

    def cancel(self, place: KillPlace, *, with_account: bool) -> dict[StrategyId, Future[None]]:
        """Ask for the end of all in reach; each strategy's answer tells that its thread has asked too."""
        if place.is_account and (with_account or not self.has_asked_account):
            self._account.cancel_everything().add_done_callback(self._account_was_asked)
        name = StrategyId(place.target) if place.scope is KillScope.STRATEGY else None
        return self._strategies.cancel_all(self.part(place), name)

    async def until_clear(self, place: KillPlace) -> Looked:
        """Look at the broker until nothing in reach works, canceling again meanwhile; give up after 10 s."""
        loop = asyncio.get_running_loop()
        begun_s = again_s = loop.time()
        first: frozenset[int] | None = None
        clear = 0
        while clear < LOOKS_NEEDED:
            listed = await self._look(place)
            if isinstance(listed, Looked):
                looked, clear = listed, 0
            else:
                if first is None:  # what a person places after the kill is none of its business
                    first = frozenset(order.perm_id for order in listed)
                left = [order for order in listed if order.perm_id in first or owner_of(order.order_ref)]
                looked, clear = _told(left), 0 if left else clear + 1
                if left and loop.time() >= again_s + AGAIN_S:
                    again_s = loop.time()
                    self._cancel_again(place, left)
            if clear < LOOKS_NEEDED and loop.time() > begun_s + PAGE_S:
                return looked
            self.show(place, looked)
            await asyncio.sleep(LOOK_S)
        return Looked(0, await self._booked(place))

    async def take_over(self, place: KillPlace, asked: dict[StrategyId, Future[None]]) -> None:
        """Cancel for strategies that are not up, and over the head of those that do not answer within a moment."""
        if not place.is_account:
            owners = await self.working(place)
            await self._strategies.clear_up(owners - {UNASSIGNED}, "cancel", self.part(place))
        waits = {asyncio.ensure_future(asyncio.wrap_future(answer)): name for name, answer in asked.items()}
        if not waits:
            return
        _, late = await asyncio.wait(waits, timeout=HANG_S)
        hung = frozenset(waits[each] for each in late)
        for each in late:
            each.cancel()
        if hung:
            await self._strategies.clear_up(set(hung), "cancel", self.part(place), hung=hung)

    async def working(self, place: KillPlace) -> set[StrategyId]:
        """Return whose orders in reach may work, as far as the floor itself knows."""
        return await asyncio.wrap_future(
            self._queue.ask(
                lambda state: {
                    order.request.strategy
                    for order in state.orders.working()
                    if place.covers_strategy(order.request.strategy)
                    or any(self._covers(place, key) for key in order.request.contracts)
                }
            )
        )

    async def enforce(self, place: KillPlace) -> bool:
        """Cancel our own again, each through its own client; tell whether there was anything to cancel."""
        owners = await self.working(place)
        if owners:
            log.warning("orders work though trading is halted: canceling again", place=str(place))
            self.cancel(place, with_account=False)
            await self._strategies.clear_up(owners - {UNASSIGNED}, "cancel", self.part(place))
        return bool(owners)

    async def flatten(self, place: KillPlace) -> str:
        """Close what is held in reach, within the bound; return what is left, empty for nothing."""
        holders = await self._holders(place)
        # Strategies that were stopped want no quotes any more, and nothing is closed without one.
        await asyncio.wrap_future(self._queue.ask(self._watch_held))
        with self._gate.closing(place):
            reach("kill.closing")
            left = await self._strategies.clear_up(set(holders), "flatten", self.part(place, self._collar_pct))
            reach("kill.closed")
        still = await self._holders(place)
        return f"not flat yet: {', '.join(sorted(still))}{f' ({left})' if left else ''}" if still else ""

    def _covers(self, place: KillPlace, instrument_id: InstrumentId) -> bool:
        return place.covers_instrument(instrument_id, *names_of(self._instrument(instrument_id)))

    def _account_was_asked(self, has_left: Future[bool]) -> None:
        self.has_asked_account = self.has_asked_account or has_left.result()

    async def _look(self, place: KillPlace) -> list[ListedOrder] | Looked:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                listed = await asyncio.wrap_future(self._account.open_orders())
        except (ConnectivityError, TimeoutError) as error:
            return Looked(-1, f"the broker does not say which orders work: {error or 'no answer'}")
        reach("kill.looked")
        client_id = await self._client_id(place)
        return [order for order in listed if self._is_in_reach(place, order, client_id)]

    async def _client_id(self, place: KillPlace) -> int:
        if place.scope is not KillScope.STRATEGY:
            return -1
        name = StrategyId(place.target)
        return await asyncio.wrap_future(
            self._queue.ask(lambda state: state.strategies[name].client_id if name in state.strategies else -1)
        )

    def _is_in_reach(self, place: KillPlace, order: ListedOrder, client_id: int) -> bool:
        if client_id >= 0 and order.client_id == client_id:
            return True
        if order.combo is not None and any(self._covers(place, key) for key in order.contracts):
            return True
        return place.covers_strategy(owner_of(order.order_ref)) or place.covers_instrument(
            order.instrument_id, *order.symbols
        )

    def _cancel_again(self, place: KillPlace, left: list[ListedOrder]) -> None:
        self.cancel(place, with_account=True)
        if place.scope is KillScope.INSTRUMENT:
            self._account.cancel_by_hand([order for order in left if owner_of(order.order_ref) is None])
        if self._clearing is None or self._clearing.done():  # an errand has its client id for itself
            owners = {name for order in left if (name := owner_of(order.order_ref)) is not None}
            self._clearing = asyncio.create_task(self._strategies.clear_up(owners, "cancel", self.part(place)))

    async def _booked(self, place: KillPlace) -> str:
        # The broker lists nothing: our own table follows, by what was told or by asking for it.
        loop = asyncio.get_running_loop()
        begun_s, is_asked = loop.time(), False
        while owners := await self.working(place):
            if loop.time() > begun_s + BOOKED_S:
                return f"orders of {', '.join(sorted(owners))} are not settled in the books yet"
            if not is_asked and loop.time() > begun_s + BOOKED_S / 6:
                is_asked = True
                self._account.settle()
            await asyncio.sleep(LOOK_S)
        return ""

    async def _holders(self, place: KillPlace) -> set[StrategyId]:
        return await asyncio.wrap_future(
            self._queue.ask(
                lambda state: {
                    name
                    for name in state.books.strategies()
                    if name != UNASSIGNED
                    and any(
                        place.covers_strategy(name) or self._covers(place, key)
                        for key in state.books.book(name).open_positions
                    )
                }
            )
        )


def _told(left: Sequence[ListedOrder]) -> Looked:
    foreign = sorted({order.client_id for order in left if owner_of(order.order_ref) is None})
    whose = f"; of another program (client id {', '.join(map(str, foreign))}): cancel them there" if foreign else ""
    return Looked(len(left), f"{len(left)} orders may still work at the broker{whose}" if left else "")
