"""From the opening to the closing equity: every step by currency, and in the base currency, without a remainder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from ibfloor.model.entry import EntryKind
from ibfloor.model.ids import InstrumentId
from ibfloor.model.money import Currency
from ibfloor.portfolio.book import Amounts, Book
from ibfloor.portfolio.figures import ZERO, Figure, total
from ibfloor.portfolio.position import Settlement
from ibfloor.portfolio.worth import Prices, worth_of

_ZERO = Decimal(0)
STEPS = {
    "realised": "Realised results",
    "unrealised": "Change of open results",
    "fees": "Fees",
    "dividends": "Dividends",
    "interest": "Interest",
    "borrow": "Borrow cost",
    "charges": "Other charges",
    "flows": "Deposits, withdrawals, transfers",
    "exchanged": "Currency conversions",
}
"""What moves equity, by field of ``Steps``, in the order of a statement."""

_INCOME = {
    EntryKind.DIVIDEND: "dividends",
    EntryKind.INTEREST: "interest",
    EntryKind.BORROW: "borrow",
    EntryKind.CHARGE: "charges",
}


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """What moved equity, each signed as it moved it."""

    realised: Figure = ZERO
    unrealised: Figure = ZERO
    fees: Figure = ZERO
    dividends: Figure = ZERO
    interest: Figure = ZERO
    borrow: Figure = ZERO
    charges: Figure = ZERO
    flows: Figure = ZERO
    exchanged: Figure = ZERO

    def figures(self) -> tuple[Figure, ...]:
        """Return the steps in the order of a statement."""
        return tuple(getattr(self, name) for name in STEPS)


class CurrencyBridge(msgspec.Struct, frozen=True, kw_only=True):
    """One currency: amounts in it, and its rate at the close."""

    currency: Currency
    rate: Figure
    rate_ts_ns: int
    rate_source: str
    cash: Decimal
    """At the close."""
    opening: Figure
    steps: Steps
    closing: Figure

    @property
    def unexplained(self) -> Figure:
        """Return what the steps do not explain: zero, or the books are wrong."""
        return self.closing - total((self.opening, *self.steps.figures()))


class Bridge(msgspec.Struct, frozen=True, kw_only=True):
    """The whole book in the base currency."""

    opening: Figure
    steps: Steps
    fx_effect: Figure
    """What the opening equity in other currencies gained because their rates moved."""
    unexplained: Figure
    closing: Figure

    @property
    def result(self) -> Figure:
        """Return what was earned: the change of equity, less what came in."""
        return self.closing - self.opening - self.steps.flows


def currency_bridges(
    opening: Book, closing: Book, then: Prices, now: Prices, cash: Amounts
) -> tuple[CurrencyBridge, ...]:
    """Return how each currency came from opening to closing equity, by currency; ``cash`` is that of the close."""
    before, after = worth_of(opening, then), worth_of(closing, now)
    results = _results(opening, closing, before.unrealised, after.unrealised)
    currencies = {*before.equity, *after.equity, *results, *closing.fees, *closing.flows}
    currencies |= {currency for amounts in closing.income.values() for currency in amounts}
    bridges = []
    for currency in sorted(currencies):
        realised, unrealised = results.get(currency, (ZERO, ZERO))
        taken = now.rates.get(currency)
        steps = Steps(
            realised=realised,
            unrealised=unrealised,
            fees=-_change(opening.fees, closing.fees, currency),
            flows=_change(opening.flows, closing.flows, currency),
            exchanged=_change(opening.exchanged, closing.exchanged, currency),
            **_income(opening, closing, currency),
        )
        bridges.append(
            CurrencyBridge(
                currency=currency,
                rate=now.rate(currency),
                rate_ts_ns=0 if taken is None else taken.ts_ns,
                rate_source="" if taken is None else taken.source,
                cash=cash.get(currency, _ZERO),
                opening=before.equity.get(currency, ZERO),
                steps=steps,
                closing=after.equity.get(currency, ZERO),
            )
        )
    return tuple(bridges)


def base_bridge(currencies: Iterable[CurrencyBridge], then: Prices, now: Prices) -> Bridge:
    """Return the sum of all currencies in the base currency.

    Steps count at the closing rate; what the opening equity gained by the rates alone is the FX effect.
    """
    parts = tuple(currencies)

    def converted(name: str) -> Figure:
        return total(now.in_base(getattr(part.steps, name), part.currency) for part in parts)

    def moved(part: CurrencyBridge) -> Figure:
        return now.in_base(part.opening, part.currency) - then.in_base(part.opening, part.currency)

    opening = total(then.in_base(part.opening, part.currency) for part in parts)
    closing = total(now.in_base(part.closing, part.currency) for part in parts)
    steps = Steps(**{name: converted(name) for name in STEPS})
    fx_effect = total(moved(part) for part in parts)
    return Bridge(
        opening=opening,
        steps=steps,
        fx_effect=fx_effect,
        unexplained=closing - total((opening, *steps.figures(), fx_effect)),
        closing=closing,
    )


def _results(
    opening: Book, closing: Book, before: Mapping[InstrumentId, Figure], after: Mapping[InstrumentId, Figure]
) -> dict[Currency, tuple[Figure, Figure]]:
    sums: dict[Currency, tuple[Figure, Figure]] = {}
    for key in {*opening.positions, *closing.positions}:
        was, is_now = opening.positions.get(key), closing.positions.get(key)
        held = is_now or was
        if held is None or held.settlement is Settlement.EXCHANGED:
            continue  # what a conversion brought is in the two currencies
        realised = Figure((is_now.realised if is_now else _ZERO) - (was.realised if was else _ZERO))
        unrealised = after.get(key, ZERO) - before.get(key, ZERO)
        one, other = sums.get(held.currency, (ZERO, ZERO))
        sums[held.currency] = (one + realised, other + unrealised)
    return sums


def _income(opening: Book, closing: Book, currency: Currency) -> dict[str, Figure]:
    return {
        name: _change(opening.income.get(kind, {}), closing.income.get(kind, {}), currency)
        for kind, name in _INCOME.items()
    }


def _change(before: Amounts, after: Amounts, currency: Currency) -> Figure:
    return Figure(after.get(currency, _ZERO) - before.get(currency, _ZERO))
