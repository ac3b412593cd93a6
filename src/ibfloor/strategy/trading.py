"""A strategy's orders and book. A refusal is an answer, never an exception."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from ibfloor.execution.ticket import BracketTicket, OrderTicket
from ibfloor.model.ids import ClientOrderId
from ibfloor.model.instrument import Contract, Instrument
from ibfloor.model.margin import MarginImpact
from ibfloor.model.money import Currency
from ibfloor.model.order import Accepted, Order, OrdStatus, Refusal, Refused, Side, TimeInForce
from ibfloor.model.terms import OcaKind
from ibfloor.strategy.orders import AnyOrder, Lasting, Limit, Market, MarketOnClose, Percent, Stop, StopLimit, Trail
from ibfloor.strategy.quantities import Price, Quantity, Unfit, order_px, order_qty, whole_qty
from ibfloor.strategy.seat import Seat
from ibfloor.strategy.tickets import ticket_of
from ibfloor.strategy.values import Bracket, Position

OrderRef = Order | Accepted | ClientOrderId
_NOT_SENT = ClientOrderId("")
_WARMING = Refusal(rule="warm-up", text="the bar comes from history: nothing is sent before the first live one")


class Trading(Seat):
    """Orders out, own position and cash at hand."""

    def buy(
        self,
        contract: Contract,
        qty: Quantity,
        *,
        limit: Price | None = None,
        stop: Price | None = None,
        tif: Lasting = TimeInForce.DAY,
        note: str = "",
    ) -> Accepted | Refused:
        """Buy at the market, at a limit, once a stop price trades, or at a limit after that."""
        return self.submit(_simple(contract, Side.BUY, qty, limit, stop, tif, note))

    def sell(
        self,
        contract: Contract,
        qty: Quantity,
        *,
        limit: Price | None = None,
        stop: Price | None = None,
        tif: Lasting = TimeInForce.DAY,
        note: str = "",
    ) -> Accepted | Refused:
        """Sell (short, where nothing is held) as ``buy`` buys."""
        return self.submit(_simple(contract, Side.SELL, qty, limit, stop, tif, note))

    def submit(self, order: AnyOrder) -> Accepted | Refused:
        """Send an order of any kind (``ibfloor.Limit`` and its like); its ``note`` comes back with its fills.

        Refused while ``is_warming``: a bar from history is no reason to trade now.
        """
        if self.floor.is_warming:
            return Refused(_NOT_SENT, _WARMING)  # of many bars: no line in the log for each
        try:
            return self.floor.submit(self._ticket(order))
        except Unfit as unfit:
            return self._refuse(unfit.refusal)

    async def preview(self, order: AnyOrder) -> MarginImpact | Refused:
        """Ask what an order would do to the account's margin and what it would cost; nothing is placed.

        Refused where the broker would refuse the order, or where no answer came.
        """
        try:
            return await self.floor.preview(self._ticket(order))
        except Unfit as unfit:
            return self._refuse(unfit.refusal)

    def bracket(
        self,
        entry: AnyOrder,
        *,
        take_profit: Price | None = None,
        stop: Price | None = None,
        trail: Price | Percent | None = None,
        at_close: bool = False,
        tif: Lasting = TimeInForce.GTC,
    ) -> Bracket | Refused:
        """Send an entry with the orders that get out of it: a limit, a stop, a trailing stop, a market order at close.

        IB holds the exits until the entry fills, as far as it fills, and each fill of one reduces the others.
        ``tif`` is that of the exits. All are sent, or none.
        """
        side, qty, contract, note = entry.side.opposite, entry.qty, entry.contract, entry.note
        exits: dict[str, AnyOrder] = {}
        if take_profit is not None:
            exits["take_profit"] = Limit(contract, side, qty, take_profit, tif=tif, note=note)
        if stop is not None:
            exits["stop"] = Stop(contract, side, qty, stop, tif=tif, note=note)
        if trail is not None:
            exits["trail"] = Trail(contract, side, qty, by=trail, tif=tif, note=note)
        if at_close:
            exits["at_close"] = MarketOnClose(contract, side, qty, note=note)
        try:
            if not exits:
                raise Unfit("bracket", "a bracket needs an exit: take_profit, stop, trail or at_close", contract)
            ticket = BracketTicket(
                entry=self._ticket(entry), exits=tuple(self._ticket(order) for order in exits.values())
            )
        except Unfit as unfit:
            return self._refuse(unfit.refusal)
        first, *others = self.floor.submit_bracket(ticket)
        refused = next((each for each in (first, *others) if isinstance(each, Refused)), None)
        if refused is not None:
            return refused
        assert isinstance(first, Accepted)
        return Bracket(entry=first, **dict(zip(exits, others, strict=True)))  # type: ignore[arg-type] # none is refused

    def one_cancels_all(self, *orders: AnyOrder, kind: OcaKind = OcaKind.CANCEL) -> tuple[Accepted | Refused, ...]:
        """Send orders of which a fill of one cancels (or reduces) the others; all are sent, or none."""
        try:
            if len(orders) < 2:
                raise Unfit("group", "a group has two orders at least", len(orders))
            tickets = tuple(self._ticket(order) for order in orders)
        except Unfit as unfit:
            return (self._refuse(unfit.refusal),)
        return self.floor.submit_group(tickets, kind)

    def target(self, contract: Contract, qty: Quantity, *, note: str = "") -> Accepted | Refused | None:
        """Bring the position to ``qty`` with one market order; ``None`` when it is there or on its way.

        On its way = own orders that still work. Those that wait for a trigger do not count, nor do a bracket's
        exits and orders reported as PENDING_CANCEL: cancel what protects a position, and wait for its end,
        before closing it. Refused while an order of the contract is UNKNOWN: it may have filled.
        """
        try:
            if contract.legs:
                raise Unfit("target", "a combination has no position: give each leg its own target", contract)
            change = whole_qty(qty) - self._expected_position(contract)
        except Unfit as unfit:
            return self._refuse(unfit.refusal)
        if not change:
            return None
        return self.submit(Market(contract, Side.BUY if change > 0 else Side.SELL, abs(change), note=note))

    def cancel(self, order: OrderRef) -> Accepted | Refused:
        """Ask for an order's cancel; it may still fill until ``on_order`` says CANCELED."""
        return self.floor.cancel(_id_of(order))

    def cancel_all(self, contract: Contract | None = None) -> None:
        """Ask for the cancel of all own working orders, or of those of one contract."""
        for order in self.orders if contract is None else self.orders_of(contract):
            if order.status is not OrdStatus.PENDING_CANCEL:
                self.cancel(order)

    def replace(
        self, order: OrderRef, *, qty: Quantity | None = None, limit: Price | None = None, stop: Price | None = None
    ) -> Accepted | Refused:
        """Change a working order; what is not given stays. ``qty`` is the whole order's, fills included.

        What stays is what the broker has confirmed: while a change is under way, give all that shall differ.
        """
        order_id = _id_of(order)
        request = next((each.request for each in self.orders if each.cl_ord_id == order_id), None)
        instrument = self.floor.instrument(request.instrument_id) if request else None
        if request is None or instrument is None:
            return self._refuse(Refusal(rule="order done", text=f"{order_id} is no working order"), order_id)
        try:
            return self.floor.replace(
                order_id,
                qty=request.order_qty if qty is None else order_qty(qty),
                limit_px=request.limit_px if limit is None else order_px(limit, instrument, request.side),
                stop_px=request.stop_px if stop is None else order_px(stop, instrument, request.side),
            )
        except Unfit as unfit:
            return self._refuse(unfit.refusal, order_id)

    @property
    def orders(self) -> Sequence[Order]:
        """Return own orders that may still fill."""
        return self.floor.orders()

    def orders_of(self, contract: Contract) -> list[Order]:
        """Return own orders of a contract that may still fill."""
        instrument = self.floor.instrument(contract)
        return [each for each in self.orders if instrument and each.request.instrument_id == instrument.instrument_id]

    def position(self, contract: Contract) -> Position:
        """Return the own position; flat where nothing was ever held."""
        return self.floor.position(contract)

    @property
    def equity(self) -> Decimal | None:
        """Return own cash and positions in account currency; ``None`` while a mark or rate is missing."""
        return self.floor.equity()

    @property
    def cash(self) -> Mapping[Currency, Decimal]:
        """Return own cash per currency."""
        return self.floor.cash()

    def _ticket(self, order: AnyOrder) -> OrderTicket:
        if self.floor.is_warming:
            raise Unfit(_WARMING.rule, _WARMING.text, order)
        instrument = self.floor.instrument(order.contract)
        if instrument is None:
            raise Unfit("instrument", f"the broker has not defined {order.contract} yet", order.contract)
        ticket = ticket_of(order, instrument)
        if (rolled := self._rolled_with(instrument)) is not None:
            raise Unfit("roll", f"{rolled.cl_ord_id} rolls it: other orders wait until that is done", order.contract)
        return ticket

    def _rolled_with(self, instrument: Instrument) -> Order | None:
        meant = {leg.instrument.instrument_id for leg in instrument.legs} or {instrument.instrument_id}
        for order in self.orders:
            combo = order.request.asks.combo
            if combo is not None and combo.is_roll and any(leg.instrument_id in meant for leg in combo.legs):
                return order
        return None

    def _expected_position(self, contract: Contract) -> Decimal:
        expected = self.position(contract).qty
        for order, ratio in self._orders_with(contract):
            if order.status is OrdStatus.UNKNOWN:
                raise Unfit("unknown order", f"the broker is being asked what became of {order.cl_ord_id}", contract)
            request = order.request
            is_waiting = request.ord_type.waits or request.asks.bracket or order.status is OrdStatus.PENDING_CANCEL
            if not is_waiting:
                expected += order.leaves_qty * request.side.sign * ratio
        return expected

    def _orders_with(self, contract: Contract) -> Iterator[tuple[Order, int]]:
        instrument = self.floor.instrument(contract)
        for order in self.orders if instrument is not None else ():
            assert instrument is not None
            combo = order.request.asks.combo
            for leg in () if combo is None else combo.legs:
                if leg.instrument_id == instrument.instrument_id:
                    yield order, leg.ratio
            if order.request.instrument_id == instrument.instrument_id:
                yield order, 1

    def _refuse(self, refusal: Refusal, order_id: ClientOrderId = _NOT_SENT) -> Refused:
        self.log.warning("order refused", rule=refusal.rule, text=refusal.text, asked=refusal.asked)
        return Refused(order_id, refusal)


def _simple(
    contract: Contract, side: Side, qty: Quantity, limit: Price | None, stop: Price | None, tif: Lasting, note: str
) -> AnyOrder:
    if limit is not None and stop is not None:
        return StopLimit(contract, side, qty, stop, limit, tif=tif, note=note)
    if limit is not None:
        return Limit(contract, side, qty, limit, tif=tif, note=note)
    if stop is not None:
        return Stop(contract, side, qty, stop, tif=tif, note=note)
    return Market(contract, side, qty, tif=tif, note=note)


def _id_of(order: OrderRef) -> ClientOrderId:
    return order.cl_ord_id if isinstance(order, Order | Accepted) else order
