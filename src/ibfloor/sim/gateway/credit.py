"""What an order would do to an account's margin, and whether its price is one that anybody means."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Instrument, SecurityType
from ibfloor.model.order import Side
from ibfloor.sim.account import SimAccount, SimPosition
from ibfloor.sim.account.margin import requirement
from ibfloor.sim.exchange.fees import FIXED_FEES, Traded
from ibfloor.sim.gateway.events import ZERO, BrokerOrder, OrderPreviewed, Standing, Ticket
from ibfloor.sim.gateway.marks import mark_of, rates_of, under_marks
from ibfloor.sim.gateway.ticket_errors import TicketError, rejected
from ibfloor.sim.market.source import Market

_OFF_MARKET = Decimal("0.5")
_CENT = Decimal("0.01")
OUT_OF_RANGE = TicketError(
    109,
    "Price is out of the range defined by the Percentage Setting at order defaults frame. "
    "The order will not be transmitted.",
)


LOCATE = "locate"
"""What a short sale is held by."""
LOCATE_TEXT = (
    "Shares for this order are not immediately available for short sale. "
    "The order will be held while we attempt to locate the shares."
)


_Part = tuple[Instrument, Side, Decimal, Decimal]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """An account before and after an order, and what the order costs."""

    before: Standing
    after: Standing
    commission: Decimal
    """In the instrument's currency."""


class Credit:
    """Judges orders by the margin they need. Owner: the gateway's one thread."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def preview(self, account: SimAccount, ticket: Ticket) -> Preview:
        """Return what the whole of an order would do to an account, at its own price or the market's."""
        instrument = ticket.instrument
        commission = sum((_fee(part) for part in self._parts(ticket)), ZERO)
        rates = rates_of(self._market, account.base_currency)
        rate = rates.get(instrument.currency, Decimal(1))
        initial, maintenance = self._change(account, ticket)
        before = self._standing(account)
        after = Standing(
            equity=before.equity - commission * rate,
            initial=before.initial + initial * rate,
            maintenance=before.maintenance + maintenance * rate,
        )
        return Preview(before=before, after=after, commission=commission)

    def previewed(self, order: BrokerOrder, account: SimAccount) -> OrderPreviewed:
        """Return what a client is told that only asked."""
        preview = self.preview(account, order.ticket)
        return OrderPreviewed(
            order=order,
            before=preview.before,
            after=preview.after,
            commission=preview.commission,
            margin_currency=account.base_currency,
        )

    def flaw(self, account: SimAccount, ticket: Ticket) -> TicketError | None:
        """Return why an account cannot carry an order; ``None`` when it can, or when margin falls."""
        if ticket.parent_id or self._change(account, ticket)[0] <= ZERO:
            return None
        preview = self.preview(account, ticket)
        if preview.after.equity >= preview.after.initial:
            return None
        currency = account.base_currency
        equity, initial = preview.before.equity.quantize(_CENT), preview.after.initial.quantize(_CENT)
        return rejected(
            "YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR EQUITY WITH LOAN VALUE "
            f"[{equity} {currency}] MUST EXCEED THE INITIAL MARGIN [{initial} {currency}]"
        )

    def cushion(self, account: SimAccount) -> Decimal | None:
        """Return how much of its equity an account has above what it must keep, in per cent."""
        standing = self._standing(account)
        if standing.equity <= ZERO:
            return None
        return (standing.equity - standing.maintenance) / standing.equity * 100

    def is_off_market(self, ticket: Ticket) -> bool:
        """Tell whether a limit is so far through the market that nobody means it."""
        if ticket.legs:
            return False
        mark = mark_of(self._market, ticket.instrument.instrument_id)
        if ticket.limit_px is None or not mark or ticket.attributes.get("override_percentage_constraints"):
            return False
        if ticket.rules.trigger is not None or ticket.rules.peg is not None:
            return False
        worse = (ticket.limit_px - mark) * ticket.side.sign
        return worse > mark * _OFF_MARKET

    def _px(self, ticket: Ticket) -> Decimal:
        stop = ticket.stop_px if ticket.rules.trigger is None else ticket.rules.trigger.px
        return ticket.limit_px or stop or mark_of(self._market, ticket.instrument.instrument_id) or ZERO

    def _parts(self, ticket: Ticket) -> list[_Part]:
        if not ticket.legs:
            return [(ticket.instrument, ticket.side, ticket.qty, self._px(ticket))]
        return [
            (
                leg.instrument,
                leg.side if ticket.side is Side.BUY else leg.side.opposite,
                ticket.qty * leg.ratio,
                mark_of(self._market, leg.instrument.instrument_id) or ZERO,
            )
            for leg in ticket.legs
        ]

    def _change(self, account: SimAccount, ticket: Ticket) -> tuple[Decimal, Decimal]:
        initial = maintenance = ZERO
        for instrument, side, qty, px in self._parts(ticket):
            held = account.position(instrument.instrument_id) or SimPosition(instrument=instrument)
            then, _, _ = held.traded(side, qty, px, ZERO)
            under = under_marks(self._market, (then,)).get(instrument.instrument_id)
            now_needed, then_needed = requirement(held, px, under), requirement(then, px, under)
            initial += then_needed[0] - now_needed[0]
            maintenance += then_needed[1] - now_needed[1]
        return initial, maintenance

    def _standing(self, account: SimAccount) -> Standing:
        held = [position for position in account.positions if position.qty]
        marks = {}
        for position in held:
            key = position.instrument.instrument_id
            mark = mark_of(self._market, key)
            if mark is not None:
                marks[key] = mark
        rates = rates_of(self._market, account.base_currency)
        rows = account.values(marks, rates, under_marks(self._market, held))
        whole = {key: value for key, value, currency in rows if currency == account.base_currency}
        return Standing(
            equity=Decimal(whole["EquityWithLoanValue"]),
            initial=Decimal(whole["InitMarginReq"]),
            maintenance=Decimal(whole["MaintMarginReq"]),
        )


def _fee(part: _Part) -> Decimal:
    instrument, _, qty, px = part
    traded = Traded().plus(qty, px, instrument.multiplier)
    return FIXED_FEES[instrument.contract.security_type].order_fee(traded)


def needs_locate(account: SimAccount, ticket: Ticket, unlocated: set[InstrumentId]) -> bool:
    """Tell whether an order sells shares short that must be located first."""
    key = ticket.instrument.instrument_id
    if ticket.side is Side.BUY or key not in unlocated:
        return False
    held = account.position(key)
    is_short = (ZERO if held is None else held.qty) < ticket.qty
    return is_short and ticket.instrument.contract.security_type is SecurityType.STOCK
