"""Money: an exact amount that knows its currency."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NewType

import msgspec

Currency = NewType("Currency", str)
"""ISO 4217 code, upper case."""

USD = Currency("USD")
ZERO = Decimal(0)
AMOUNT_LIMIT = Decimal(10**15)
"""No amount, quantity or limit is so large: of a sum of smaller ones every digit is kept."""

_WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
_HUNDREDTHS = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNH CNY COP
CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD
KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK
NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS
TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG
"""
PLACES: Mapping[Currency, int] = {
    Currency(code): places
    for places, codes in ((0, _WHOLE), (2, _HUNDREDTHS), (3, _THOUSANDTHS))
    for code in codes.split()
}
"""How many decimals an amount has: the currencies of ISO 4217, and the offshore renminbi as brokers write it."""


class Money(msgspec.Struct, frozen=True, gc=False):
    """An amount in one currency; adding another currency raises ``ValueError``."""

    amount: Decimal
    currency: Currency

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def _same(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return other.amount
