"""``ibfloor book lots`` shows what ``book transfer --lot`` takes, by the account's rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ibfloor.ledger.journal import JournalWriter
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.replay import recover
from ibfloor.model.fact import AnyFact, InstrumentDefined, OrderFilled
from ibfloor.model.ids import UNASSIGNED, ClientOrderId, ExecId, InstrumentId, StrategyId
from ibfloor.model.instrument import Contract, Instrument, SecurityType
from ibfloor.model.money import USD
from ibfloor.model.order import Side

Ibfloor = Callable[..., Any]
SPY = InstrumentId(756733)
FLOOR = """
[floor]
name = "test"
home = "home"

[gateway]
port = 4002

[risk]
max_order_qty = 100
max_order_notional = "off"
max_position_qty = 100
max_position_notional = "off"
collar_pct = 5
order_rate_per_s = 10
order_burst = 20
max_gross_exposure = 1_000_000
"""
CONTRACT = Contract(security_type=SecurityType.STOCK, symbol="SPY")


def fill(number: int, owner: StrategyId, qty: int, px: str) -> OrderFilled:
    return OrderFilled(
        ts_event_ns=number * 10**9,
        ts_init_ns=number * 10**9,
        exec_id=ExecId(f"x{number}.01"),
        cl_ord_id=None if owner == UNASSIGNED else ClientOrderId(f"{owner}:{number}"),
        strategy=owner,
        instrument_id=SPY,
        side=Side.BUY if qty > 0 else Side.SELL,
        last_qty=Decimal(abs(qty)),
        last_px=Decimal(px),
        currency=USD,
    )


@pytest.fixture
def told(tmp_path: Path) -> Path:
    paths = LedgerPaths(tmp_path / "home")
    paths.make_folders()
    spy = Instrument(instrument_id=SPY, contract=CONTRACT, local_symbol="SPY", currency=USD)
    facts: list[AnyFact] = [
        InstrumentDefined(ts_event_ns=0, ts_init_ns=0, instrument=spy),
        fill(1, UNASSIGNED, 10, "100"),
        fill(2, UNASSIGNED, 10, "110.50"),
        fill(3, UNASSIGNED, -4, "120"),
        fill(4, UNASSIGNED, 1, "90"),
    ]
    with JournalWriter(paths.facts_journal) as journal:
        for seq, fact in enumerate(facts, start=1):
            journal.append(fact, seq)
    recover(paths.home).close()
    return paths.home


@pytest.mark.parametrize(
    ("rule", "lots"),
    [
        ("fifo", [("x1", "6", "100", "600.00"), ("x2", "10", "110.5", "1105.00"), ("x4", "1", "90", "90.00")]),
        ("lifo", [("x1", "10", "100", "1000.00"), ("x2", "6", "110.5", "663.00"), ("x4", "1", "90", "90.00")]),
    ],
)
def test_lots_are_those_of_the_accounts_rule(
    ibfloor: Ibfloor, told: Path, tmp_path: Path, rule: str, lots: list[tuple[str, str, str, str]]
) -> None:
    file = tmp_path / "floor.toml"
    file.write_text(f'{FLOOR}\n[books]\nlots = "{rule}"\n')
    shown = ibfloor("book", "lots", "spy", "--book", "UNASSIGNED", "--json", "-c", str(file))
    assert shown.code == 0, shown.err
    rows = json.loads(shown.out)
    assert [(row["lot"], row["qty"], row["px"], row["cost"]) for row in rows] == lots
    other = ibfloor("book", "lots", "--book", "other", "--json", "-c", str(file))
    assert (other.code, other.out) == (1, "")
    assert "there is no book other; there are: UNASSIGNED" in other.err
    unknown = ibfloor("book", "lots", "NOSUCH", "-c", str(file))
    assert (unknown.code, unknown.out) == (1, "")
    assert "the floor has met no instrument NOSUCH; there are: SPY" in unknown.err
    assert "x1" in ibfloor("book", "lots", "-c", str(file)).out
