"""The broker's own account figures as last reported, readable from any thread."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from ibfloor.model.account import AccountReported
from ibfloor.model.ids import AccountId
from ibfloor.model.money import Currency
from ibfloor.portfolio.fx import ACCOUNT_VALUES, FxRate

_RATE, _NET = "ExchangeRate", "NetLiquidation"
_NO_CURRENCY = ("BASE", "")


class AccountBoard:
    """The newest figures, each collection swapped as a whole. Writer: the account thread."""

    def __init__(self) -> None:
        self._account = AccountId("")
        self._values: dict[tuple[str, str], str] = {}
        self._rates: dict[Currency, FxRate] = {}
        self._base = Currency("")

    def take(self, report: AccountReported) -> None:
        """Take what the broker reported; figures it does not repeat stay."""
        fresh = {(key, currency): text for key, text, currency in report.values}
        self._values = {**self._values, **fresh}
        rates = [_rate(Currency(currency), text, report.ts_event_ns) for (_, currency), text in _told(fresh, _RATE)]
        self._rates = {**self._rates, **{rate.currency: rate for rate in rates if rate is not None}}
        self._base = next((Currency(currency) for (_, currency), _ in _told(fresh, _NET)), self._base)
        self._account = report.account

    @property
    def account(self) -> AccountId:
        """Return the account's id; empty before the first report."""
        return self._account

    def rates(self, base: Currency) -> tuple[FxRate, ...]:
        """Return the exchange rates as last told, each with its time; none where the account's base is another."""
        return tuple(self._rates.values()) if base == self._base else ()

    def amounts(self, *keys: str) -> dict[tuple[str, Currency], Decimal]:
        """Return figures as last told, by their names and currencies."""
        rows = [(item, _number(text)) for key in keys for item, text in _told(self._values, key)]
        return {(name, Currency(currency)): number for (name, currency), number in rows if number is not None}

    def amount(self, key: str) -> Decimal | None:
        """Return a figure in the account's own currency; ``None`` when it was not reported."""
        return next((_number(text) for _, text in _told(self._values, key)), None)


def _told(values: dict[tuple[str, str], str], key: str) -> list[tuple[tuple[str, str], str]]:
    return [item for item in values.items() if item[0][0] == key and item[0][1] not in _NO_CURRENCY]


def _rate(currency: Currency, text: str, ts_ns: int) -> FxRate | None:
    px = _number(text)
    return FxRate(currency=currency, px=px, ts_ns=ts_ns, source=ACCOUNT_VALUES) if px is not None and px > 0 else None


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
