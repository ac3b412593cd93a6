"""IB's Flex Query reports (XML): the executions, positions and cash they tell of, as values.

A report names its data in attributes; which of them are there, the query decides. Read here:
``Trade`` (executions alone), ``OpenPosition`` and ``CashTransaction`` of every ``FlexStatement``.
"""

from __future__ import annotations

import re
import xml.parsers.expat as expat  # a file with a DOCTYPE is refused, so that no entity can grow
from datetime import date, datetime, time, tzinfo
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec

from ibfloor.model.errors import ConfigError
from ibfloor.model.moment import from_datetime

REPORT_BYTES_MAX = 256 * 1024 * 1024
_TIME = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)[;,T ]*(?:(\d\d):?(\d\d):?(\d\d))?\s*(?:[A-Z]{2,5})?")
_WANTED = frozenset({"Trade", "OpenPosition", "CashTransaction"})


class FlexTrade(msgspec.Struct, frozen=True, kw_only=True):
    """One execution, as the report has it."""

    account: str
    exec_id: str
    perm_id: int
    order_ref: str
    con_id: int
    security_type: str
    symbol: str
    underlying: str
    expiry: str
    strike: str
    right: str
    is_buy: bool
    qty: Decimal
    px: Decimal
    currency: str
    multiplier: Decimal
    fee: Decimal
    fee_currency: str
    ts_ns: int
    trade_id: str = ""
    underlying_con_id: int = 0
    codes: tuple[str, ...] = ()
    """IB's codes of what kind of trade it is: A assigned, Ex exercised, Ep expired, Ca canceled."""


class FlexPosition(msgspec.Struct, frozen=True, kw_only=True):
    """What the report says is held of one contract."""

    con_id: int
    symbol: str
    qty: Decimal


class FlexCash(msgspec.Struct, frozen=True, kw_only=True):
    """Money that came or went without a trade."""

    kind: str
    amount: Decimal
    currency: str
    description: str
    con_id: int = 0
    transaction_id: str = ""
    ts_ns: int | None = None
    ex_ns: int | None = None
    """When the stock began to trade without it, where the report says so."""


class FlexReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that is read of a report."""

    accounts: tuple[str, ...]
    trades: tuple[FlexTrade, ...]
    positions: tuple[FlexPosition, ...]
    cash: tuple[FlexCash, ...]
    endings: tuple[FlexTrade, ...]
    """Options that were exercised, assigned or expired, and what was delivered for them."""
    cancels: tuple[FlexTrade, ...]
    """Trades that were taken back, as the trade that undoes each."""
    unread: tuple[str, ...]
    """Trades of no kind that is known here."""


def read_report(path: Path, zone: tzinfo) -> FlexReport:
    """Read a report; ``zone`` is that of its times. Raises ``ConfigError`` with what is wrong and where."""
    if path.stat().st_size > REPORT_BYTES_MAX:
        raise ConfigError(f"{path} is larger than {REPORT_BYTES_MAX} bytes: ask for a shorter period")
    reader = _Reader(path, zone)
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.StartDoctypeDeclHandler = reader.refuse_doctype
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        raise ConfigError(f"{path} is not a Flex report in XML ({error}): choose XML as the query's format") from error
    return reader.report()


class _Reader:
    def __init__(self, path: Path, zone: tzinfo) -> None:
        self._path = path
        self._zone = zone
        self._accounts: list[str] = []
        self._trades: list[FlexTrade] = []
        self._positions: list[FlexPosition] = []
        self._cash: list[FlexCash] = []
        self._endings: list[FlexTrade] = []
        self._cancels: list[FlexTrade] = []
        self._unread: list[str] = []
        self._is_flex = False

    def start(self, name: str, values: dict[str, str]) -> None:
        if name == "FlexQueryResponse":
            self._is_flex = True
        elif name == "FlexStatement":
            self._accounts.append(values.get("accountId", ""))
        elif name in _WANTED:
            self._accounts.append(values.get("accountId") or (self._accounts[-1] if self._accounts else ""))
            getattr(self, f"_take_{name.lower()}")(values)

    def refuse_doctype(self, *_: object) -> None:
        raise ConfigError(f"{self._path} declares a document type: no Flex report does, so it is not read")

    def report(self) -> FlexReport:
        if not self._is_flex:
            raise ConfigError(f"{self._path} is XML, but no Flex report: it has no FlexQueryResponse")
        return FlexReport(
            accounts=tuple(sorted({account for account in self._accounts if account})),
            trades=tuple(self._trades),
            positions=tuple(self._positions),
            cash=tuple(self._cash),
            endings=tuple(self._endings),
            cancels=tuple(self._cancels),
            unread=tuple(self._unread),
        )

    def _take_trade(self, values: dict[str, str]) -> None:
        if values.get("levelOfDetail", "EXECUTION") not in ("EXECUTION", ""):
            return  # orders, summaries and lots say the same again
        exec_id = values.get("ibExecID", "")
        what = f"{values.get('buySell', '?')} {values.get('quantity', '?')} {values.get('symbol', '?')}"
        codes = tuple(values.get("notes", "").split(";"))
        if values.get("transactionType", "ExchTrade") == "TradeCancel" or "Ca" in codes:
            self._cancels.append(self._trade(values, exec_id, codes))
        elif {"A", "Ex", "Ep"} & set(codes) and not exec_id:
            self._endings.append(self._trade(values, exec_id, codes))
        elif exec_id:
            self._trades.append(self._trade(values, exec_id, codes))
        else:
            self._unread.append(f"{what}: no ibExecID ({values.get('transactionType', 'unknown kind')})")

    def _trade(self, values: dict[str, str], exec_id: str, codes: tuple[str, ...]) -> FlexTrade:
        commission_currency = values.get("ibCommissionCurrency") or self._text(values, "currency")
        fee = -self._number(values, "ibCommission", Decimal(0))
        if commission_currency == values.get("currency"):
            fee -= self._number(values, "taxes", Decimal(0))
        return FlexTrade(
            account=self._accounts[-1],
            exec_id=exec_id,
            perm_id=int(self._number(values, "ibOrderID", Decimal(0))),
            order_ref=values.get("orderReference", ""),
            con_id=int(self._number(values, "conid")),
            security_type=values.get("assetCategory", ""),
            symbol=values.get("symbol", ""),
            underlying=values.get("underlyingSymbol", ""),
            expiry=values.get("expiry", "").replace("-", ""),
            strike=values.get("strike", ""),
            right=values.get("putCall", ""),
            is_buy=self._text(values, "buySell").upper().startswith("B"),
            qty=abs(self._number(values, "quantity")),
            px=self._number(values, "tradePrice"),
            currency=self._text(values, "currency"),
            multiplier=self._number(values, "multiplier", Decimal(1)),
            fee=fee,
            fee_currency=commission_currency,
            ts_ns=self._time(values),
            trade_id=values.get("tradeID", ""),
            underlying_con_id=int(self._number(values, "underlyingConid", Decimal(0))),
            codes=codes,
        )

    def _take_openposition(self, values: dict[str, str]) -> None:
        if values.get("levelOfDetail", "SUMMARY") in ("SUMMARY", ""):
            qty = self._number(values, "position")
            con_id = int(self._number(values, "conid"))
            self._positions.append(FlexPosition(con_id=con_id, symbol=values.get("symbol", ""), qty=qty))

    def _take_cashtransaction(self, values: dict[str, str]) -> None:
        if values.get("levelOfDetail", "DETAIL") in ("DETAIL", ""):
            self._cash.append(
                FlexCash(
                    kind=values.get("type", ""),
                    amount=self._number(values, "amount"),
                    currency=self._text(values, "currency"),
                    description=values.get("description", ""),
                    con_id=int(self._number(values, "conid", Decimal(0))),
                    transaction_id=values.get("transactionID", ""),
                    ts_ns=self._day_or_time(values, "dateTime", time(23, 59, 59)),
                    ex_ns=self._day_or_time(values, "exDate", time.min),
                )
            )

    def _text(self, values: dict[str, str], name: str) -> str:
        if not values.get(name):
            raise self._unfit(values, name, "is missing: add the field to the query")
        return values[name]

    def _number(self, values: dict[str, str], name: str, default: Decimal | None = None) -> Decimal:
        text = values.get(name, "").replace(",", "")
        if not text and default is not None:
            return default
        try:
            number = Decimal(self._text(values, name).replace(",", ""))
        except InvalidOperation:
            raise self._unfit(values, name, f"is {text!r}, and a number is needed") from None
        if not number.is_finite():
            raise self._unfit(values, name, f"is {text!r}, and a number is needed")
        return number

    def _time(self, values: dict[str, str]) -> int:
        text = values.get("dateTime") or values.get("tradeDate", "") + ";" + values.get("tradeTime", "")
        found = _TIME.fullmatch(text.strip())
        if found is None or found[4] is None:
            raise self._unfit(values, "dateTime", f"is {text!r}: choose yyyyMMdd and HHmmss in the query")
        try:
            return from_datetime(datetime(*(int(part) for part in found.groups()), tzinfo=self._zone))  # type: ignore[arg-type, misc]
        except ValueError:
            raise self._unfit(values, "dateTime", f"is {text!r}, and there is no such time") from None

    def _day_or_time(self, values: dict[str, str], name: str, at: time) -> int | None:
        found = _TIME.fullmatch(values.get(name, "").strip())
        if found is None:
            return None
        parts = [int(part) for part in found.groups() if part is not None]
        try:
            if len(parts) == 3:
                return from_datetime(datetime.combine(date(*parts), at, self._zone))
            return from_datetime(datetime(*parts, tzinfo=self._zone))  # type: ignore[arg-type, misc]
        except ValueError:
            raise self._unfit(values, name, f"is {values[name]!r}, and there is no such time") from None

    def _unfit(self, values: dict[str, str], name: str, why: str) -> ConfigError:
        which = values.get("ibExecID") or values.get("conid") or values.get("transactionID") or "?"
        return ConfigError(f"{self._path}: {name} of {which} {why}")
