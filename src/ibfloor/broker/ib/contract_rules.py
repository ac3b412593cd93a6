"""A contract's rules from IB's contract details: order types, sizes, hours; price steps from its market rule."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from ib_async import ContractDetails, PriceIncrement

from ibfloor.broker.ib.convert import number
from ibfloor.broker.ib.times import zone
from ibfloor.model.contract_rules import ContractRules, Hours
from ibfloor.model.moment import from_datetime

PriceSteps = tuple[tuple[Decimal, Decimal], ...]


def market_rule_id(details: ContractDetails) -> int | None:
    """Return the number of the market rule on the contract's own exchange; ``None`` where IB names none."""
    exchanges, ids = details.validExchanges.split(","), details.marketRuleIds.split(",")
    rules = dict(zip(exchanges, ids, strict=False))
    theirs = details.contract
    text = rules.get(theirs.exchange if theirs else "") or next((each for each in ids if each), "")
    return int(text) if text.isdigit() else None


def to_rules(details: ContractDetails, steps: PriceSteps) -> ContractRules:
    """Return the rules that contract details tell."""
    return ContractRules(
        order_types=_names(details.orderTypes),
        exchanges=_names(details.validExchanges),
        price_steps=steps,
        qty_min=number(details.minSize) or Decimal(0),
        qty_step=number(details.sizeIncrement) or Decimal(0),
        trading_hours=to_hours(details.tradingHours, details.timeZoneId),
        liquid_hours=to_hours(details.liquidHours, details.timeZoneId),
    )


def to_steps(increments: list[PriceIncrement]) -> PriceSteps:
    """Return a market rule's steps, lowest first."""
    steps = [(number(each.lowEdge) or Decimal(0), number(each.increment) or Decimal(0)) for each in increments]
    return tuple(sorted(step for step in steps if step[1] > 0))


def to_hours(text: str, zone_name: str) -> Hours:
    """Return the sessions of ``20131007:0930-20131007:1600;20131008:CLOSED``; what does not read is left out."""
    sessions = []
    for part in text.split(";"):
        begin, dash, end = part.partition("-")
        if not dash:
            continue  # CLOSED, or the old form without a date at the end
        try:
            sessions.append((_moment(begin, zone_name), _moment(end, zone_name)))
        except ValueError:
            continue
    return tuple(sorted(sessions))


def _moment(text: str, zone_name: str) -> int:
    return from_datetime(datetime.strptime(text, "%Y%m%d:%H%M").replace(tzinfo=zone(zone_name or "US/Eastern")))


def _names(text: str) -> tuple[str, ...]:
    return tuple(sorted({name for name in text.split(",") if name}))
