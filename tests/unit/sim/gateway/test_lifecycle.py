"""Dated events of a file reach the accounts; days end with settlement and expiry."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import AccountId
from ibfloor.model.instrument import Instrument
from ibfloor.model.moment import NS_PER_MINUTE, NS_PER_S
from ibfloor.model.money import USD, Currency
from ibfloor.model.order import Side
from ibfloor.sim.account import SimAccount
from ibfloor.sim.faults.actions import Halt
from ibfloor.sim.gateway.clock import SimClock, market_start_ns
from ibfloor.sim.gateway.gateway import Gateway
from ibfloor.sim.gateway.happenings import AccountEvent, halts_of, read_happenings
from ibfloor.sim.gateway.schedule import ClockEvent
from ibfloor.sim.gateway.scripted import ScriptedMarket
from ibfloor.sim.market.listing import WORLD, read_listing
from ibfloor.sim.market.plan import MarketEventKind
from ibfloor.sim.market.securities import default_master

DAY = date(2026, 12, 18)
CALL, PUT = "SPY   261218C00450000", "SPY   261218P00450000"
EVENTS = """
[[event]]
kind = "halt"
symbol = "AAPL"
at = "2026-12-18 10:05"

[[event]]
kind = "split"
symbol = "KO"
at = "2026-12-18 12:00"
ratio = 2

[[event]]
kind = "dividend"
symbol = "KO"
at = "2026-12-18 11:00"
amount = "0.28"

[[event]]
kind = "interest"
currency = "USD"
at = "2026-12-18 13:00"
percent = "3.6"
days = 10
"""

EUR = Currency("EUR")


class House:
    """A gateway on a scripted market, on a Friday on which options and futures expire."""

    def __init__(self, events: tuple[AccountEvent, ...] = ()) -> None:
        master = read_listing(WORLD, date(2026, 12, 17)).master_with(default_master("20261217"))
        self.market = ScriptedMarket(master)
        self.account = SimAccount(AccountId("DU1"), {USD: Decimal(1_000_000)})
        self.start_ns = market_start_ns(DAY, "10:00")
        self.clock = SimClock(self.start_ns, is_stepped=True)
        self.gateway = Gateway(self.market, self.account, self.clock, events=events)

    def instrument(self, name: str) -> Instrument:
        security = self.market.master.by_symbol(name)
        assert security is not None
        return security.instrument

    def hold(self, name: str, qty: int, px: str) -> None:
        side = Side.BUY if qty > 0 else Side.SELL
        self.account.book(len(self.account.executions), self.instrument(name), side, Decimal(abs(qty)), Decimal(px), 1)

    def held(self, name: str) -> int:
        position = self.account.position(self.instrument(name).instrument_id)
        return 0 if position is None else int(position.qty)

    def quote(self, name: str, bid: str, ask: str) -> None:
        self.market.quote(name, bid, ask, self.gateway.now_ns())

    def pass_hours(self, hours: int) -> None:
        for _ in range(hours * 4):
            self.gateway.advance(15 * NS_PER_MINUTE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.toml"
    path.write_text(EVENTS)
    return path


def test_a_file_gives_events_of_the_tape_and_of_the_accounts_in_order(file: Path) -> None:
    happenings = read_happenings(file)
    assert [event.kind for event in happenings.market] == [MarketEventKind.HALT, MarketEventKind.GAP]
    assert happenings.market[1].percent == -50
    assert [event.at[11:] for event in happenings.accounts] == ["11:00", "12:00", "13:00"]


def test_events_are_carried_out_when_they_are_due(file: Path) -> None:
    house = House(read_happenings(file).accounts)
    house.hold("KO", 100, "60")
    cash = house.account.cash[USD]
    house.pass_hours(1)
    assert house.account.cash[USD] == cash + 28
    assert house.held("KO") == 100
    house.pass_hours(2)
    assert house.held("KO") == 200
    assert house.account.cash[USD] == cash + 28 + ((cash + 28) / 1000).quantize(Decimal("0.01"))
    assert [move.kind for move in house.account.moves] == ["dividend", "split", "interest"]


def test_the_last_day_ends_options_and_futures_and_settles_the_others() -> None:
    house = House()
    for name, qty, px in ((CALL, 2, "5"), (PUT, -1, "4"), ("ESZ6", 1, "4500"), ("ESH7", -1, "4550")):
        house.hold(name, qty, px)
    house.quote("SPY", "459.99", "460.01")
    house.quote("ESZ6", "4600.00", "4600.50")
    house.quote("ESH7", "4649.75", "4650.25")
    cash = house.account.cash[USD]
    house.pass_hours(10)
    assert (house.held(CALL), house.held(PUT), house.held("SPY")) == (0, 0, 200)
    assert (house.held("ESZ6"), house.held("ESH7")) == (0, -1)
    assert house.account.cash[USD] == cash - 2 * 100 * 450 + Decimal("100.25") * 50 - 100 * 50
    kinds = [move.kind for move in house.account.moves]
    assert sorted(kinds) == sorted(["exercise"] * 2 + ["expiry"] * 2 + ["variation"] * 2)


def test_the_clocks_events_reach_whoever_subscribed() -> None:
    house = House()
    heard: list[int] = []
    house.gateway.schedule.subscribe(ClockEvent.NIGHTLY_RESTART, heard.append)
    house.pass_hours(13)
    assert heard == []
    house.pass_hours(1)
    assert heard == [market_start_ns(DAY, "23:45")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[event]]\nkind = 'halt'\nsymbol = 'KO'\nat = '10:05'", "event[0]: at is '10:05'"),
        ("[[event]]\nkind = 'flood'\nat = '2026-12-18 10:05'", "event[0]: Invalid value 'flood' - at `$.kind`"),
        ("[[event]]\nkind = 'dividend'\nat = '2026-12-18 10:05'\nsymbol = 'KO'", "missing required field `amount`"),
        ("[[event]]\nkind = 'split'\nat = '2026-12-18 10:05'\nsymbol = 'KO'\nratio = 0", "event[0]: ratio is 0"),
        ("[[event]]\nkind = 'gap'\nat = '2026-12-18 10:05'\nsymbol = 'KO'\nprocent = 5", "unknown field `procent`"),
        ("[[event]]\nkind = 'gap'\nat = '2026-12-18 10:05'\nsymbol = 'KO'\npercent = -95.0", "percent is -95"),
        ("[events]\n", "tables [[event]] alone"),
        ("[[event", "Expected"),
    ],
)
def test_a_file_that_makes_no_sense_is_named_with_its_event(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "events.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_happenings(path)
    assert str(path) in str(raised.value)
    assert says in str(raised.value)


def test_events_and_last_days_reach_every_account_and_each_is_told_of_its_own(file: Path) -> None:
    house = House(read_happenings(file).accounts)
    second = SimAccount(AccountId("DU2"), {EUR: Decimal(100_000), USD: Decimal(2000)}, base_currency=EUR)
    house.gateway.broker.add_account(second)
    for account, shares, calls, future in ((house.account, 100, 2, 1), (second, -50, -1, -2)):
        for name, qty, px in (("KO", shares, "60"), (CALL, calls, "5"), ("ESZ6", future, "4500")):
            side = Side.BUY if qty > 0 else Side.SELL
            account.book(len(account.executions), house.instrument(name), side, Decimal(abs(qty)), Decimal(px), 1)
    house.quote("SPY", "459.99", "460.01")
    house.quote("ESZ6", "4600.00", "4600.50")
    house.pass_hours(10)

    def held(account: SimAccount, name: str) -> int:
        position = account.position(house.instrument(name).instrument_id)
        return 0 if position is None else int(position.qty)

    assert [(held(one, "KO"), held(one, "SPY")) for one in (house.account, second)] == [(200, 200), (-100, -100)]
    assert [(held(one, CALL), held(one, "ESZ6")) for one in (house.account, second)] == [(0, 0), (0, 0)]
    amounts = {
        one.account: {move.kind: move.amount for move in one.moves if move.kind in ("dividend", "variation")}
        for one in (house.account, second)
    }
    assert amounts[AccountId("DU1")] == {"dividend": Decimal("28.00"), "variation": Decimal("5012.50")}
    assert amounts[AccountId("DU2")] == {"dividend": Decimal("-14.00"), "variation": Decimal("-10025.00")}
    assert [sorted({move.kind for move in one.moves}) for one in (house.account, second)] == [
        ["dividend", "exercise", "expiry", "interest", "split", "variation"],
        ["assignment", "dividend", "expiry", "interest", "split", "variation"],
    ]
    assert second.cash[EUR] == 100_000


def test_dated_halts_to_come_are_told_and_stop_the_orders(tmp_path: Path) -> None:
    file = tmp_path / "events.toml"
    file.write_text(EVENTS)
    events, start_ns = read_happenings(file).market, market_start_ns(DAY, "10:00")
    (fault,) = halts_of(events, start_ns)
    assert (fault.what, fault.when.market_s) == (Halt(symbol="AAPL", for_s=300), 300)
    assert halts_of(events, start_ns + 301 * NS_PER_S) == ()
