"""IB's order types and times in force, as the parts that the exchange knows."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from ibfloor.model.instrument import SecurityType
from ibfloor.model.order import OrdType, Side, TimeInForce
from ibfloor.sim.exchange.values import Auction, Peg, PegMoves, PegTo, Trigger, TriggerKind
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.events import Rules
from ibfloor.sim.gateway.ticket_errors import TicketError, invalid, rejected
from ibfloor.sim.gateway.ticket_hours import too_late
from ibfloor.sim.gateway.ticket_prices import ZERO, above_zero, number, price
from ibfloor.sim.gateway.ticket_times import BAD_TIME, moment_of
from ibfloor.sim.market.securities import Security

UNSUPPORTED = TicketError(387, "Unsupported order type for this exchange and security type.")


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What an order type means: what trades in the end, at which prices, by which rules."""

    ord_type: OrdType = OrdType.MARKET
    limit_px: Decimal | None = None
    stop_px: Decimal | None = None
    rules: Rules = Rules()


def is_known_type(values: Values) -> bool:
    """Tell whether there are orders of this type at all."""
    return str(values.get("order_type")) in _READERS


def terms_of(values: Values, security: Security, side: Side) -> Terms:
    """Return what a known type and its prices mean; raise ``TicketError`` for what IB would refuse."""
    return _READERS[str(values["order_type"])](values, security, side)


def lasting(values: Values, terms: Terms, security: Security, qty: Decimal, now_ns: int) -> tuple[TimeInForce, Rules]:
    """Return how long an order works, with the rules that come of it."""
    tif = str(values.get("tif") or "DAY")
    rules = terms.rules
    order_type = str(values.get("order_type"))
    if rules.auction is Auction.CLOSE and tif != "DAY":
        raise TicketError(113, "The TIF option should be set to DAY for MOC and LOC orders.")
    if tif in ("IOC", "FOK", "OPG") and (rules.trigger is not None or terms.stop_px is not None or order_type == "MTL"):
        raise TicketError(111, "The TIF type and the order type are incompatible.")
    change = msgspec.structs.replace
    good_from_ns = _time(values, "good_after_time", security)
    if good_from_ns:
        rules = change(rules, good_from_ns=good_from_ns)
    late = too_late(security, Auction.OPEN if tif == "OPG" else rules.auction, order_type, now_ns)
    if late is not None:
        raise late
    match tif:
        case "DAY" | "GTC":
            return TimeInForce(tif), rules
        case "IOC":
            return TimeInForce.IOC, rules
        case "FOK":
            return TimeInForce.IOC, change(rules, min_qty=qty)
        case "OPG":
            if not _has_auctions(security) or order_type not in ("MKT", "LMT"):
                raise UNSUPPORTED
            return TimeInForce.DAY, change(rules, auction=Auction.OPEN)
        case "GTD":
            until_ns = _time(values, "good_till_date", security)
            if until_ns == 0:
                raise BAD_TIME
            if until_ns <= now_ns:
                raise rejected("The good-till-date is in the past.")
            return TimeInForce.GTC, change(rules, good_until_ns=until_ns)
    raise TicketError(10052, f"Invalid time in force:{tif}.")


def _time(values: Values, name: str, security: Security) -> int:
    text = str(values.get(name) or "")
    if not text:
        return 0
    try:
        return moment_of(text, security.session)
    except ValueError:
        raise BAD_TIME from None


def _has_auctions(security: Security) -> bool:
    return security.instrument.contract.security_type is SecurityType.STOCK


def _market(_values: Values, _security: Security, _side: Side) -> Terms:
    return Terms()


def _limit(values: Values, security: Security, _side: Side) -> Terms:
    return Terms(ord_type=OrdType.LIMIT, limit_px=price(values, "lmt_price", "limit price", security))


def _stop(values: Values, security: Security, _side: Side) -> Terms:
    return Terms(ord_type=OrdType.STOP, stop_px=price(values, "aux_price", "stop price", security))


def _stop_limit(values: Values, security: Security, side: Side) -> Terms:
    return _waiting(TriggerKind.STOP, values, security, _limit(values, security, side))


def _if_touched(values: Values, security: Security, side: Side) -> Terms:
    return _waiting(TriggerKind.TOUCH, values, security, _market(values, security, side))


def _limit_if_touched(values: Values, security: Security, side: Side) -> Terms:
    return _waiting(TriggerKind.TOUCH, values, security, _limit(values, security, side))


def _waiting(kind: TriggerKind, values: Values, security: Security, terms: Terms) -> Terms:
    px = price(values, "aux_price", "trigger price", security)
    return msgspec.structs.replace(terms, rules=Rules(trigger=Trigger(kind=kind, px=px)))


def _trail(values: Values, security: Security, _side: Side) -> Terms:
    return Terms(rules=Rules(trigger=_trailing(values, security, None)))


def _trail_limit(values: Values, security: Security, side: Side) -> Terms:
    offset, limit = number(values, "lmt_price_offset"), number(values, "lmt_price")
    stop = number(values, "trail_stop_price")
    if offset is None and limit and stop:
        offset = (limit - stop) * side.sign
    if offset is None:
        raise invalid("A trailing stop limit order needs a limit price offset, or a limit and a stop price.")
    return Terms(ord_type=OrdType.LIMIT, rules=Rules(trigger=_trailing(values, security, offset)))


def _trailing(values: Values, security: Security, limit_offset: Decimal | None) -> Trigger:
    percent = number(values, "trailing_percent")
    start = number(values, "trail_stop_price")
    if percent is not None and not ZERO < percent < 100:
        raise invalid("The trailing percent must be between 0 and 100.")
    return Trigger(
        kind=TriggerKind.STOP,
        px=price(values, "trail_stop_price", "trailing stop price", security) if start else None,
        trail_percent=percent,
        trail_amount=above_zero(values, "aux_price", "trailing amount") if percent is None else None,
        limit_offset=limit_offset,
    )


def _market_to_limit(_values: Values, security: Security, _side: Side) -> Terms:
    if security.instrument.contract.security_type is SecurityType.FOREX:
        raise UNSUPPORTED
    return Terms(rules=Rules(is_market_to_limit=True))


def _on_close(values: Values, security: Security, side: Side) -> Terms:
    if not _has_auctions(security):
        raise UNSUPPORTED
    terms = _limit(values, security, side) if values.get("order_type") == "LOC" else _market(values, security, side)
    return msgspec.structs.replace(terms, rules=Rules(auction=Auction.CLOSE))


def _relative(values: Values, security: Security, _side: Side) -> Terms:
    if security.instrument.contract.security_type is not SecurityType.STOCK:
        raise TicketError(114, "Relative orders are valid for stocks only.")
    cap = price(values, "lmt_price", "limit price", security) if number(values, "lmt_price") else None
    percent = number(values, "percent_offset") or ZERO
    peg = Peg(percent=percent) if percent else Peg(offset=number(values, "aux_price") or ZERO)
    if min(peg.offset, peg.percent) < ZERO:
        raise invalid("The offset of a relative order cannot be negative.")
    return Terms(ord_type=OrdType.LIMIT, limit_px=cap, rules=Rules(peg=peg))


def _pegged(values: Values, security: Security, _side: Side) -> Terms:
    if security.instrument.contract.security_type is not SecurityType.STOCK:
        raise UNSUPPORTED
    name = str(values["order_type"])
    to, moves = _PEGS[name]
    cap = price(values, "lmt_price", "limit price", security) if number(values, "lmt_price") else None
    percent = number(values, "percent_offset") or ZERO
    offset = ZERO if name == "MIDPRICE" or percent else number(values, "aux_price") or ZERO
    if min(offset, percent) < ZERO:
        raise invalid("The offset of a pegged order cannot be negative.")
    peg = Peg(offset=offset, percent=percent, to=to, moves=moves)
    return Terms(ord_type=OrdType.LIMIT, limit_px=cap, rules=Rules(peg=peg))


_PEGS = {
    "PEG MKT": (PegTo.OPPOSITE, PegMoves.TOWARDS),
    "PEG MID": (PegTo.MIDDLE, PegMoves.BOTH),
    "MIDPRICE": (PegTo.MIDDLE, PegMoves.BOTH),
    "SNAP MKT": (PegTo.OPPOSITE, PegMoves.ONCE),
    "SNAP MID": (PegTo.MIDDLE, PegMoves.ONCE),
    "SNAP PRIM": (PegTo.OWN, PegMoves.ONCE),
}
_READERS: dict[str, Callable[[Values, Security, Side], Terms]] = {
    "MKT": _market,
    "LMT": _limit,
    "STP": _stop,
    "STP LMT": _stop_limit,
    "TRAIL": _trail,
    "TRAIL LIMIT": _trail_limit,
    "MIT": _if_touched,
    "LIT": _limit_if_touched,
    "MTL": _market_to_limit,
    "MOC": _on_close,
    "LOC": _on_close,
    "REL": _relative,
    **dict.fromkeys(_PEGS, _pegged),
}
