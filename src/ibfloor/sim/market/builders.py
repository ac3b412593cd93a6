"""From an entry of a file of securities to the security the broker knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from zlib import crc32

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, Instrument, SecurityType
from ibfloor.model.money import Currency
from ibfloor.sim.market.entries import ForexEntry, FutureEntry, IndexEntry, OptionsEntry, StockEntry
from ibfloor.sim.market.expiries import contract_months
from ibfloor.sim.market.rules import RULES
from ibfloor.sim.market.securities import (
    FOREX_ORDERS,
    FUTURE_ORDERS,
    STOCK_EXCHANGES,
    STOCK_ORDERS,
    Security,
)
from ibfloor.sim.market.sessions import FOREX, SESSIONS, US_OPTIONS

_MADE_IDS, _MADE_COUNT = 700_000_000, 90_000_000
_OPTION_EXCHANGES = "SMART,AMEX,BATS,BOX,CBOE,ISE,NASDAQOM,PHLX"
_NOT_GROUPED = 2147483647


def stock_of(entry: StockEntry) -> Security:
    """Return a stock; a US listing trades on all US exchanges, any other on its own."""
    rule = RULES[entry.rule]
    exchanges = STOCK_EXCHANGES if entry.session == "us_stocks" else f"SMART,{entry.exchange}"
    increment = rule.increment(Decimal(str(entry.px)))
    contract = Contract(
        security_type=SecurityType.STOCK,
        symbol=entry.symbol,
        currency=Currency(entry.currency),
        primary_exchange=entry.exchange,
    )
    return Security(
        instrument=Instrument(
            instrument_id=_con_id(entry.con_id, f"{entry.symbol}@{entry.exchange}"),
            contract=contract,
            local_symbol=entry.symbol,
            currency=Currency(entry.currency),
            min_tick=rule.smallest,
            lot_size=Decimal(entry.lot),
            long_name=entry.name,
            time_zone=SESSIONS[entry.session].time_zone,
            primary_exchange=entry.exchange,
        ),
        session=SESSIONS[entry.session],
        market_name=entry.symbol,
        trading_class=entry.symbol,
        order_types=STOCK_ORDERS,
        valid_exchanges=exchanges,
        market_rule_ids=",".join([str(rule.rule_id)] * (exchanges.count(",") + 1)),
        stock_type=entry.kind,
        sec_id_list=(("ISIN", entry.isin),) if entry.isin else (),
        min_size=Decimal(entry.lot),
        size_increment=Decimal(entry.lot),
        suggested_size_increment=Decimal(max(entry.lot, 100)),
        rule=rule,
        tape_tick_px=increment,
    )


def futures_of(entry: FutureEntry, day: date, indices: Mapping[str, int]) -> list[Security]:
    """Return the listed months of a root that are in front on a day."""
    months = contract_months(day, entry.months, entry.count, entry.expires)
    futures = []
    for n, month in enumerate(months):
        last_day = f"{month.last_day:%Y%m%d}"
        local_symbol = f"{entry.symbol}{month.code}{month.month[3]}"
        contract = Contract(
            security_type=SecurityType.FUTURE,
            symbol=entry.symbol,
            exchange=entry.exchange,
            currency=Currency(entry.currency),
            expiry=last_day,
            multiplier=entry.multiplier,
            trading_class=entry.symbol,
        )
        futures.append(
            Security(
                instrument=Instrument(
                    instrument_id=_con_id(0, f"{entry.symbol} {month.month}"),
                    contract=contract,
                    local_symbol=local_symbol,
                    currency=Currency(entry.currency),
                    multiplier=Decimal(entry.multiplier),
                    min_tick=Decimal(entry.tick),
                    long_name=entry.name,
                    time_zone=SESSIONS[entry.session].time_zone,
                    exchange=entry.exchange,
                ),
                session=SESSIONS[entry.session],
                market_name=entry.symbol,
                trading_class=entry.symbol,
                order_types=FUTURE_ORDERS,
                valid_exchanges=entry.exchange,
                market_rule_ids=str(_rule_id(entry.tick)),
                contract_month=month.month,
                is_back_month=n > 0,
                last_trade_day=last_day,
                real_expiration_day=last_day,
                under_con_id=indices.get(entry.underlying, 0),
                under_symbol=entry.underlying or entry.symbol,
                under_security_type="IND",
                agg_group=_NOT_GROUPED,
                suggested_size_increment=Decimal(1),
            )
        )
    return futures


def forex_of(entry: ForexEntry) -> Security:
    """Return a currency pair."""
    base, _, quote = entry.pair.partition(".")
    contract = Contract(security_type=SecurityType.FOREX, symbol=base, exchange="IDEALPRO", currency=Currency(quote))
    return Security(
        instrument=Instrument(
            instrument_id=_con_id(entry.con_id, entry.pair),
            contract=contract,
            local_symbol=entry.pair,
            currency=Currency(quote),
            min_tick=Decimal(entry.tick),
            long_name=entry.name,
            exchange="IDEALPRO",
        ),
        session=FOREX,
        market_name=entry.pair,
        trading_class=entry.pair,
        order_types=FOREX_ORDERS,
        valid_exchanges="IDEALPRO",
        market_rule_ids=str(_rule_id(entry.tick)),
        agg_group=4,
        min_size=Decimal("0.01"),
        size_increment=Decimal("0.01"),
        suggested_size_increment=Decimal(1000),
    )


def index_of(entry: IndexEntry) -> Security:
    """Return an index: quotes none, orders none."""
    contract = Contract(
        security_type=SecurityType.INDEX,
        symbol=entry.symbol,
        exchange=entry.exchange,
        currency=Currency(entry.currency),
    )
    return Security(
        instrument=Instrument(
            instrument_id=_con_id(entry.con_id, f"{entry.symbol} index"),
            contract=contract,
            local_symbol=entry.symbol,
            currency=Currency(entry.currency),
            min_tick=Decimal(entry.tick),
            long_name=entry.name,
            time_zone=SESSIONS[entry.session].time_zone,
            exchange=entry.exchange,
        ),
        session=SESSIONS[entry.session],
        market_name=entry.symbol,
        trading_class=entry.symbol,
        order_types="",
        valid_exchanges=entry.exchange,
        market_rule_ids=str(_rule_id(entry.tick)),
        agg_group=_NOT_GROUPED,
    )


def option_of(entry: OptionsEntry, underlying: Security, last_day: date) -> list[Security]:
    """Return calls and puts of one expiry, strikes upward."""
    step, half = Decimal(entry.step), entry.strikes // 2
    middle = (Decimal(str(entry.around)) / step).quantize(Decimal(1)) * step
    strikes = [middle + (n - half) * step for n in range(entry.strikes)]
    return [_option(entry, underlying, last_day, strike, right) for strike in strikes if strike > 0 for right in "CP"]


def _option(entry: OptionsEntry, underlying: Security, last_day: date, strike: Decimal, right: str) -> Security:
    symbol, rule = underlying.symbol, RULES[entry.rule]
    local_symbol = f"{symbol:<6}{last_day:%y%m%d}{right}{int(strike * 1000):08d}"
    contract = Contract(
        security_type=SecurityType.OPTION,
        symbol=symbol,
        currency=underlying.instrument.currency,
        expiry=f"{last_day:%Y%m%d}",
        strike=strike,
        right=right,
        multiplier="100",
        trading_class=symbol,
    )
    return Security(
        instrument=Instrument(
            instrument_id=_con_id(0, local_symbol),
            contract=contract,
            local_symbol=local_symbol,
            currency=underlying.instrument.currency,
            multiplier=Decimal(100),
            min_tick=rule.smallest,
            long_name=underlying.instrument.long_name,
        ),
        session=US_OPTIONS,
        market_name=symbol,
        trading_class=symbol,
        order_types=STOCK_ORDERS,
        valid_exchanges=_OPTION_EXCHANGES,
        market_rule_ids=",".join([str(rule.rule_id)] * (_OPTION_EXCHANGES.count(",") + 1)),
        contract_month=f"{last_day:%Y%m}",
        last_trade_day=f"{last_day:%Y%m%d}",
        real_expiration_day=f"{last_day:%Y%m%d}",
        under_con_id=int(underlying.instrument_id),
        under_symbol=symbol,
        under_security_type=SecurityType.STOCK,
        suggested_size_increment=Decimal(1),
        rule=rule,
        tape_tick_px=max(increment for _, increment in rule.steps),
        rate=entry.rate,
    )


def _con_id(given: int, name: str) -> InstrumentId:
    return InstrumentId(given or _MADE_IDS + crc32(name.encode()) % _MADE_COUNT)


def _rule_id(tick: str) -> int:
    # one rule for each plain tick, with a number of its own
    return {"0.25": 67, "0.00005": 239}.get(tick, 3000 + crc32(tick.encode()) % 1000)
