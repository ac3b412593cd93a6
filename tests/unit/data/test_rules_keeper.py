"""A floor that runs for weeks knows the hours of the day, not of the day it began."""

from __future__ import annotations

from typing import Any

import msgspec

from ibfloor.data.subscriber import Kind
from ibfloor.model.contract_rules import ContractRules, Hours
from ibfloor.model.instrument import Instrument

HOUR = 3600 * 1_000_000_000
DAY = 24 * HOUR


def with_hours(instrument: Instrument, *sessions: tuple[int, int]) -> Instrument:
    hours: Hours = tuple(sessions)
    return msgspec.structs.replace(instrument, rules=ContractRules(trading_hours=hours, liquid_hours=hours))


def session_of(floor: Any, day: int) -> tuple[int, int]:
    return floor.NOON + day * DAY - 3 * HOUR, floor.NOON + day * DAY + 3 * HOUR


def test_hours_are_asked_for_again_when_the_told_ones_are_over(floor: Any) -> None:
    floor.session.known[floor.SPY.contract] = with_hours(floor.SPY, session_of(floor, 0))
    box = floor.Box()
    floor.manager.subscribe(box.subscriber, floor.SPY.contract, kinds=Kind.QUOTES)
    floor.until(lambda: floor.session.subscribed, "subscribed")
    floor.session.known[floor.SPY.contract] = with_hours(floor.SPY, session_of(floor, 0), session_of(floor, 1))
    asked = floor.session.log.count("resolve SPY")
    floor.settle()
    assert floor.session.log.count("resolve SPY") == asked
    floor.clock.ns += 5 * HOUR
    floor.until(lambda: len(floor.manager.instrument(floor.SPY.contract).rules.trading_hours) == 2, "renewed")
    floor.clock.ns += 20 * HOUR
    rules = floor.manager.by_id(floor.SPY.instrument_id).rules
    assert rules.is_open(floor.clock.ns, outside_rth=False) is True
    floor.until(lambda: floor.session.log.count("resolve SPY") == asked + 1, "asked once")


def test_rules_are_asked_for_every_day_and_an_answer_that_fails_is_asked_for_later(floor: Any) -> None:
    box = floor.Box()
    floor.subscribe(box, floor.SPY, kinds=Kind.QUOTES)
    floor.settle()
    floor.session.losses = 1
    floor.clock.ns += DAY
    floor.until(lambda: floor.session.log.count("resolve SPY") == 2, "asked")
    floor.clock.ns += DAY
    floor.session.known[floor.SPY.contract] = with_hours(floor.SPY, session_of(floor, 2))
    floor.until(lambda: floor.manager.instrument(floor.SPY.contract).rules.trading_hours, "renewed")
