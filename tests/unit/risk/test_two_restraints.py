"""A strategy that two guards restrain: the stricter one holds, and its stop policy still lets it out."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ibfloor.model.ids import StrategyId
from ibfloor.model.order import Refused, Side
from ibfloor.model.risk_fact import Restraint, TradingRestricted
from ibfloor.risk.gate import Approved

SMA = StrategyId("sma")


def rule_of(answer: Approved | Refused) -> str:
    return answer.reason.rule if isinstance(answer, Refused) else "approved"


def test_disabled_strategy_that_lost_too_much_is_let_out_by_its_stop_policy_alone(desk: Any, facts: Any) -> None:
    desk.take(facts.filled(100, exec_id="h.01", ref="sma:999"))
    fact = TradingRestricted(
        ts_event_ns=1, ts_init_ns=1, strategy=SMA, restraint=Restraint.DISABLED, rule="rejects", reason="3 rejects"
    )
    desk.take(fact)
    desk.take(replace(fact, restraint=Restraint.REDUCING, rule="day_loss", reason="lost 500"))
    assert rule_of(desk.ask(facts.request(1, 60, Side.SELL))) == "permission"
    desk.gate.permissions.leaving.add(SMA)
    assert rule_of(desk.ask(facts.request(2, 1))) == "reducing"
    assert rule_of(desk.ask(facts.request(3, 100, Side.SELL))) == "approved"
