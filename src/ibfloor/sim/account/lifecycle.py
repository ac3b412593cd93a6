"""What becomes of positions without trading: settlement, expiry, exercise, dividends, splits, interest."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from ibfloor.model.instrument import Instrument
from ibfloor.model.money import Currency
from ibfloor.sim.account.book import SimAccount

ZERO, ONE = Decimal(0), Decimal(1)
_CENT = Decimal("0.01")
_YEAR_DAYS = 360


def settle_future(account: SimAccount, future: Instrument, px: Decimal, ts_ns: int, *, is_last: bool) -> bool:
    """Pay the day's gain of a future, and end the position on its last day; tell whether it was held."""
    held = _held(account, future)
    if held:
        account.settle(future.instrument_id, px, ts_ns)
        if is_last:
            account.adjust(future, ONE, -held, px, kind="expiry", ts_ns=ts_ns)
    return bool(held)


def expire_option(account: SimAccount, option: Instrument, under: Instrument, px: Decimal, ts_ns: int) -> bool:
    """End an option at its underlying's price: exercised or assigned in the money, else worthless."""
    held = _held(account, option)
    if held and intrinsic(option, px) >= _CENT:
        exercise(account, option, under, held, ts_ns)
    elif held:
        account.adjust(option, ONE, -held, ZERO, kind="expiry", ts_ns=ts_ns)
    return bool(held)


def exercise(account: SimAccount, option: Instrument, under: Instrument, qty: Decimal, ts_ns: int) -> None:
    """Exercise so many contracts of a held option, or be assigned on a written one (``qty`` below 0).

    Raises ``ValueError`` for more than is held.
    """
    held = _held(account, option)
    if not qty or held * qty <= 0 or abs(qty) > abs(held):
        raise ValueError(f"{qty} of {option.local_symbol} cannot be exercised: {held} are held")
    kind = "exercise" if qty > 0 else "assignment"
    strike = option.contract.strike
    assert strike is not None, "an option has a strike"
    account.adjust(option, ONE, -qty, ZERO, kind=kind, ts_ns=ts_ns)
    sign = 1 if option.contract.right == "C" else -1
    account.adjust(under, ONE, sign * qty * option.multiplier, strike, kind=kind, ts_ns=ts_ns)


def pay_dividend(account: SimAccount, stock: Instrument, per_share: Decimal, ts_ns: int) -> Decimal:
    """Pay a dividend on what is held, take it from what is short; return the amount."""
    amount = _rounded(_held(account, stock) * per_share)
    if amount:
        account.pay("dividend", amount, stock.currency, ts_ns, stock)
    return amount


def pay_interest(account: SimAccount, currency: Currency, percent: Decimal, days: int, ts_ns: int) -> Decimal:
    """Pay interest on a currency's cash for some days of a 360-day year; return the amount."""
    amount = _rounded(account.cash.get(currency, ZERO) * percent / 100 * days / _YEAR_DAYS)
    if amount:
        account.pay("interest", amount, currency, ts_ns)
    return amount


def split(account: SimAccount, stock: Instrument, ratio: Decimal, ts_ns: int) -> bool:
    """Multiply a position, at the same cost; tell whether it was held."""
    held = _held(account, stock)
    if held:
        account.adjust(stock, ratio, ZERO, ZERO, kind="split", ts_ns=ts_ns)
    return bool(held)


def intrinsic(option: Instrument, px: Decimal) -> Decimal:
    """Return what exercise is worth per unit at the underlying's price."""
    strike = option.contract.strike or ZERO
    return max(ZERO, px - strike if option.contract.right == "C" else strike - px)


def _held(account: SimAccount, instrument: Instrument) -> Decimal:
    position = account.position(instrument.instrument_id)
    return ZERO if position is None else position.qty


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, rounding=ROUND_HALF_UP)
