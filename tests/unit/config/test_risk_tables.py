"""The tables of [risk]: what the gate is given, and what is said of every kind of mistake, with its line."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ibfloor.config import load_settings
from ibfloor.manager.risk_limits import limits_of
from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import StrategyId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.money import USD

D = Decimal
BASE = """\
[gateway]
port = 4002

[risk]
max_order_qty = 100
max_order_notional = "off"
max_position_qty = 1000
max_position_notional = "off"
collar_pct = 5
order_rate_per_s = 10
order_burst = 20
max_gross_exposure = 1_000_000

[[strategy]]
name = "sma"
file = "sma.py"
"""
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    (tmp_path / "sma.py").write_text("")

    def written(more: str) -> Path:
        file = tmp_path / "floor.toml"
        file.write_text(BASE + more)
        return file

    return written


def test_tables_of_strategies_classes_and_instruments_reach_the_gate(write: Write, facts: Any) -> None:
    more = """
[risk.account]
max_leverage = 1.5
max_open_orders = 40
[risk.strategy.sma]
max_order_qty = 50
paper_only = true
[risk.class.FUT]
max_order_qty = 5
quote_age_max_s = 0.5
[risk.instrument."ESZ6"]
max_order_qty = "off"
"""
    limits = limits_of(load_settings(write(more)), USD)
    sma, other = StrategyId("sma"), StrategyId("other")
    future = facts.instrument(SecurityType.FUTURE, "NQZ6", instrument_id=2)
    assert (limits.account.max_leverage, limits.account.max_open_orders) == (D("1.5"), D(40))
    assert limits.account.max_gross_exposure == D(1_000_000)
    assert (limits.of(other).max_order_qty, limits.of(sma).max_order_qty) == (D(100), D(50))
    assert (limits.of(other).paper_only, limits.of(sma).paper_only) == (False, True)
    assert (limits.of(sma, future).max_order_qty, limits.of(sma, future).quote_age_max_s) == (D(5), D("0.5"))
    assert limits.of(sma, facts.instrument(SecurityType.FUTURE, "ESZ6")).max_order_qty is None


def test_limits_below_the_strategy_are_the_same_as_those_in_its_own_table(write: Write) -> None:
    below = limits_of(load_settings(write("[strategy.risk]\nmax_order_qty = 7\n")), USD)
    beside = limits_of(load_settings(write("[risk.strategy.sma]\nmax_order_qty = 7\n")), USD)
    assert below == beside


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('[risk.instrument."ESZ6"]\nmax_oder_qty = 2\n', ('line 18, [risk.instrument."ESZ6"]', 'mean "max_order_qty"')),
        ("[risk.class.FUT]\norder_burst = 2\n", ("line 18, [risk.class.FUT] order_burst", "unknown key")),
        ("[risk.class.FUTURE]\nmax_order_qty = 2\n", ("line 17, [risk.class.FUTURE]", "no kind of security", "FUT")),
        ("[risk.strategy.smaa]\nmax_order_qty = 2\n", ("line 17, [risk.strategy.smaa]", 'did you mean "sma"?')),
        ("[risk.account]\nmax_leverage = true\n", ("line 18, [risk.account] max_leverage", "a number is needed")),
        ("[risk.account]\nmax_open_orders = 1.5\n", ("line 18, [risk.account] max_open_orders",)),
        (f"[risk.account]\nmax_open_orders = 1{'0' * 15}\n", ("line 18, [risk.account] max_open_orders", "less than")),
        ("[risk.strategy.sma]\nrestricted = 1\n", ("line 18, [risk.strategy.sma] restricted",)),
        (
            "[strategy.risk]\nmax_order_qty = 7\n[risk.strategy.sma]\nmax_order_qty = 8\n",
            ("line 19, [risk.strategy.sma]", "keep them in one place"),
        ),
    ],
)
def test_mistake_in_a_table_is_told_with_its_line_and_its_mend(write: Write, more: str, words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as error:
        load_settings(write(more))
    assert [word for word in words if word not in str(error.value)] == [], str(error.value)
