"""Contracts as a trader asks for them, instruments as the broker defines them."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import StrEnum

import msgspec

from ibfloor.model.contract_rules import NO_RULES, ContractRules
from ibfloor.model.ids import InstrumentId
from ibfloor.model.money import Currency
from ibfloor.model.order import Side


class SecurityType(StrEnum):
    """Kinds of security, by IB's codes."""

    STOCK = "STK"
    FUTURE = "FUT"
    FOREX = "CASH"
    OPTION = "OPT"
    INDEX = "IND"
    FUTURE_OPTION = "FOP"
    BOND = "BOND"
    CFD = "CFD"
    FUND = "FUND"
    WARRANT = "WAR"
    STRUCTURED = "IOPT"
    COMMODITY = "CMDTY"
    CRYPTO = "CRYPTO"
    COMBO = "BAG"


class ContractLeg(msgspec.Struct, frozen=True, kw_only=True):
    """A leg of a combination; ``ratio`` is below zero for one that is sold when the combination is bought."""

    contract: Contract
    ratio: int


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy asks for; the broker resolves it to one ``Instrument`` or refuses."""

    security_type: SecurityType
    symbol: str
    exchange: str = "SMART"
    currency: Currency = Currency("USD")
    primary_exchange: str = ""
    expiry: str = ""
    strike: Decimal | None = None
    right: str = ""
    multiplier: str = ""
    trading_class: str = ""
    legs: tuple[ContractLeg, ...] = ()
    """Of a combination alone."""
    is_guaranteed: bool = True
    """Whether a combination's legs must fill together."""
    tick: Decimal | None = None
    """A combination's price step, which no broker tells: the finest of its legs where it is not given."""
    is_roll: bool = False

    def __str__(self) -> str:
        return " ".join(part for part in (self.symbol, self.expiry, self.right) if part)


def Stock(  # noqa: N802 - reads as a type to strategy authors, as in ib_async
    symbol: str, *, exchange: str = "SMART", currency: str = "USD", primary_exchange: str = ""
) -> Contract:
    """Return the contract of a stock or ETF."""
    return Contract(
        security_type=SecurityType.STOCK,
        symbol=symbol,
        exchange=exchange,
        currency=Currency(currency),
        primary_exchange=primary_exchange,
    )


def Future(symbol: str, expiry: str, *, exchange: str, currency: str = "USD") -> Contract:  # noqa: N802
    """Return the contract of a future; expiry as ``YYYYMM`` or ``YYYYMMDD``."""
    return Contract(
        security_type=SecurityType.FUTURE, symbol=symbol, expiry=expiry, exchange=exchange, currency=Currency(currency)
    )


def Option(  # noqa: N802
    symbol: str,
    expiry: str,
    strike: Decimal | float | str,
    right: str,
    *,
    exchange: str = "SMART",
    currency: str = "USD",
    trading_class: str = "",
) -> Contract:
    """Return the contract of an option on a stock or index; expiry as ``YYYYMMDD``, right ``C`` or ``P``.

    Raises ``ValueError`` for another right. ``trading_class`` tells options alike in all the rest apart, as SPXW, SPX.
    """
    if right not in ("C", "P"):
        raise ValueError(f"right is {right!r}: take 'C' for a call, 'P' for a put")
    return Contract(
        security_type=SecurityType.OPTION,
        symbol=symbol,
        expiry=expiry,
        strike=Decimal(str(strike)),
        right=right,
        exchange=exchange,
        currency=Currency(currency),
        trading_class=trading_class,
    )


def Forex(pair: str, *, exchange: str = "IDEALPRO") -> Contract:  # noqa: N802
    """Return the contract of a currency pair such as ``EURUSD``."""
    return Contract(
        security_type=SecurityType.FOREX, symbol=pair[:3], currency=Currency(pair[3:].lstrip(".")), exchange=exchange
    )


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """A leg of a combination as the broker defines it; ``ratio`` as in ``ContractLeg``."""

    instrument: Instrument
    ratio: int


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """A contract the broker knows: its key, its grid and its clockwork."""

    instrument_id: InstrumentId
    contract: Contract
    local_symbol: str
    currency: Currency
    multiplier: Decimal = Decimal(1)
    min_tick: Decimal = Decimal("0.01")
    lot_size: Decimal = Decimal(1)
    long_name: str = ""
    time_zone: str = "US/Eastern"
    exchange: str = "SMART"
    primary_exchange: str = ""
    rules: ContractRules = NO_RULES
    last_trade_date: str = ""
    """``YYYYMMDD`` of what expires, where the broker tells it."""
    legs: tuple[Leg, ...] = ()
    """Of a combination alone."""

    def tick_at(self, px: Decimal) -> Decimal:
        """Return by how much an order's price may step at a price."""
        return self.rules.tick_at(px) or self.min_tick

    def round_price(self, px: Decimal | float, side: Side | None = None) -> Decimal:
        """Return a price on the tick grid: never worse for the side, nearest without one."""
        rounding = {None: ROUND_HALF_EVEN, Side.BUY: ROUND_FLOOR, Side.SELL: ROUND_CEILING}[side]
        exact = px if isinstance(px, Decimal) else Decimal(repr(px))
        tick = self.tick_at(exact)
        return (exact / tick).quantize(Decimal(1), rounding=rounding) * tick

    def is_on_grid(self, px: Decimal) -> bool:
        """Tell whether the broker would take this price."""
        return px % self.tick_at(px) == 0
