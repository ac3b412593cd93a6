"""A slip of the pen in a change or reset of limits is told, and what lets more pass takes two people."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ibfloor.manager.gate_limits import GateLimits
from ibfloor.manager.gate_lock import GateLock
from ibfloor.manager.limit_desk import LimitDesk
from ibfloor.manager.message_queue import MessageQueue
from ibfloor.manager.risk_officer import RiskOfficer, officer_path, save
from ibfloor.model.command import ChangeLimits, Command, CommandResult, Denied, Done, EnableStrategy, ResetLimits
from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import StrategyId
from ibfloor.model.money import USD
from ibfloor.risk.gate import RiskGate
from ibfloor.risk.limits import AccountLimits, RiskLimits, StrategyLimits


class Queue:
    """Asks at once, of a floor with one strategy."""

    def ask(self, look: Callable[[Any], Any]) -> Future[Any]:
        found: Future[Any] = Future()
        risk = SimpleNamespace(restricted={"sma-spy": SimpleNamespace(reason="lost 120 of 100 today")})
        found.set_result(look(SimpleNamespace(strategies={"sma-spy": None}, instruments={}, risk=risk)))
        return found

    def put(self, fact: object) -> None:
        """Take it."""


@pytest.fixture
def desk(tmp_path: Path) -> LimitDesk:
    return desk_of(tmp_path)


def desk_of(home: Path, *, is_live: bool = False) -> LimitDesk:
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
    officer = RiskOfficer(home, lambda: 0.0, is_live=is_live)
    return LimitDesk(GateLimits(gate, GateLock(), clock), cast(MessageQueue, Queue()), clock, officer)


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


PASSPHRASE = "correct horse"


def raised(qty: int, passphrase: str = "") -> ChangeLimits:
    limits = {"max_order_qty": str(qty)}
    return ChangeLimits(
        command_id="c", actor="ann", scope="risk", limits=limits, reason="", confirm=True, passphrase=passphrase
    )


def enabled(passphrase: str = "") -> EnableStrategy:
    return EnableStrategy(
        command_id="e", actor="ann", strategy=StrategyId("sma-spy"), reason="mended", passphrase=passphrase
    )


def said(desk: LimitDesk, run: Any, command: Any) -> tuple[type[CommandResult], str]:
    result = run(desk.carry_out(command))
    return type(result), result.text


def test_a_limit_rises_only_with_the_risk_officers_passphrase_where_one_is_named(tmp_path: Path, run: Any) -> None:
    desk = desk_of(tmp_path)
    assert said(desk, run, raised(1100)) == (
        Done,
        "limits version 2, from the next order on: risk max_order_qty 1000 -> 1100",
    )

    save(officer_path(tmp_path), PASSPHRASE)
    kind, text = said(desk, run, raised(1200))
    assert (kind, "1100 -> 1200" in text, "passphrase is needed" in text) == (Denied, True, True)
    kind, text = said(desk, run, raised(1200, "battery staple"))
    assert (kind, "not the risk officer" in text) == (Denied, True)
    assert said(desk, run, raised(900)) == (
        Done,
        "limits version 3, from the next order on: risk max_order_qty 1100 -> 900",
    )
    assert said(desk, run, ResetLimits(command_id="r", actor="ann", confirm=True))[0] is Denied
    assert said(desk, run, raised(1200, PASSPHRASE))[0] is Done
    reset = ResetLimits(command_id="r", actor="ann", confirm=True)  # back to less: it tightens
    assert said(desk, run, reset)[0] is Done


@pytest.mark.parametrize("command", [raised(1200), enabled()])
def test_a_live_floor_without_a_risk_officer_lets_nobody_pass_more(tmp_path: Path, run: Any, command: Command) -> None:
    kind, text = said(desk_of(tmp_path, is_live=True), run, command)
    assert (kind, "name the risk officer with `ibfloor officer`" in text) == (Denied, True)


def test_a_restrained_strategy_is_enabled_by_the_risk_officer_alone(tmp_path: Path, run: Any) -> None:
    desk = desk_of(tmp_path)
    save(officer_path(tmp_path), PASSPHRASE)
    assert said(desk, run, enabled()) == (
        Denied,
        "sma-spy stays restrained: the risk officer's passphrase is needed",
    )
    assert said(desk, run, enabled(PASSPHRASE))[0] is Done
