"""Combinations: several contracts traded as one order, and what of them no broker would take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from hashlib import blake2b

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, ContractLeg, Instrument, Leg, SecurityType
from ibfloor.model.order import Side
from ibfloor.model.terms import Combo, ComboLeg

LEGS_MAX = 6
"""IB takes no more."""
SMART = "SMART"
_NO_LEGS = frozenset({SecurityType.COMBO, SecurityType.INDEX, SecurityType.FOREX, SecurityType.FUND})
_ON_ONE_EXCHANGE = frozenset({SecurityType.FUTURE, SecurityType.FUTURE_OPTION})


def combo_contract(
    legs: Sequence[tuple[Contract, int, Side]],
    *,
    is_guaranteed: bool = True,
    tick: Decimal | None = None,
    is_roll: bool = False,
) -> Contract:
    """Return the contract of a combination: each leg's contract, how many of it, and its side when it is bought.

    Raises ``ValueError`` for a ratio that is no whole number above zero, and for no legs at all.
    """
    if not legs or any(not isinstance(ratio, int) or ratio < 1 for _, ratio, _ in legs):
        raise ValueError("a combination has legs, each with a whole number above zero of a contract, bought or sold")
    return Contract(
        security_type=SecurityType.COMBO,
        symbol=",".join(dict.fromkeys(contract.symbol for contract, _, _ in legs)),
        exchange=_exchange((contract.security_type, contract.exchange) for contract, _, _ in legs),
        currency=legs[0][0].currency,
        legs=tuple(ContractLeg(contract=contract, ratio=ratio * side.sign) for contract, ratio, side in legs),
        is_guaranteed=is_guaranteed,
        tick=tick,
        is_roll=is_roll,
    )


def flaw_of(legs: Sequence[Leg]) -> str:
    """Say why these legs make no combination that the broker would take; empty where they make one."""
    if not 2 <= len(legs) <= LEGS_MAX:
        return f"a combination has 2 to {LEGS_MAX} legs, not {len(legs)}"
    instruments = [leg.instrument for leg in legs]
    if len({each.instrument_id for each in instruments}) < len(instruments):
        return "a contract is a leg twice: add its ratios up"
    currencies = sorted({each.currency for each in instruments})
    if len(currencies) > 1:
        return f"all legs of a combination have one currency, not {' and '.join(currencies)}"
    for each in instruments:
        if each.contract.security_type in _NO_LEGS:
            return f"{each.local_symbol} cannot be a leg: combinations are not made of {each.contract.security_type}"
    exchanges = {each.exchange for each in instruments if each.contract.security_type in _ON_ONE_EXCHANGE}
    if len(exchanges) > 1:
        return f"futures of one combination trade at one exchange, not at {' and '.join(sorted(exchanges))}"
    return ""


def combo_instrument(contract: Contract, legs: Sequence[Leg]) -> Instrument:
    """Return a combination as an instrument: one and the same for the same legs and terms, every time."""
    first = legs[0].instrument
    combo = Combo(
        legs=tuple(ComboLeg(instrument_id=leg.instrument.instrument_id, ratio=leg.ratio) for leg in legs),
        exchange=_exchange((leg.instrument.contract.security_type, leg.instrument.exchange) for leg in legs),
        min_tick=contract.tick or min(leg.instrument.min_tick for leg in legs),
        is_guaranteed=contract.is_guaranteed,
        is_roll=contract.is_roll,
    )
    return Instrument(
        instrument_id=combo_id(combo),
        contract=contract,
        local_symbol=" ".join(f"{leg.ratio:+d} {leg.instrument.local_symbol}" for leg in legs),
        currency=first.currency,
        min_tick=combo.min_tick,
        time_zone=first.time_zone,
        exchange=combo.exchange,
        legs=tuple(legs),
    )


def combo_terms(instrument: Instrument) -> Combo:
    """Return what an order for a combination carries of it: enough to know it again without its definition."""
    return Combo(
        legs=tuple(ComboLeg(instrument_id=leg.instrument.instrument_id, ratio=leg.ratio) for leg in instrument.legs),
        exchange=instrument.exchange,
        min_tick=instrument.min_tick,
        is_guaranteed=instrument.contract.is_guaranteed,
        is_roll=instrument.contract.is_roll,
    )


def combo_again(combo: Combo, instruments: Sequence[Instrument]) -> Instrument:
    """Return the instrument of an order for a combination, made again of its legs' instruments."""
    legs = [Leg(instrument=each, ratio=leg.ratio) for leg, each in zip(combo.legs, instruments, strict=True)]
    named = [(leg.instrument.contract, abs(leg.ratio), leg_side(Side.BUY, leg.ratio)) for leg in legs]
    contract = combo_contract(named, is_guaranteed=combo.is_guaranteed, tick=combo.min_tick, is_roll=combo.is_roll)
    return combo_instrument(contract, legs)


def combo_id(combo: Combo) -> InstrumentId:
    """Return the id of a combination: below zero, so that it is never taken for a contract's."""
    legs = ",".join(f"{leg.instrument_id}*{leg.ratio}" for leg in combo.legs)
    text = f"{legs} {combo.exchange} {combo.min_tick.normalize()} {combo.is_guaranteed} {combo.is_roll}"
    return InstrumentId(-1 - int.from_bytes(blake2b(text.encode(), digest_size=6).digest()))


def leg_side(side: Side, ratio: int) -> Side:
    """Return the side of a leg in an order for the combination."""
    return side if ratio > 0 else side.opposite


def _exchange(legs: Iterable[tuple[SecurityType, str]]) -> str:
    # Futures have no smart routing: their exchange trades the spread itself.
    kinds, exchanges = (set(each) for each in zip(*legs, strict=True))
    return exchanges.pop() if kinds <= _ON_ONE_EXCHANGE and len(exchanges) == 1 else SMART
