"""More securities from a file: found as at a broker, moving with the others, refused when they make no sense."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from ibfloor.model.errors import ConfigError
from ibfloor.model.instrument import SecurityType
from ibfloor.model.moment import NS_PER_MINUTE, from_datetime, to_datetime
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.gateway.option_model import option_terms
from ibfloor.sim.market.bars import NS_PER_DAY
from ibfloor.sim.market.chain import volatility_at
from ibfloor.sim.market.generated import GeneratedMarket
from ibfloor.sim.market.listing import WORLD, Listing, read_listing
from ibfloor.sim.market.securities import Security, SecurityMaster, default_master

pytestmark = pytest.mark.slow

DAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def listing() -> Listing:
    return read_listing(WORLD, DAY)


@pytest.fixture(scope="module")
def master(listing: Listing) -> SecurityMaster:
    return listing.master_with(default_master("20261123"))


@pytest.fixture(scope="module")
def market(listing: Listing, start_ns: int) -> GeneratedMarket:
    return GeneratedMarket(1, start_ns + 5 * NS_PER_MINUTE, listing=listing)


@pytest.fixture(scope="module")
def played(market: GeneratedMarket) -> list[MarketTick]:
    return list(market.ticks(market.start_ns + 3 * NS_PER_MINUTE))


def one(master: SecurityMaster, name: str) -> Security:
    security = master.by_symbol(name)
    assert security is not None
    return security


def mid(market: GeneratedMarket, name: str) -> float:
    top = market.top(one(market.master, name).instrument_id)
    assert top is not None
    assert top.bid_px is not None
    assert top.ask_px is not None
    return float(top.bid_px + top.ask_px) / 2


def test_the_default_list_stays_as_it_is_in_front(master: SecurityMaster) -> None:
    assert [each.name for each in master][:13] == [each.name for each in default_master("20261123")]


def test_steps_of_size_are_no_finer_than_the_smallest_size_shows(master: SecurityMaster) -> None:
    # clients round sizes to the decimals of the smallest one: a finer step would become none at all
    assert [each.name for each in master if each.size_increment.quantize(each.min_size) != each.size_increment] == []


def test_one_symbol_on_several_venues_is_ambiguous_until_its_currency_is_told(master: SecurityMaster) -> None:
    assert [each.instrument.currency for each in master.find("STK", "SAP")] == ["EUR", "USD"]
    assert [each.instrument.currency for each in master.find("STK", "RY")] == ["CAD", "USD"]
    (sap,) = master.find("STK", "SAP", "SMART", "EUR")
    assert (sap.instrument.primary_exchange, sap.sec_id_list) == ("IBIS", (("ISIN", "DE0007164600"),))
    assert one(master, "SAP@NYSE").instrument.currency == "USD"


def test_tick_tables_follow_the_price(master: SecurityMaster) -> None:
    toyota = one(master, "7203")
    assert [toyota.tick_at(Decimal(px)) for px in (999, 1000, 5000, 50_000)] == [
        Decimal("0.1"),
        Decimal("0.5"),
        Decimal(1),
        Decimal(10),
    ]
    assert toyota.is_on_grid(Decimal("2800.5"))
    assert not toyota.is_on_grid(Decimal("2800.1"))
    assert (toyota.instrument.min_tick, toyota.instrument.lot_size) == (Decimal("0.1"), Decimal(100))
    rule = master.market_rule(int(toyota.market_rule_ids.split(",")[0]))
    assert rule is toyota.rule
    assert master.market_rule(1) is None


def test_futures_have_months_with_symbols_and_last_days_of_their_own(master: SecurityMaster) -> None:
    assert [(each.name, each.last_trade_day) for each in master.find("FUT", "NQ", "CME")] == [
        ("NQZ6", "20261218"),
        ("NQH7", "20270319"),
    ]
    months = master.find("FUT", "VXM", "CFE")
    assert [each.name for each in months] == ["VXMZ6", "VXMF7", "VXMG7", "VXMH7"]
    assert months[0].last_trade_day == "20261216"
    assert months[0].instrument.multiplier == 100
    assert one(master, "VIX").instrument_id == months[0].under_con_id


def test_an_option_is_found_by_its_expiry_strike_and_right(master: SecurityMaster) -> None:
    wanted = {"security_type": "OPT", "symbol": "AAPL", "expiry": "20261218", "strike": Decimal(180)}
    assert len(master.find(**wanted)) == 2  # type: ignore[arg-type]
    (put,) = master.find(**wanted, right="PUT")  # type: ignore[arg-type]
    assert put.name == "AAPL  261218P00180000"
    assert put.instrument.multiplier == 100
    aapl = one(master, "AAPL")
    chain = master.options_on(int(aapl.instrument_id))
    assert {each.last_trade_day for each in chain} == {"20261127", "20261204", "20261218", "20270115"}
    assert len(chain) == 4 * 9 * 2


def test_every_listed_security_has_a_key_of_its_own_and_prices_on_its_grid(
    market: GeneratedMarket, played: list[MarketTick]
) -> None:
    ids = {each.instrument_id for each in market.master}
    assert len(ids) == len(market.master) > 180
    by_id = {each.instrument_id: each for each in market.master}
    for tick in played:
        security = by_id[tick.instrument_id]
        prices = (tick.px,) if isinstance(tick, TapePrint) else (tick.bid_px, tick.ask_px)
        assert all(px is not None and px > 0 and security.is_on_grid(px) for px in prices), (security.name, tick)


def test_an_index_prints_and_is_never_quoted(market: GeneratedMarket, played: list[MarketTick]) -> None:
    spx = one(market.master, "SPX")
    kinds = {type(tick) for tick in played if tick.instrument_id == spx.instrument_id}
    assert kinds == {TapePrint}
    assert not spx.is_tradable


def test_the_default_list_moves_the_same_with_and_without_a_listing(start_ns: int, listing: Listing) -> None:
    until_ns = start_ns + 2 * NS_PER_MINUTE
    alone, among = GeneratedMarket(3, start_ns), GeneratedMarket(3, start_ns, listing=listing)
    default = {each.instrument_id for each in alone.master}
    assert list(alone.ticks(until_ns)) == [tick for tick in among.ticks(until_ns) if tick.instrument_id in default]


def test_prices_that_belong_together_stay_together(market: GeneratedMarket, played: list[MarketTick]) -> None:
    assert played
    assert mid(market, "EUR.GBP") == pytest.approx(mid(market, "EUR.USD") / mid(market, "GBP.USD"), rel=3e-4)
    assert mid(market, "MESZ6") == pytest.approx(mid(market, "ESZ6"), rel=3e-4)
    assert mid(market, "RY@NYSE") == pytest.approx(mid(market, "RY@TSE") / mid(market, "USD.CAD"), rel=0.02)
    months = [mid(market, each.name) for each in market.master.find("FUT", "VXM")]
    assert months == sorted(months)  # contango
    crude = [mid(market, each.name) for each in market.master.find("FUT", "CL")]
    assert crude == sorted(crude, reverse=True)  # backwardation


def test_options_keep_to_what_their_underlying_allows(market: GeneratedMarket, played: list[MarketTick]) -> None:
    assert played
    spot = mid(market, "AAPL")
    chain = market.master.options_on(int(one(market.master, "AAPL").instrument_id))
    for security in chain:
        strike = float(security.instrument.contract.strike or 0)
        sign = 1 if security.instrument.contract.right == "C" else -1
        assert mid(market, security.name) >= max(0.0, sign * (spot - strike)) - 0.60, security.name
    calls = [mid(market, each.name) for each in chain if each.name[6:13] == "261218C"]
    assert calls == sorted(calls, reverse=True)


def test_the_model_finds_the_volatility_a_chain_is_priced_with_for_calls_and_puts_alike(
    market: GeneratedMarket, played: list[MarketTick], listing: Listing
) -> None:
    now_ns = played[-1].ts_ns
    spot = mid(market, "AAPL")
    chains = {each.name: each.chain for each in listing.listed if each.chain is not None}
    pairs: dict[Decimal, dict[str, float]] = {}
    for security in market.master.options_on(int(one(market.master, "AAPL").instrument_id)):
        contract, terms, chain = security.instrument.contract, option_terms(security, now_ns), chains[security.name]
        assert terms is not None
        assert contract.strike is not None
        if security.name[6:12] == "261218" and abs(float(contract.strike) / spot - 1) < 0.03:
            found = terms.given_price(mid(market, security.name), spot)["implied_volatility"]
            assert found == pytest.approx(volatility_at(chain, float(contract.strike), spot), abs=0.01)
            pairs.setdefault(contract.strike, {})[contract.right] = found
    assert pairs
    for found_of in pairs.values():
        assert found_of["C"] == pytest.approx(found_of["P"], abs=0.008)


def test_foreign_venues_keep_their_own_hours_holidays_and_half_days(master: SecurityMaster) -> None:
    sap, toyota, royal = (one(master, name).session for name in ("SAP@IBIS", "7203", "RY@TSE"))
    assert not toyota.is_trading_day(DAY)  # Labour Thanksgiving
    assert sap.is_trading_day(date(2026, 11, 26))  # the American one
    assert not royal.is_trading_day(date(2026, 7, 1))
    assert royal.is_trading_day(date(2026, 7, 3))
    half = sap.hours(date(2026, 12, 30))
    assert half is not None
    assert f"{to_datetime(half[1]):%H:%M}" == "13:00"
    assert sap.hours_text(from_datetime(to_datetime(half[0])), days=2) == (
        "20261230:0900-20261230:1400;20261231:CLOSED"
    )


def test_a_foreign_stock_has_history_on_the_days_it_trades(market: GeneratedMarket) -> None:
    toyota = one(market.master, "7203")
    bars = market.history(
        toyota.instrument_id, end_ns=market.start_ns, duration_ns=5 * NS_PER_DAY, bar_ns=NS_PER_DAY, rth_only=True
    )
    assert [f"{to_datetime(bar.ts_ns):%d}" for bar in bars] == ["16", "17", "18", "19", "20"]
    assert all(bar.low_px <= bar.close_px <= bar.high_px and bar.volume > 1_000_000 for bar in bars)


def test_a_contract_that_has_ended_falls_silent(listing: Listing, start_ns: int) -> None:
    later = GeneratedMarket(1, start_ns + 7 * NS_PER_DAY, ("AAPL", "AAPL  261127C00180000"), listing=listing)
    option = one(later.master, "AAPL  261127C00180000")
    ticks = list(later.ticks(later.start_ns + 10 * NS_PER_MINUTE))
    assert ticks
    assert all(tick.instrument_id != option.instrument_id for tick in ticks)
    assert option.instrument.contract.security_type is SecurityType.OPTION


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[stock]]\nsymbol = 5\nexchange = 'NYSE'\npx = 1.0", "Expected `str`, got `int` - at `$.stock[0].symbol`"),
        ("[[stock]]\nsymbol = 'X'\nexchange = 'NYSE'\npx = 1.0\npryce = 2", "unknown field `pryce` - at `$.stock[0]`"),
        ("[[stock]]\nsymbol = 'X'\nexchange = 'NYSE'", "missing required field `px` - at `$.stock[0]`"),
        ("[[stock]]\nsymbol = 'X'\nexchange = 'NYSE'\npx = -1.0", "stock[0].px: -1 is not above zero"),
        ("[[stock]]\nsymbol = 'X'\nexchange = 'NYSE'\npx = 1.0\nrule = 'x'", "stock[0].rule: 'x' is not known: take"),
        ("[[stock]]\nsymbol = 'X'\nexchange = 'N'\npx = 1.0\nsession = 'x'", "stock[0].session: 'x' is not known"),
        ("[[stock]]\nsymbol = 'X'\nexchange = 'N'\npx = 1.0\nfollows = {Y = 1.0}", "stock[0].follows: 'Y' is neither"),
        ("[[index]]\nsymbol = 'X'\nexchange = 'N'\npx = 1.0\nfollows = {X = 1.0}", "follows: 'X' follows itself"),
        ("[[forex]]\npair = 'USDJPY'\npx = 1.0", "forex[0].pair: 'USDJPY' is not a pair such as USD.JPY"),
        ("[[forex]]\npair = 'USD.JPY'\npx = 1.0\ntick = '0'", "forex[0].tick: '0' is not a number above zero"),
        ("[[options]]\nunderlying = 'X'\nstep = '1'\naround = 5", "options[0].underlying: 'X' is neither"),
        ("[[stock", "Expected"),
    ],
)
def test_a_file_that_makes_no_sense_is_named_with_its_key(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_listing(path, DAY)
    assert str(path) in str(raised.value)
    assert says in str(raised.value)


def test_an_absent_file_and_a_contract_id_used_twice_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the securities"):
        read_listing(tmp_path / "none.toml", DAY)
    path = tmp_path / "mine.toml"
    path.write_text("[[stock]]\nsymbol = 'X'\nexchange = 'NYSE'\npx = 1.0\ncon_id = 756733")
    with pytest.raises(ConfigError, match=r"X@NYSE and SPY have the same con_id 756733"):
        read_listing(path, DAY).master_with(default_master())


def test_quotes_of_a_listing_are_two_sided(played: list[MarketTick]) -> None:
    assert all(
        tick.bid_px < tick.ask_px for tick in played if isinstance(tick, BookTop) and tick.bid_px and tick.ask_px
    )
