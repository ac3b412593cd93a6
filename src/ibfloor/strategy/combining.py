"""Several contracts as one order: combinations, and the roll from one future to the next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from ibfloor.model.combo import combo_contract
from ibfloor.model.instrument import Contract, SecurityType
from ibfloor.model.moment import to_datetime
from ibfloor.model.order import Accepted, Refused, Side, TimeInForce
from ibfloor.strategy.calendars import trading_days_left
from ibfloor.strategy.orders import Lasting, Limit, Market
from ibfloor.strategy.quantities import Price, Quantity, Unfit, order_qty
from ibfloor.strategy.trading import Trading

Leg = tuple[Contract, int, Side]
"""A contract, how many of it one combination has, and its side when the combination is bought."""


class Combining(Trading):
    """Orders of which all legs trade together."""

    def combo(self, legs: Sequence[Leg], *, guaranteed: bool = True, tick: Decimal | None = None) -> Contract:
        """Return a combination as a contract, to be bought and sold like any other.

        ``guaranteed`` asks the broker to fill all legs or none; else a leg may be left alone. ``tick`` is its price
        step, the finest of its legs' where it is not given. Raises ``ValueError`` for a ratio below one.
        """
        return combo_contract(legs, is_guaranteed=guaranteed, tick=tick)

    def roll(
        self,
        held: Contract,
        to: Contract,
        qty: Quantity | None = None,
        *,
        limit: Price | None = None,
        tick: Decimal | None = None,
        tif: Lasting = TimeInForce.DAY,
        note: str = "",
    ) -> Accepted | Refused:
        """Move the position from one future to another, or ``qty`` of it, with one order: all of a lot, or nothing.

        ``limit`` is the spread, the new future's price less the old one's: what a long position pays at most, what
        a short one gets at least. While the roll works, other orders in both futures are refused; and it is refused
        while one works in the old one, which would be left behind there.
        """
        try:
            side, size = self._to_roll(held, to, qty)
        except Unfit as unfit:
            return self._refuse(unfit.refusal)
        spread = combo_contract([(to, 1, Side.BUY), (held, 1, Side.SELL)], tick=tick, is_roll=True)
        order = (
            Market(spread, side, size, tif=tif, note=note)
            if limit is None
            else Limit(spread, side, size, limit, tif=tif, note=note)
        )
        return self.submit(order)

    def trading_days_left(self, contract: Contract, *, calendar: str = "CMES") -> int | None:
        """Return how many trading days follow today up to a contract's last; ``None`` while its last is not known.

        Raises ``ValueError`` for a calendar that ``exchange_calendars`` has not.
        """
        instrument = self.floor.instrument(contract)
        if instrument is None or not instrument.last_trade_date:
            return None
        zone = ZoneInfo("America/New_York")
        last = datetime.strptime(instrument.last_trade_date, "%Y%m%d").replace(tzinfo=zone).date()
        return trading_days_left(to_datetime(self.floor.clock.now_ns(), zone).date(), last, calendar)

    def _to_roll(self, held: Contract, to: Contract, qty: Quantity | None) -> tuple[Side, Decimal]:
        for each in (held, to):
            if each.security_type is not SecurityType.FUTURE:
                raise Unfit("roll", f"{each} is no future: a roll goes from one future to another", each)
        if held.symbol != to.symbol:
            raise Unfit("roll", f"{held} and {to} are futures of different things: trade a combo instead", to)
        has = self.position(held).qty
        size = abs(has) if qty is None else order_qty(qty)
        if not size:
            raise Unfit("roll", f"no {held} is held: there is nothing to roll", held)
        left = next((order.cl_ord_id for order, _ in self._orders_with(held)), None)
        if left is not None:
            raise Unfit("roll", f"{left} works in {held}: cancel it first, or it stays behind without a position", held)
        if size > abs(has):
            raise Unfit("roll", f"{abs(has):f} {held} are held: a roll takes no more", size)
        return (Side.BUY if has > 0 else Side.SELL), size
