"""IB's account values, computed from cash, positions and marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.money import Currency
from ibfloor.sim.account.margin import MARGINS, requirement
from ibfloor.sim.account.position import SimPosition
from ibfloor.sim.account.rates import base_rates

__all__ = ["MARGINS", "AccountValues", "account_values"]

ZERO = Decimal(0)
_CENT = Decimal("0.01")
_BASE = Currency("BASE")

_VALUE_KEYS = {
    SecurityType.STOCK: "StockMarketValue",
    SecurityType.OPTION: "OptionMarketValue",
    SecurityType.FUTURE: "FuturesPNL",
}

AccountValues = list[tuple[str, str, str]]


class _Sums:
    """Amounts of one currency, or of all in the base currency."""

    __slots__ = ("cash", "gross", "initial", "maintenance", "market", "realised", "unrealised")

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.market: dict[str, Decimal] = dict.fromkeys(_VALUE_KEYS.values(), ZERO)
        self.gross = self.initial = self.maintenance = self.realised = self.unrealised = ZERO

    def add(self, position: SimPosition, mark: Decimal, under_px: Decimal | None) -> None:
        kind = position.instrument.contract.security_type
        value = position.market_value(mark)
        initial, maintenance = requirement(position, mark, under_px)
        self.realised += position.realised_pnl
        self.unrealised += position.unrealised_pnl(mark)
        self.initial += initial
        self.maintenance += maintenance
        if kind is SecurityType.FUTURE:
            self.market["FuturesPNL"] += value - position.entry_value - position.settled
        elif kind is not SecurityType.FOREX:
            self.market[_VALUE_KEYS[kind]] += value
            self.gross += abs(value)

    def merge(self, other: _Sums, rate: Decimal) -> None:
        self.cash += other.cash * rate
        for key, amount in other.market.items():
            self.market[key] += amount * rate
        for name in ("gross", "initial", "maintenance", "realised", "unrealised"):
            setattr(self, name, getattr(self, name) + getattr(other, name) * rate)

    @property
    def is_empty(self) -> bool:
        return not (self.cash or self.realised or self.unrealised or self.gross or any(self.market.values()))

    @property
    def told_cash(self) -> Decimal:
        """Return the cash as IB tells it: with what futures have gained since their last settlement."""
        return self.cash + self.market["FuturesPNL"]

    @property
    def net_liquidation(self) -> Decimal:
        return self.cash + sum(self.market.values(), ZERO)


def account_values(
    base: Currency,
    cash: Mapping[Currency, Decimal],
    positions: Sequence[SimPosition],
    marks: Mapping[InstrumentId, Decimal],
    rates: Mapping[Currency, Decimal],
    under_marks: Mapping[InstrumentId, Decimal],
) -> AccountValues:
    """Return (key, value, currency) for the whole account, each currency, and ``BASE``.

    A currency without a rate is told by itself, without ``ExchangeRate``; it is left out of every
    sum and named by a row ``UnconvertedCurrencies``: no rate is invented.
    """
    by_currency = {currency: _Sums(amount) for currency, amount in cash.items()}
    for position in positions:
        instrument = position.instrument
        sums = by_currency.setdefault(instrument.currency, _Sums(ZERO))
        key = instrument.instrument_id
        sums.add(position, marks.get(key, position.last_px), under_marks.get(key))
    total = _Sums(ZERO)
    known = {**_pair_rates(base, positions, marks), **rates, base: Decimal(1)}
    for currency, sums in by_currency.items():
        if currency in known:
            total.merge(sums, known[currency])
    rows = _whole_account(total, base)
    unconverted = [currency for currency, sums in by_currency.items() if currency not in known and not sums.is_empty]
    if unconverted:
        rows.append(("UnconvertedCurrencies", ",".join(unconverted), ""))
    for currency, sums in by_currency.items():
        rows += _per_currency(sums, currency, known.get(currency))
    return rows + _per_currency(total, _BASE, Decimal(1))


def _pair_rates(
    base: Currency, positions: Sequence[SimPosition], marks: Mapping[InstrumentId, Decimal]
) -> dict[Currency, Decimal]:
    pairs = []
    for position in positions:
        contract = position.instrument.contract
        if contract.security_type is SecurityType.FOREX:
            mark = marks.get(position.instrument.instrument_id, position.last_px)
            pairs.append((Currency(contract.symbol), contract.currency, mark))
    return base_rates(base, pairs)


def _whole_account(total: _Sums, base: Currency) -> AccountValues:
    net = total.net_liquidation
    available = net - total.initial
    excess = net - total.maintenance
    amounts = {
        "NetLiquidation": net,
        "TotalCashValue": total.told_cash,
        "SettledCash": total.cash,
        "AccruedCash": ZERO,
        "EquityWithLoanValue": net,
        "PreviousDayEquityWithLoanValue": net - total.unrealised,
        "GrossPositionValue": total.gross,
        "RegTEquity": net,
        "RegTMargin": total.initial,
        "InitMarginReq": total.initial,
        "MaintMarginReq": total.maintenance,
        "FullInitMarginReq": total.initial,
        "FullMaintMarginReq": total.maintenance,
        "LookAheadInitMarginReq": total.initial,
        "LookAheadMaintMarginReq": total.maintenance,
        "AvailableFunds": available,
        "FullAvailableFunds": available,
        "LookAheadAvailableFunds": available,
        "ExcessLiquidity": excess,
        "FullExcessLiquidity": excess,
        "LookAheadExcessLiquidity": excess,
        "BuyingPower": max(ZERO, available) * 4,
    }
    rows: AccountValues = [("AccountType", "INDIVIDUAL", ""), ("AccountReady", "true", "")]
    rows += [(key, _text(amount), base) for key, amount in amounts.items()]
    cushion = excess / net if net > 0 else ZERO
    leverage = total.gross / net if net > 0 else ZERO
    rows.append(("Cushion", str(cushion.quantize(Decimal("0.000001"))), ""))
    rows.append(("Leverage-S", str(leverage.quantize(_CENT)), ""))
    return rows


def _per_currency(sums: _Sums, currency: Currency, rate: Decimal | None) -> AccountValues:
    amounts = {
        "CashBalance": sums.told_cash,
        "TotalCashBalance": sums.told_cash,
        "NetLiquidationByCurrency": sums.net_liquidation,
        **sums.market,
        "UnrealizedPnL": sums.unrealised,
        "RealizedPnL": sums.realised,
    }
    rows: AccountValues = [("Currency", currency, currency)]
    rows += [(key, _text(amount), currency) for key, amount in amounts.items()]
    if rate is not None:
        rows.append(("ExchangeRate", f"{rate.quantize(Decimal('0.0000001')).normalize():f}", currency))
    return rows


def _text(amount: Decimal) -> str:
    return str(amount.quantize(_CENT, rounding=ROUND_HALF_UP))
