"""The security master: what the simulated broker knows of each contract."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import msgspec

from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, Instrument, SecurityType
from ibfloor.model.money import USD, Currency
from ibfloor.sim.market.rules import RULES, MarketRule
from ibfloor.sim.market.sessions import CME_INDEX, FOREX, US_STOCKS, Session

STOCK_ORDERS = (
    "ACTIVETIM,AD,ADJUST,ALERT,ALGO,ALLOC,AVGCOST,BASKET,COND,CONDORDER,DAY,FOK,GAT,GTC,GTD,IOC,LIT,LMT,LOC,MIT,MKT,"
    "MOC,MTL,OCA,OPG,OUTSIDERTH,REL,STP,STPLMT,TRAIL,TRAILLIT,TRAILLMT,WHATIF"
)
FUTURE_ORDERS = (
    "ACTIVETIM,ALERT,ALGO,COND,DAY,FOK,GAT,GTC,GTD,IOC,LIT,LMT,MIT,MKT,MTL,OCA,OUTSIDERTH,STP,STPLMT,TRAIL,TRAILLMT,"
    "WHATIF"
)
FOREX_ORDERS = "ACTIVETIM,ALERT,ALGO,COND,DAY,FOK,GAT,GTC,GTD,IOC,LIT,LMT,MIT,MKT,OCA,STP,STPLMT,TRAIL,TRAILLMT,WHATIF"
STOCK_EXCHANGES = "SMART,AMEX,NYSE,ARCA,BATS,ISLAND,NASDAQ,IEX,EDGX,BEX"


class Security(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument and what else a contract's details say of it; lists are comma-separated as at IB."""

    instrument: Instrument
    session: Session
    market_name: str
    trading_class: str
    order_types: str
    valid_exchanges: str
    market_rule_ids: str
    price_magnifier: int = 1
    industry: str = ""
    category: str = ""
    subcategory: str = ""
    stock_type: str = ""
    contract_month: str = ""
    is_back_month: bool = False
    last_trade_day: str = ""
    real_expiration_day: str = ""
    under_con_id: int = 0
    under_symbol: str = ""
    under_security_type: str = ""
    agg_group: int = 1
    sec_id_list: tuple[tuple[str, str], ...] = ()
    min_size: Decimal = Decimal(1)
    size_increment: Decimal = Decimal(1)
    suggested_size_increment: Decimal = Decimal(100)
    rule: MarketRule | None = None
    """How prices step, where that depends on the price; else by the instrument's tick."""
    tape_tick_px: Decimal | None = None
    """The step of the simulated tape, a multiple or a fraction of the instrument's tick; ``None``: that tick."""
    rate: float = 0.0
    """Of an option: the yearly interest it is priced with."""

    @property
    def tape_tick(self) -> Decimal:
        """Return the step of the simulated tape's prices."""
        return self.instrument.min_tick if self.tape_tick_px is None else self.tape_tick_px

    @property
    def is_tradable(self) -> bool:
        """Tell whether orders are taken; an index is data only."""
        return self.instrument.contract.security_type is not SecurityType.INDEX

    def tick_at(self, px: Decimal) -> Decimal:
        """Return by how much an order's price may step at a price."""
        return self.instrument.min_tick if self.rule is None else self.rule.increment(px)

    def is_on_grid(self, px: Decimal) -> bool:
        """Tell whether the broker would take an order at a price."""
        return px % self.tick_at(px) == 0

    @property
    def instrument_id(self) -> InstrumentId:
        """Return the key: IB's contract id."""
        return self.instrument.instrument_id

    @property
    def symbol(self) -> str:
        """Return the contract's symbol."""
        return self.instrument.contract.symbol

    @property
    def name(self) -> str:
        """Return the local symbol, which is unique in the master."""
        return self.instrument.local_symbol


class SecurityMaster:
    """All securities of the simulated broker; never changes once made."""

    def __init__(self, securities: tuple[Security, ...]) -> None:
        self._by_id = {security.instrument_id: security for security in securities}

    def __iter__(self) -> Iterator[Security]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def by_id(self, instrument_id: InstrumentId) -> Security | None:
        """Return a security by contract id; ``None`` when there is no such."""
        return self._by_id.get(instrument_id)

    def by_symbol(self, symbol: str) -> Security | None:
        """Return the first security of a symbol or local symbol (the front month of a future).

        ``SAP@IBIS`` names one of several stocks of a symbol by its primary exchange.
        """
        name, _, venue = symbol.partition("@")
        for security in self:
            if name in (security.symbol, security.name) and venue in ("", security.instrument.primary_exchange):
                return security
        return None

    def options_on(self, con_id: int) -> list[Security]:
        """Return the options on an underlying, in the master's order."""
        return [
            security
            for security in self
            if security.under_con_id == con_id and security.instrument.contract.security_type is SecurityType.OPTION
        ]

    def market_rule(self, rule_id: int) -> MarketRule | None:
        """Return the rule of a number that some security names; ``None`` for no such."""
        for security in self:
            if str(rule_id) in security.market_rule_ids.split(","):
                return security.rule or MarketRule(rule_id, ((Decimal(0), security.instrument.min_tick),))
        return None

    def find(
        self,
        security_type: SecurityType | str = "",
        symbol: str = "",
        exchange: str = "",
        currency: str = "",
        expiry: str = "",
        *,
        con_id: int = 0,
        local_symbol: str = "",
        primary_exchange: str = "",
        trading_class: str = "",
        multiplier: str = "",
        strike: Decimal | None = None,
        right: str = "",
    ) -> list[Security]:
        """Return every security that fits what was given, in the master's order; empty text fits all.

        An expiry fits as a month or as a day; a strike of 0 fits all. A contract id alone decides,
        with the exchange.
        """
        if con_id:
            named = self._by_id.get(InstrumentId(con_id))
            return [named] if named is not None and _trades_on(named, exchange) else []
        if not (symbol or local_symbol):
            return []
        wanted = (
            (security_type, "security_type"),
            (symbol, "symbol"),
            (currency, "currency"),
            (strike, "strike"),
            (right[:1].replace("0", "").replace("?", ""), "right"),
        )
        return [
            security
            for security in self
            if all(not value or value == getattr(security.instrument.contract, name) for value, name in wanted)
            and (not local_symbol or local_symbol == security.name)
            and (not trading_class or trading_class == security.trading_class)
            and (not primary_exchange or primary_exchange == security.instrument.primary_exchange)
            and (not multiplier or _same_number(multiplier, security.instrument.multiplier))
            and (not expiry or security.last_trade_day.startswith(expiry) or security.contract_month == expiry)
            and _trades_on(security, exchange)
        ]


def _trades_on(security: Security, exchange: str) -> bool:
    return not exchange or exchange in security.valid_exchanges.split(",")


def _same_number(text: str, number: Decimal) -> bool:
    return text.replace(".", "", 1).isdigit() and Decimal(text) == number


def _stock(
    con_id: int, symbol: str, primary: str, long_name: str, kind: str, sector: tuple[str, str, str], isin: str
) -> Security:
    contract = Contract(security_type=SecurityType.STOCK, symbol=symbol, primary_exchange=primary)
    market_name = {"NASDAQ": "NMS"}.get(primary, symbol)
    exchanges = STOCK_EXCHANGES
    return Security(
        instrument=Instrument(
            instrument_id=InstrumentId(con_id),
            contract=contract,
            local_symbol=symbol,
            currency=USD,
            long_name=long_name,
            primary_exchange=primary,
        ),
        session=US_STOCKS,
        market_name=market_name,
        trading_class=market_name,
        order_types=STOCK_ORDERS,
        valid_exchanges=exchanges,
        rule=RULES["us_stock"],
        market_rule_ids=",".join(["26"] * (exchanges.count(",") + 1)),
        industry=sector[0],
        category=sector[1],
        subcategory=sector[2],
        stock_type=kind,
        sec_id_list=(("ISIN", isin),),
    )


def _es(con_id: int, month: str, last_day: str, local_symbol: str, is_back_month: bool) -> Security:
    contract = Contract(
        security_type=SecurityType.FUTURE,
        symbol="ES",
        exchange="CME",
        expiry=last_day,
        multiplier="50",
        trading_class="ES",
    )
    return Security(
        instrument=Instrument(
            instrument_id=InstrumentId(con_id),
            contract=contract,
            local_symbol=local_symbol,
            currency=USD,
            multiplier=Decimal(50),
            min_tick=Decimal("0.25"),
            long_name="E-mini S&P 500",
            time_zone="US/Central",
            exchange="CME",
        ),
        session=CME_INDEX,
        market_name="ES",
        trading_class="ES",
        order_types=FUTURE_ORDERS,
        valid_exchanges="CME",
        market_rule_ids="67",
        contract_month=month,
        is_back_month=is_back_month,
        last_trade_day=last_day,
        real_expiration_day=last_day,
        under_con_id=11004968,
        under_symbol="ES",
        under_security_type="IND",
        agg_group=2147483647,
        suggested_size_increment=Decimal(1),
    )


def _forex(con_id: int, base: str, quote: str) -> Security:
    contract = Contract(security_type=SecurityType.FOREX, symbol=base, exchange="IDEALPRO", currency=Currency(quote))
    return Security(
        instrument=Instrument(
            instrument_id=InstrumentId(con_id),
            contract=contract,
            local_symbol=f"{base}.{quote}",
            currency=Currency(quote),
            min_tick=Decimal("0.00005"),
            long_name="European Monetary Union Euro",
            exchange="IDEALPRO",
        ),
        session=FOREX,
        market_name=f"{base}.{quote}",
        trading_class=f"{base}.{quote}",
        order_types=FOREX_ORDERS,
        valid_exchanges="IDEALPRO",
        market_rule_ids="239",
        agg_group=4,
        min_size=Decimal("0.01"),
        size_increment=Decimal("0.01"),
        suggested_size_increment=Decimal("1000"),
    )


_FUND = ("", "", "")
_DRINKS = ("Consumer, Non-cyclical", "Beverages", "Beverages-Non-alcoholic")
STOCKS: tuple[Security, ...] = (
    _stock(756733, "SPY", "ARCA", "SPDR S&P 500 ETF TRUST", "ETF", _FUND, "US78462F1030"),
    _stock(320227571, "QQQ", "NASDAQ", "INVESCO QQQ TRUST SERIES 1", "ETF", _FUND, "US46090E1038"),
    _stock(9579970, "IWM", "ARCA", "ISHARES RUSSELL 2000 ETF", "ETF", _FUND, "US4642876555"),
    _stock(265598, "AAPL", "NASDAQ", "APPLE INC", "COMMON", ("Technology", "Computers", "Computers"), "US0378331005"),
    _stock(
        10098,
        "BAC",
        "NYSE",
        "BANK OF AMERICA CORP",
        "COMMON",
        ("Financial", "Banks", "Diversified Banking Inst"),
        "US0605051046",
    ),
    _stock(8894, "KO", "NYSE", "COCA-COLA CO/THE", "COMMON", _DRINKS, "US1912161007"),
    _stock(11017, "PEP", "NASDAQ", "PEPSICO INC", "COMMON", _DRINKS, "US7134481081"),
    _stock(416854744, "USO", "ARCA", "UNITED STATES OIL FUND LP", "ETF", _FUND, "US91232N2071"),
    _stock(
        107113386,
        "FB",
        "NASDAQ",
        "META PLATFORMS INC",
        "COMMON",
        ("Communications", "Internet", "Social"),
        "US30303M1027",
    ),
    _stock(242500577, "VXX", "BATS", "IPATH SERIES B S&P 500 VIX", "ETN", _FUND, "US06748M1962"),
)


def default_master(market_day: str = "20131007") -> SecurityMaster:
    """Return the securities of the demo; the two futures are those in front on a day (``YYYYMMDD``)."""
    futures = tuple(
        _es(
            _ES_CON_ID + year * 100 + month,
            f"{year}{month:02d}",
            _third_friday(year, month),
            f"ES{_CODES[month]}{year % 10}",
            is_back_month=n > 0,
        )
        for n, (year, month) in enumerate(_front_months(market_day))
    )
    return SecurityMaster((*STOCKS, *futures, _forex(12087792, "EUR", "USD")))


_ES_CON_ID = 551_600_000
_CODES = {3: "H", 6: "M", 9: "U", 12: "Z"}


def _third_friday(year: int, month: int) -> str:
    first_weekday = date(year, month, 1).weekday()
    return f"{year}{month:02d}{15 + (4 - first_weekday) % 7:02d}"


def _front_months(market_day: str) -> list[tuple[int, int]]:
    year = int(market_day[:4])
    quarters = [(year + n, month) for n in (0, 1) for month in _CODES]
    return [quarter for quarter in quarters if _third_friday(*quarter) > market_day][:2]
