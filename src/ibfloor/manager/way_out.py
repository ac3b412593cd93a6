"""The way out of what a strategy has: its orders canceled, its positions closed, all of it or a part.

Owner: the strategy's thread. A stop policy takes all, a kill switch its reach; a kill closes within
a bound of the newest price, a stop policy at the market.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import structlog

from ibfloor.config import StopSection
from ibfloor.crash_points import reach
from ibfloor.execution.ticket import OrderTicket
from ibfloor.execution.trade_manager import TradeManager
from ibfloor.manager.services import Services
from ibfloor.manager.worker_context import WorkerContext
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Instrument
from ibfloor.model.order import Order, OrdType, Refused, Side
from ibfloor.portfolio.position import Position

CANCEL_AGAIN_S = 1.0
FLATTEN_AGAIN_S = 5.0

log = structlog.get_logger("way-out")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What of a strategy is ended."""

    covers: Callable[[InstrumentId], bool] = lambda _: True
    covers_some: bool = False
    """Whether the strategy goes on with the rest."""
    collar_pct: Decimal | None = None
    """How far through the newest price a position may be closed, in percent; ``None`` is at the market."""


ALL = Part()


class WayOut:
    """Ends orders and positions of one strategy, again and again, within the times of ``[stop]``."""

    def __init__(
        self, services: Services, trade: TradeManager, context: WorkerContext, is_severed: Callable[[], bool]
    ) -> None:
        self._services = services
        self._trade = trade
        self._context = context
        self._is_severed = is_severed
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Take note that an order or the book has changed."""
        self._changed.set()

    def working(self, part: Part) -> list[Order]:
        """Return the orders of a part that can still trade."""
        return [order for order in self._trade.working if any(map(part.covers, order.request.contracts))]

    def held(self, part: Part) -> dict[InstrumentId, Position]:
        """Return the positions of a part that are not flat."""
        held = self._context.book.open_positions
        return {instrument_id: position for instrument_id, position in held.items() if part.covers(instrument_id)}

    def left(self, part: Part, *, with_positions: bool = True) -> str:
        """Say what of a part is not ended; empty when nothing is left."""
        working, held = len(self.working(part)), len(self.held(part))
        return f"{working} orders work, {held} positions are open" if working or (held and with_positions) else ""

    def cancel(self, part: Part, reason: str) -> None:
        """Ask for the end of a part's orders, once."""
        for order in self.working(part):
            self._trade.cancel(order.cl_ord_id, reason)

    async def cancel_until_done(self, part: Part, reason: str) -> None:
        """Cancel again and again: a cancel may be refused, or lost while the connection is down."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._stop.cancel_s
        while self.working(part) and loop.time() < deadline_s and not self._is_severed():
            reach("stop.before_cancel")
            self.cancel(part, reason)
            reach("stop.after_cancel")
            if await self._until(lambda: not self.working(part), CANCEL_AGAIN_S):
                return

    async def flatten(self, part: Part) -> None:
        """Close a part's positions; only orders that reduce are sent, never two for the same quantity."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._stop.flatten_s
        while not self.working(part) and self.held(part) and loop.time() < deadline_s:
            self._close(part)
            await self._until(lambda: not self.working(part), FLATTEN_AGAIN_S)
            # Never a second closing order beside one that may still fill.
            await self.cancel_until_done(part, "flatten, once more")
            if self.held(part):
                await asyncio.sleep(CANCEL_AGAIN_S)  # a rate limit or a hold may have refused it

    @property
    def _stop(self) -> StopSection:
        return self._services.stop

    def _close(self, part: Part) -> None:
        for instrument_id, held in self.held(part).items():
            instrument = self._context.instrument(instrument_id)
            if instrument is None:
                log.error("cannot flatten an instrument the floor has not met", instrument_id=instrument_id)
                continue
            side = Side.SELL if held.qty > 0 else Side.BUY
            limit_px = None
            if part.collar_pct is not None:
                limit_px = self._services.gate.sizes.bound(self._context.strategy, instrument, side, part.collar_pct)
                if limit_px is None:
                    log.error("not closed: there is no fresh price to bound it by", contract=str(instrument.contract))
                    continue
            self._send(instrument, side, abs(held.qty), limit_px)

    def _send(self, instrument: Instrument, side: Side, left: Decimal, limit_px: Decimal | None) -> None:
        while left > 0:  # in pieces that the limits of one order let pass
            piece = min(left, self._services.gate.sizes.largest_order(self._context.strategy, instrument) or left)
            ticket = OrderTicket(
                instrument=instrument,
                side=side,
                order_qty=piece,
                ord_type=OrdType.MARKET if limit_px is None else OrdType.LIMIT,
                limit_px=limit_px,
                note="flatten",
            )
            reach("flatten.before_order")
            outcome = self._trade.submit(ticket)
            reach("flatten.after_order")
            log.info(
                "flatten",
                strategy=self._context.strategy,
                contract=str(instrument.contract),
                qty=str(piece),
                outcome=outcome,
            )
            if isinstance(outcome, Refused):
                return
            left -= piece

    async def _until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        return condition()
