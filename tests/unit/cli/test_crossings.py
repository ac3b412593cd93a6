"""``ibfloor crossings`` tells pairs and savings from the journal alone, and leaves out what was undone."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ibfloor.ledger.journal import JournalWriter
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.replay import recover
from ibfloor.model.entry import BookEntry, CrossedQuote, undone
from ibfloor.model.fact import AnyFact, InstrumentDefined
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.money import USD
from ibfloor.portfolio.crossing import cross

Ibfloor = Callable[..., Any]
D = Decimal
SPY = Instrument(instrument_id=InstrumentId(756733), contract=Stock("SPY"), local_symbol="SPY", currency=USD)


def crossed(number: int, buyer: str, seller: str) -> BookEntry:
    return cross(
        SPY,
        D(20),
        CrossedQuote(bid_px=D("160.00"), ask_px=D("160.05"), ts_event_ns=number),
        buyer=StrategyId(buyer),
        seller=StrategyId(seller),
        entry_id=f"cross-{number}",
        now_ns=number,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    paths = LedgerPaths(tmp_path / "home")
    paths.make_folders()
    wrong = crossed(3, "sma", "pair")
    undo = replace(wrong, entry_id="u", legs=undone(wrong.legs), reverses=wrong.entry_id, quote=None)
    facts: list[AnyFact] = [
        InstrumentDefined(ts_event_ns=0, ts_init_ns=0, instrument=SPY),
        crossed(1, "sma", "pair"),
        crossed(2, "pair", "trend"),
        wrong,
        undo,
    ]
    with JournalWriter(paths.facts_journal) as journal:
        for seq, fact in enumerate(facts, start=1):
            journal.append(fact, seq)
    recover(paths.home).close()
    return paths.home


def test_pairs_are_listed_with_the_spread_they_saved(ibfloor: Ibfloor, home: Path) -> None:
    shown = ibfloor("crossings", "--json", "--home", str(home))
    assert shown.code == 0, shown.err
    rows = json.loads(shown.out)
    assert [(row["buyer"], row["seller"], D(row["px"]), D(row["saved"])) for row in rows] == [
        ("sma", "pair", D("160.025"), D(1)),
        ("pair", "trend", D("160.025"), D(1)),
    ]
    assert rows[0]["symbol"] == "SPY"
    of_one = json.loads(ibfloor("crossings", "--book", "sma", "--json", "--home", str(home)).out)
    assert [row["entry_id"] for row in of_one] == ["cross-1"]
    assert "160.025" in ibfloor("crossings", "--home", str(home)).out
    assert json.loads(ibfloor("crossings", "--book", "UNASSIGNED", "--json", "--home", str(home)).out) == []
    unknown = ibfloor("crossings", "-b", "nosuch", "--home", str(home))
    assert (unknown.code, unknown.out) == (1, "")
    assert "there is no book nosuch; there are: UNASSIGNED, pair, sma, trend" in unknown.err
