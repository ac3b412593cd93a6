"""Keeps an exchange rate of every currency that is held or traded: without one the gate lets nothing pass."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from ibfloor.data.manager import DataManager
from ibfloor.data.subscriber import Delivery, Kind, Subscriber
from ibfloor.model.errors import ConnectivityError
from ibfloor.model.instrument import Contract, Forex
from ibfloor.model.money import Currency
from ibfloor.portfolio.fx import RateNow

log = structlog.get_logger("rates")

_FIRST_NAMED = ("EUR", "GBP", "AUD", "NZD", "USD", "CAD", "CHF")
"""Which of two currencies a pair is named by first, by the market's convention; all others come last."""


class _Wastebasket:
    def put(self, value: Delivery, /) -> bool:
        return True


class RateKeeper:
    """A subscriber to pairs nobody else watches. Owner: the queue's thread; refusals come on the data thread."""

    def __init__(self, data: DataManager) -> None:
        self._data = data
        self._subscriber = Subscriber("rates", _Wastebasket(), self._refused)
        self._asked: set[Contract] = set()
        self._missing: set[Currency] = set()

    def traded(self) -> set[Currency]:
        """Return the currencies of everything that is watched."""
        return {instrument.currency for instrument in self._data.instruments()}

    def keep(self, base: Currency, standings: Iterable[RateNow]) -> None:
        """Watch the pair of every currency without a rate that may be used, twice in a row: the account may tell it."""
        missing = {standing.currency for standing in standings if standing.problem}
        for currency in sorted(missing & self._missing):
            self._watch(pair_of(base, currency))
        self._missing = missing

    def _watch(self, pair: Contract) -> None:
        if pair in self._asked:
            return
        try:
            self._data.subscribe(self._subscriber, pair, kinds=Kind.QUOTES)
        except ConnectivityError:
            return  # not connected yet: asked again with the next valuation
        self._asked.add(pair)

    def _refused(self, contract: Contract, text: str) -> None:
        turned = Forex(f"{contract.currency}{contract.symbol}")
        log.warning("no rate from a pair", pair=f"{contract.symbol}.{contract.currency}", reason=text)
        if turned not in self._asked:  # the broker names it the other way round
            self._watch(turned)


def pair_of(one: Currency, other: Currency) -> Contract:
    """Return the pair of two currencies, named as the market names it."""
    first, last = sorted((one, other), key=lambda each: (_rank(each), each))
    return Forex(f"{first}{last}")


def _rank(currency: Currency) -> int:
    return _FIRST_NAMED.index(currency) if currency in _FIRST_NAMED else len(_FIRST_NAMED)
