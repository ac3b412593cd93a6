"""The security master answers as a broker does: one, many, or none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import SecurityType
from ibfloor.sim.market.securities import SecurityMaster, default_master


@pytest.fixture
def master() -> SecurityMaster:
    return default_master("20261123")


def names(master: SecurityMaster, **wanted: Any) -> list[str]:
    return [security.name for security in master.find(**wanted)]


def test_stock_is_found_on_smart_and_on_its_exchange(master: SecurityMaster) -> None:
    for exchange in ("SMART", "ARCA", ""):
        assert names(master, security_type="STK", symbol="SPY", exchange=exchange, currency="USD") == ["SPY"]
    assert names(master, security_type="STK", symbol="SPY", exchange="CME") == []
    assert names(master, security_type="STK", symbol="SPY", currency="EUR") == []


def test_future_without_expiry_is_ambiguous_and_with_month_or_day_is_not(master: SecurityMaster) -> None:
    assert names(master, security_type="FUT", symbol="ES", exchange="CME") == ["ESZ6", "ESH7"]
    assert names(master, security_type="FUT", symbol="ES", expiry="202612") == ["ESZ6"]
    assert names(master, security_type="FUT", symbol="ES", expiry="20261218") == ["ESZ6"]
    assert names(master, symbol="ES", multiplier="50.0", local_symbol="ESH7") == ["ESH7"]
    assert names(master, symbol="ES", multiplier="5") == []


def test_futures_roll_with_the_market_day() -> None:
    assert [each.name for each in default_master("20261217").find("FUT", "ES")] == ["ESZ6", "ESH7"]
    assert [each.name for each in default_master("20261218").find("FUT", "ES")] == ["ESH7", "ESM7"]


def test_contract_id_alone_decides(master: SecurityMaster) -> None:
    (spy,) = master.find(con_id=756733)
    assert spy.symbol == "SPY"
    assert master.find(con_id=756733, exchange="CME") == []
    assert master.find(con_id=1) == []
    assert master.by_id(InstrumentId(756733)) is spy


def test_nothing_asked_finds_nothing(master: SecurityMaster) -> None:
    assert master.find() == []


def test_currency_pair_trades_on_its_own_exchange_and_grid(master: SecurityMaster) -> None:
    (pair,) = master.find(SecurityType.FOREX, "EUR", "IDEALPRO", "USD")
    assert pair.instrument.min_tick == Decimal("0.00005")
    assert pair.name == "EUR.USD"


def test_every_security_has_a_key_of_its_own(master: SecurityMaster) -> None:
    assert len({security.instrument_id for security in master}) == len(master) == 13
    assert len({security.name for security in master}) == len(master)
