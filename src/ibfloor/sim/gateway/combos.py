"""Combinations: several contracts bought and sold as one, priced off the quotes of their legs.

The exchange knows a combination as an instrument of its own, with an id below zero and a touch made
of the legs' touches. A fill of it becomes one execution for each leg, at the leg's touch; what the
combination's price differs from their sum goes to the dearest leg.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from ibfloor.model.ids import ExecId, InstrumentId
from ibfloor.model.order import Side
from ibfloor.sim.account import SimExecution
from ibfloor.sim.exchange.values import BookTop, Filled
from ibfloor.sim.gateway.codec.kinds import Scalar, Values
from ibfloor.sim.gateway.events import ZERO, BrokerOrder, Leg, Ticket
from ibfloor.sim.gateway.ticket_errors import TicketError, invalid
from ibfloor.sim.market.securities import Security, SecurityMaster

COMBO_CON_ID = 28812380
LEGS_MAX = 6
LegFill = tuple[Leg, Side, Decimal, Decimal]
"""A leg, and its side, quantity and price."""


class Combos:
    """The combinations that clients have asked for. Owner: the gateway's one thread."""

    def __init__(self, master: SecurityMaster, top_of: Callable[[InstrumentId], BookTop | None]) -> None:
        self._master = master
        self._top_of = top_of
        self._by_legs: dict[tuple[Leg, ...], Security] = {}
        self._legs: dict[InstrumentId, tuple[Leg, ...]] = {}

    def security_of(self, values: Values) -> tuple[Security, tuple[Leg, ...]]:
        """Return the combination of a request as a security, with its legs; raise ``TicketError`` for none."""
        legs = self._read(values)
        known = self._by_legs.get(legs)
        if known is None:
            first = self._master.by_id(legs[0].instrument.instrument_id)
            assert first is not None, "legs are of the master"
            key = InstrumentId(-1 - len(self._legs))
            tick = min(leg.instrument.min_tick for leg in legs)
            as_one = msgspec.structs.replace(first.instrument, instrument_id=key, min_tick=tick, exchange="SMART")
            known = msgspec.structs.replace(first, instrument=as_one, rule=None)
            self._by_legs[legs] = known
            self._legs[key] = legs
        return known, legs

    def home(self, instrument_id: InstrumentId) -> InstrumentId:
        """Return the contract whose hours an instrument keeps: a combination those of its first leg."""
        legs = self._legs.get(instrument_id)
        return instrument_id if legs is None else legs[0].instrument.instrument_id

    def of_leg(self, instrument_id: InstrumentId) -> list[InstrumentId]:
        """Return the combinations that an instrument is a leg of."""
        return [key for key, legs in self._legs.items() if any(_is(leg, instrument_id) for leg in legs)]

    def top(self, key: InstrumentId, ts_ns: int) -> BookTop:
        """Return what a combination costs and pays, and how often, by the quotes of its legs."""
        legs = self._legs[key]
        ask, ask_qty = self._touch(legs, Side.BUY)
        bid, bid_qty = self._touch(legs, Side.SELL)
        return BookTop(instrument_id=key, ts_ns=ts_ns, bid_px=bid, bid_qty=bid_qty, ask_px=ask, ask_qty=ask_qty)

    def split(self, ticket: Ticket, qty: Decimal, px: Decimal) -> list[LegFill]:
        """Return what each leg trades when a combination trades at a price."""
        fills = []
        for leg in ticket.legs:
            side = leg.side if ticket.side is Side.BUY else leg.side.opposite
            touch, _ = self._opposite(leg, side)
            fills.append((leg, side, qty * leg.ratio, ZERO if touch is None else touch))
        off = px - sum((_signed(leg) * leg_px for leg, _, _, leg_px in fills), ZERO)
        dearest = max(range(len(fills)), key=lambda n: fills[n][3])
        leg, side, leg_qty, leg_px = fills[dearest]
        fills[dearest] = (leg, side, leg_qty, leg_px + off / _signed(leg))
        return fills

    def _read(self, values: Values) -> tuple[Leg, ...]:
        rows = values.get("combo_legs")
        assert not isinstance(rows, str | int | float | Decimal), "a repeated block is a sequence of rows"
        if not rows or not 2 <= len(rows) <= LEGS_MAX:
            raise TicketError(313, f"A combination has 2 to {LEGS_MAX} legs.")
        legs = tuple(self._leg(row) for row in rows)
        if len({leg.instrument.currency for leg in legs}) > 1:
            raise invalid("All legs of a combination must have the same currency.")
        return legs

    def _leg(self, row: Values) -> Leg:
        con_id, ratio = row.get("con_id"), row.get("ratio")
        security = self._master.by_id(InstrumentId(con_id)) if isinstance(con_id, int) else None
        if security is None:
            raise TicketError(200, "No security definition has been found for the request")
        if not isinstance(ratio, int) or ratio < 1 or row.get("action") not in ("BUY", "SELL"):
            raise TicketError(313, "The ratio or the action of a leg is invalid.")
        return Leg(instrument=security.instrument, ratio=ratio, side=Side(str(row["action"])))

    def _touch(self, legs: Sequence[Leg], side: Side) -> tuple[Decimal | None, Decimal]:
        total, sizes = ZERO, []
        for leg in legs:
            px, size = self._opposite(leg, leg.side if side is Side.BUY else leg.side.opposite)
            if px is None:
                return None, ZERO
            total += _signed(leg) * px
            sizes.append(size // leg.ratio)
        return total, min(sizes)

    def _opposite(self, leg: Leg, side: Side) -> tuple[Decimal | None, Decimal]:
        top = self._top_of(leg.instrument.instrument_id)
        if top is None:
            return None, ZERO
        return (top.ask_px, top.ask_qty) if side is Side.BUY else (top.bid_px, top.bid_qty)


def no_combos() -> Combos:
    """Return a registry that knows no contract to make a leg of."""
    return Combos(SecurityMaster(()), lambda _: None)


def whole_execution(order: BrokerOrder, fill: Filled, leg: SimExecution) -> SimExecution:
    """Return the execution of a combination as a whole; its id is that of its first leg, one part on."""
    cum_qty = order.filled_qty + fill.qty
    head, _, revision = leg.exec_id.rpartition(".")
    return msgspec.structs.replace(
        leg,
        exec_id=ExecId(f"{head.rpartition('.')[0]}.02.{revision}"),
        order_key=order.perm_id,
        instrument=order.ticket.instrument,
        side=order.ticket.side,
        qty=fill.qty,
        px=fill.px,
        cum_qty=cum_qty,
        avg_px=(order.avg_px * order.filled_qty + fill.px * fill.qty) / cum_qty,
        commission=ZERO,
        realised_pnl=None,
    )


def combo_values(ticket: Ticket) -> dict[str, Scalar]:
    """Return the contract fields of a combination, over those of its first leg; none for a plain order."""
    if not ticket.legs:
        return {}
    symbols = ",".join(dict.fromkeys(leg.instrument.contract.symbol for leg in ticket.legs))
    return {
        "con_id": COMBO_CON_ID,
        "symbol": symbols,
        "sec_type": "BAG",
        "expiry": "",
        "strike": ZERO,
        "right": "",
        "multiplier": "",
        "local_symbol": str(COMBO_CON_ID),
        "trading_class": "COMB",
    }


def _signed(leg: Leg) -> Decimal:
    return Decimal(leg.side.sign * leg.ratio)


def _is(leg: Leg, instrument_id: InstrumentId) -> bool:
    return leg.instrument.instrument_id == instrument_id
