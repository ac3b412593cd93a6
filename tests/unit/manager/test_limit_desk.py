"""A slip of the pen in a reset of limits is told, as it is in a change of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ibfloor.manager.gate_limits import GateLimits
from ibfloor.manager.gate_lock import GateLock
from ibfloor.manager.limit_desk import LimitDesk
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.model.command import ChangeLimits, Done, ResetLimits
from ibfloor.model.errors import ConfigError
from ibfloor.model.money import USD
from ibfloor.risk.gate import RiskGate
from ibfloor.risk.limits import AccountLimits, RiskLimits, StrategyLimits


class Queue:
    """Asks at once, of a floor with one strategy."""

    def ask(self, look: Callable[[Any], Any]) -> Future[Any]:
        found: Future[Any] = Future()
        found.set_result(look(SimpleNamespace(strategies={"sma-spy": None}, instruments={})))
        return found

    def put(self, fact: object) -> None:
        """Take it."""


@pytest.fixture
def desk() -> LimitDesk:
    clock = cast(Any, SimpleNamespace(now_ns=lambda: 1))
    any_number = Decimal(1000)
    strategy = StrategyLimits(
        max_order_qty=any_number,
        max_order_notional=any_number,
        max_position_qty=any_number,
        max_position_notional=any_number,
        collar_pct=any_number,
    )
    account = AccountLimits(max_gross_exposure=any_number)
    gate = RiskGate(RiskLimits(version=1, base_currency=USD, strategy=strategy, account=account))
    return LimitDesk(GateLimits(gate, GateLock(), clock), cast(MessageQueue, Queue()), clock)


@pytest.mark.parametrize(
    ("scope", "limits", "why"),
    [
        ("account", ("nosuch",), "account has no limit 'nosuch'; there are: max_gross_exposure"),
        ("", ("nosuch",), "there is no limit 'nosuch'; there are: "),
        ("strategy.nosuch", (), "the floor knows no strategy nosuch; there are: sma-spy"),
        ("class.XYZ", ("max_order_qty",), "XYZ is no kind of security"),
        ("foo.bar", (), "is no scope of limits"),
    ],
)
def test_a_reset_of_what_there_is_not_names_what_there_is(
    desk: LimitDesk, run: Any, scope: str, limits: tuple[str, ...], why: str
) -> None:
    command = ResetLimits(command_id="r", actor="ann", scope=scope, limits=limits, reason="", confirm=True)
    with pytest.raises(ConfigError, match=why):
        run(desk.carry_out(command))


def test_a_reset_of_what_holds_already_changes_nothing(desk: LimitDesk, run: Any) -> None:
    command = ResetLimits(command_id="r", actor="ann", scope="strategy.sma-spy", limits=(), reason="", confirm=True)
    assert run(desk.carry_out(command)) == Done("nothing to change: those limits hold already")


def test_a_limit_beyond_all_numbers_is_refused(desk: LimitDesk, run: Any) -> None:
    command = ChangeLimits(
        command_id="c", actor="ann", scope="account", limits={"max_gross_exposure": "1e400"}, reason="", confirm=True
    )
    with pytest.raises(ConfigError, match="max_gross_exposure is out of bounds: it must be less than 1,000,"):
        run(desk.carry_out(command))
