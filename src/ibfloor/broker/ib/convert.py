"""The one door between IB's objects and ours: contracts, numbers, statuses."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import ib_async

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, Instrument, Leg, SecurityType
from ibfloor.model.money import Currency
from ibfloor.model.order import OrdStatus, OrdType, Side
from ibfloor.model.terms import Combo, ComboLeg

UNSET_DOUBLE = 1.7976931348623157e308
UNSET_INT = 2147483647
_UNSET_TEXTS = frozenset({"", "1.7976931348623157E308", "1.7976931348623157e+308", "1.7976931348623157e308"})
_ABSURD = Decimal("1e300")

NON_GUARANTEED = ("NonGuaranteed", "1")
"""The routing parameter by which the legs of a combination may fill alone."""

STATUSES = {
    "ApiPending": OrdStatus.PENDING_NEW,
    "PendingSubmit": OrdStatus.PENDING_NEW,
    "PreSubmitted": OrdStatus.NEW,
    "Submitted": OrdStatus.NEW,
    "PendingCancel": OrdStatus.PENDING_CANCEL,
    "ApiCancelled": OrdStatus.CANCELED,
    "Cancelled": OrdStatus.CANCELED,
    "Filled": OrdStatus.FILLED,
}


def to_status(text: str, cum_qty: Decimal, leaves_qty: Decimal | None) -> OrdStatus:
    """Return our status for IB's; ``Inactive`` and unheard-of words are UNKNOWN, to be asked."""
    status = STATUSES.get(text, OrdStatus.UNKNOWN)
    if status is OrdStatus.NEW and cum_qty > 0 and leaves_qty != 0:
        return OrdStatus.PARTIALLY_FILLED
    return status


def to_decimal(text: str) -> Decimal | None:
    """Return a wire number exactly; ``None`` where IB means "not set".

    Execution prices stay as IB wrote them: price improvement is off the tick grid by right.
    """
    if text in _UNSET_TEXTS:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"not a number: {text!r}") from error
    if not value.is_finite() or abs(value) > _ABSURD:
        return None
    return _plain(value)


def number(value: float | Decimal | str | None) -> Decimal | None:
    """Return a number the library decoded, by its shortest text; ``None`` where it is not set."""
    if value is None or value in (UNSET_DOUBLE, UNSET_INT):
        return None
    return to_decimal(value if isinstance(value, str) else str(value))


def _plain(value: Decimal) -> Decimal:
    # 100.0 and 1E+2 are both 100: one spelling, so that journals and orders read alike.
    if value == value.to_integral_value():
        return value.quantize(Decimal(1))
    return value.normalize()


def plain(value: Decimal) -> str:
    """Return a decimal as the wire takes it: no exponent."""
    return format(value, "f")


def to_side(text: str) -> Side:
    """Return the side of ``BUY``/``BOT`` or ``SELL``/``SLD``/``SSHORT``; raise ``ValueError`` otherwise."""
    if text in ("BUY", "BOT"):
        return Side.BUY
    if text in ("SELL", "SLD", "SSHORT"):
        return Side.SELL
    raise ValueError(f"IB names a side that is not known here: {text!r}")


def to_ord_type(text: str) -> OrdType | str:
    """Return our order type, or IB's own word where we cannot send such orders."""
    return OrdType(text) if text in _ORD_TYPES else text


_ORD_TYPES = frozenset(OrdType)


def request_contract(contract: Contract) -> ib_async.Contract:
    """Return what to ask IB for, from what a strategy named."""
    return ib_async.Contract(
        secType=contract.security_type.value,
        symbol=contract.symbol,
        exchange=contract.exchange,
        currency=contract.currency,
        primaryExchange=contract.primary_exchange,
        lastTradeDateOrContractMonth=contract.expiry,
        strike=float(contract.strike) if contract.strike is not None else 0.0,
        right=contract.right,
        multiplier=contract.multiplier,
        tradingClass=contract.trading_class,
    )


def order_contract(instrument: Instrument) -> ib_async.Contract:
    """Return the contract to trade or watch: by conId, so that it cannot be mistaken."""
    contract = request_contract(instrument.contract)
    if instrument.legs:
        contract.exchange = instrument.exchange
        contract.comboLegs = [_combo_leg(leg, instrument.exchange) for leg in instrument.legs]
        return contract
    contract.conId = instrument.instrument_id
    contract.exchange = instrument.exchange
    contract.primaryExchange = instrument.primary_exchange
    contract.localSymbol = instrument.local_symbol
    return contract


def _combo_leg(leg: Leg, exchange: str) -> ib_async.ComboLeg:
    side = Side.BUY if leg.ratio > 0 else Side.SELL
    key = leg.instrument.instrument_id
    return ib_async.ComboLeg(conId=key, ratio=abs(leg.ratio), action=side.value, exchange=exchange)


def to_combo(theirs: ib_async.Contract, params: list[ib_async.TagValue]) -> Combo | None:
    """Return what an order that IB listed trades of a combination; ``None`` for one of a single contract."""
    if theirs.secType != SecurityType.COMBO or not theirs.comboLegs:
        return None
    legs = [
        ComboLeg(instrument_id=InstrumentId(leg.conId), ratio=leg.ratio * to_side(leg.action).sign)
        for leg in theirs.comboLegs
    ]
    is_guaranteed = NON_GUARANTEED not in [(each.tag, each.value) for each in params]
    return Combo(legs=tuple(legs), exchange=theirs.exchange or "SMART", is_guaranteed=is_guaranteed)


_ONE = Decimal(1)
_NO_MULTIPLIER = ("", "0", "1")
_EXCHANGES = {SecurityType.FOREX: "IDEALPRO", SecurityType.FUTURE: "", SecurityType.FUTURE_OPTION: ""}


def to_contract(theirs: ib_async.Contract) -> Contract:
    """Return our contract for one that IB listed (positions, orders)."""
    kind = SecurityType(theirs.secType)
    return Contract(
        security_type=kind,
        symbol=theirs.symbol,
        # A position names no exchange: a future is then asked for on whichever lists it, SMART has none.
        exchange=theirs.exchange or _EXCHANGES.get(kind, "SMART"),
        currency=Currency(theirs.currency),
        primary_exchange=theirs.primaryExchange,
        expiry=theirs.lastTradeDateOrContractMonth,
        strike=number(theirs.strike) or None,
        right=theirs.right if theirs.right not in ("0", "?") else "",
        multiplier=theirs.multiplier,
        # A stock's class is here the symbol, there the market's tier: asked for by the wrong one, nothing is found.
        trading_class="" if kind is SecurityType.STOCK else theirs.tradingClass,
    )


def to_instrument(details: ib_async.ContractDetails, asked: Contract | None = None) -> Instrument:
    """Return the instrument of IB's contract details; ``asked`` keeps the strategy's own words."""
    theirs = details.contract
    if theirs is None:
        raise ValueError("IB sent contract details without a contract")
    return Instrument(
        instrument_id=InstrumentId(theirs.conId),
        contract=asked or to_contract(theirs),
        local_symbol=theirs.localSymbol or theirs.symbol,
        currency=Currency(theirs.currency),
        multiplier=to_multiplier(theirs.multiplier),
        min_tick=number(details.minTick) or Decimal("0.01"),
        lot_size=number(details.minSize) or Decimal(1),
        long_name=details.longName,
        time_zone=details.timeZoneId or "US/Eastern",
        exchange=theirs.exchange or "SMART",
        primary_exchange=theirs.primaryExchange,
        last_trade_date=_whole_date(theirs.lastTradeDateOrContractMonth),
    )


def _whole_date(text: str) -> str:
    day = text.partition(" ")[0]
    return day if len(day) == 8 and day.isdigit() else ""


def position_instrument(theirs: ib_async.Contract) -> Instrument:
    """Return an instrument as far as a position message tells it: no tick grid, no clockwork."""
    return Instrument(
        instrument_id=InstrumentId(theirs.conId),
        contract=to_contract(theirs),
        local_symbol=theirs.localSymbol or theirs.symbol,
        currency=Currency(theirs.currency),
        multiplier=to_multiplier(theirs.multiplier),
        exchange=theirs.exchange or "SMART",
        primary_exchange=theirs.primaryExchange,
    )


def to_multiplier(text: str) -> Decimal:
    """Return a contract's multiplier; IB leaves it empty or 0 for 1."""
    return _ONE if text in _NO_MULTIPLIER else to_decimal(text) or _ONE
