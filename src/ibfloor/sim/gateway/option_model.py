"""What the model says of a listed option, in the fields of the wire."""

from __future__ import annotations

from datetime import date

import msgspec

from ibfloor.model.instrument import SecurityType
from ibfloor.sim.gateway.periods import DAY_NS
from ibfloor.sim.market.black_scholes import DAYS_PER_YEAR, greeks, implied_volatility
from ibfloor.sim.market.securities import Security


class OptionTerms(msgspec.Struct, frozen=True):
    """What the model needs of an option, whatever the prices are."""

    is_call: bool
    strike: float
    years: float
    rate: float
    """The interest its chain is priced with."""

    def given_price(self, px: float, under_px: float) -> dict[str, float]:
        """Return a computation's fields for an option's price; the Greeks are absent where no volatility fits."""
        volatility = implied_volatility(
            px, is_call=self.is_call, under_px=under_px, strike=self.strike, years=self.years, rate=self.rate
        )
        if volatility is None:
            return {"px": px, "under_px": under_px}
        return {**self.given_volatility(volatility, under_px), "px": px}

    def given_volatility(self, volatility: float, under_px: float) -> dict[str, float]:
        """Return a computation's fields for a volatility."""
        told = greeks(
            is_call=self.is_call,
            under_px=under_px,
            strike=self.strike,
            years=self.years,
            volatility=volatility,
            rate=self.rate,
        )
        return {
            "implied_volatility": volatility,
            "delta": told.delta,
            "px": told.px,
            "pv_dividend": 0.0,
            "gamma": told.gamma,
            "vega": told.vega,
            "theta": told.theta,
            "under_px": under_px,
        }


def option_terms(security: Security, now_ns: int) -> OptionTerms | None:
    """Return an option's terms at a time; ``None`` for what is no option."""
    contract = security.instrument.contract
    if not is_option(security) or not contract.strike:
        return None
    day = security.last_trade_day or contract.expiry
    last_day = date(int(day[:4]), int(day[4:6]), int(day[6:8]))
    hours = security.session.regular_hours(last_day) or (0, 0)
    years = max(0, hours[1] - now_ns) / DAY_NS / DAYS_PER_YEAR
    return OptionTerms(contract.right.startswith("C"), float(contract.strike), years, security.rate)


def is_option(security: Security) -> bool:
    """Tell whether a security is an option."""
    return security.instrument.contract.security_type is SecurityType.OPTION
