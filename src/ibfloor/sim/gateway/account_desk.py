"""The accounts on the wire: values, portfolio, positions, summary, profit and loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeVar

from ibfloor.model.ids import InstrumentId
from ibfloor.model.moment import NS_PER_MINUTE, NS_PER_S, to_datetime
from ibfloor.model.money import Currency
from ibfloor.sim.account import SimAccount, SimPosition
from ibfloor.sim.gateway.clock import EXCHANGE_TIME, SimClock
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec import responses as tell
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.contracts import contract_values
from ibfloor.sim.gateway.core import Broker
from ibfloor.sim.gateway.events import ZERO, Executed
from ibfloor.sim.gateway.marks import mark_of, rates_of, under_marks
from ibfloor.sim.gateway.session import NO_REQUEST, Session
from ibfloor.sim.gateway.values import eight_places, forget_session, number_of, text_of
from ibfloor.sim.market.source import Market

ACCOUNT_PERIOD_NS = 3 * NS_PER_MINUTE
"""Without a change of position, values are told this often."""
PNL_PERIOD_NS = NS_PER_S
_CENT = Decimal("0.01")
_LEDGER_KEYS = frozenset(
    {
        "Currency",
        "CashBalance",
        "TotalCashBalance",
        "NetLiquidationByCurrency",
        "StockMarketValue",
        "OptionMarketValue",
        "FuturesPNL",
        "UnrealizedPnL",
        "RealizedPnL",
        "ExchangeRate",
    }
)

AccountRow = tuple[str, str, str]
_Key = tuple[Session, int]
T = TypeVar("T")


class AccountDesk:
    """Answers what clients ask of the accounts, and keeps subscribers told. Owner: the gateway's thread."""

    def __init__(self, broker: Broker, market: Market, clock: SimClock) -> None:
        self._broker = broker
        self._market = market
        self._clock = clock
        self._updates: dict[Session, SimAccount] = {}
        self._positions: dict[Session, None] = {}
        self._multi_updates: dict[_Key, Values] = {}
        self._multi_positions: dict[_Key, Values] = {}
        self._summaries: dict[_Key, frozenset[str]] = {}
        self._pnl: dict[_Key, tuple[SimAccount, int | None]] = {}
        self._next_values_ns = self._next_pnl_ns = 0
        self.routes: dict[Table, Callable[[Session, Values], None]] = {
            ask.REQ_MANAGED_ACCOUNTS: self._accounts,
            ask.REQ_ACCOUNT_UPDATES: self._updates_request,
            ask.REQ_ACCOUNT_UPDATES_MULTI: self._updates_multi,
            ask.CANCEL_ACCOUNT_UPDATES_MULTI: self._ender(self._multi_updates),
            ask.REQ_ACCOUNT_SUMMARY: self._summary,
            ask.CANCEL_ACCOUNT_SUMMARY: self._ender(self._summaries),
            ask.REQ_POSITIONS: self._positions_request,
            ask.CANCEL_POSITIONS: lambda session, _: self._positions.pop(session, None),
            ask.REQ_POSITIONS_MULTI: self._positions_multi,
            ask.CANCEL_POSITIONS_MULTI: self._ender(self._multi_positions),
            ask.REQ_PNL: self._pnl_request,
            ask.CANCEL_PNL: self._ender(self._pnl),
            ask.REQ_PNL_SINGLE: self._pnl_single,
            ask.CANCEL_PNL_SINGLE: self._ender(self._pnl),
        }

    def drop(self, session: Session) -> None:
        """Forget a session's subscriptions."""
        self._updates.pop(session, None)
        self._positions.pop(session, None)
        forget_session(self._multi_updates, session)
        forget_session(self._multi_positions, session)
        forget_session(self._summaries, session)
        forget_session(self._pnl, session)

    def on_executed(self, event: Executed) -> None:
        """Tell subscribers of positions and portfolios at once; the rest of the values follow soon."""
        instrument_id = event.execution.instrument.instrument_id
        self._tell_moved(self._broker.account_of(event.order.ticket.account), instrument_id)

    def on_position(self, instrument_id: InstrumentId) -> None:
        """Tell subscribers how a position stands, in every account that has it."""
        for account in self._broker.accounts.values():
            if account.position(instrument_id) is not None:
                self._tell_moved(account, instrument_id)

    def _tell_moved(self, account: SimAccount, instrument_id: InstrumentId) -> None:
        position = account.position(instrument_id)
        assert position is not None, "what moved is a position, flat or not"
        for session in self._positions:
            self._tell_position(session, account, position)
        for (session, req_id), values in self._multi_positions.items():
            if account in self._meant(values):
                self._tell_position_multi(session, req_id, values, account, position)
        for session, watched in self._updates.items():
            if watched is account:
                self._tell_portfolio(session, account, position)
        self._next_values_ns = self._next_pnl_ns = 0

    def on_time(self, now_ns: int) -> None:
        """Tell subscribers what is due: values every three market minutes, P&L every second."""
        if now_ns >= self._next_values_ns:
            self._next_values_ns = now_ns + ACCOUNT_PERIOD_NS
            self._tell_all_values()
        if now_ns >= self._next_pnl_ns:
            self._next_pnl_ns = now_ns + PNL_PERIOD_NS
            for (session, req_id), (account, con_id) in self._pnl.items():
                self._tell_pnl(session, req_id, account, con_id)

    # -- answers

    def _accounts(self, session: Session, _values: Values) -> None:
        session.send(tell.MANAGED_ACCOUNTS, accounts=",".join(self._broker.accounts))

    def _updates_request(self, session: Session, values: Values) -> None:
        if not values["subscribe"]:
            self._updates.pop(session, None)
        elif self._knows_account(session, NO_REQUEST, values):
            account = self._updates[session] = self._meant(values)[0]
            self._tell_account(session, account, self._values(account))
            session.send(tell.ACCOUNT_DOWNLOAD_END, account=account.account)

    def _updates_multi(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        if self._knows_account(session, req_id, values):
            self._multi_updates[session, req_id] = values
            for account in self._meant(values):
                self._tell_values_multi(session, req_id, values, account, self._values(account))
            session.send(tell.ACCOUNT_UPDATE_MULTI_END, req_id=req_id)

    def _summary(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        tags = frozenset(tag.strip() for tag in text_of(values, "tags").split(",") if tag.strip())
        if not tags:
            session.fail(req_id, 321, "Error validating request.-'cd' : cause - The summary needs at least one tag.")
            return
        self._summaries[session, req_id] = tags
        for account in self._broker.accounts.values():
            self._tell_summary(session, req_id, tags, account, self._values(account))
        session.send(tell.ACCOUNT_SUMMARY_END, req_id=req_id)

    def _positions_request(self, session: Session, _values: Values) -> None:
        self._positions[session] = None
        for account in self._broker.accounts.values():
            for position in _held(account):
                self._tell_position(session, account, position)
        session.send(tell.POSITION_END)

    def _positions_multi(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        if self._knows_account(session, req_id, values):
            self._multi_positions[session, req_id] = values
            for account in self._meant(values):
                for position in _held(account):
                    self._tell_position_multi(session, req_id, values, account, position)
            session.send(tell.POSITION_MULTI_END, req_id=req_id)

    def _pnl_request(self, session: Session, values: Values) -> None:
        self._subscribe_pnl(session, values, None)

    def _pnl_single(self, session: Session, values: Values) -> None:
        self._subscribe_pnl(session, values, number_of(values, "con_id"))

    def _subscribe_pnl(self, session: Session, values: Values, con_id: int | None) -> None:
        req_id = number_of(values, "req_id")
        if self._knows_account(session, req_id, values):
            account = self._meant(values)[0]
            self._pnl[session, req_id] = (account, con_id)
            self._tell_pnl(session, req_id, account, con_id)

    def _ender(self, subscriptions: dict[_Key, T]) -> Callable[[Session, Values], None]:
        def end(session: Session, values: Values) -> None:
            subscriptions.pop((session, number_of(values, "req_id")), None)

        return end

    def _knows_account(self, session: Session, req_id: int, values: Values) -> bool:
        if text_of(values, "account") in ("", "All", *self._broker.accounts):
            return True
        session.fail(req_id, 321, "Error validating request.-'bG' : cause - Invalid account code")
        return False

    def _meant(self, values: Values) -> list[SimAccount]:
        # a request that names no account means all, where it can, else the first
        named = self._broker.accounts.get(text_of(values, "account"))
        return list(self._broker.accounts.values()) if named is None else [named]

    # -- what is told

    def _tell_all_values(self) -> None:
        if not (self._updates or self._multi_updates or self._summaries):
            return
        for account in self._broker.accounts.values():
            rows = self._values(account)
            for session, watched in self._updates.items():
                if watched is account:
                    self._tell_account(session, account, rows)
            for (session, req_id), values in self._multi_updates.items():
                if account in self._meant(values):
                    self._tell_values_multi(session, req_id, values, account, rows)
            for (session, req_id), tags in self._summaries.items():
                self._tell_summary(session, req_id, tags, account, rows)

    def _tell_account(self, session: Session, account: SimAccount, rows: list[AccountRow]) -> None:
        for key, value, currency in rows:
            session.send(tell.ACCOUNT_VALUE, key=key, value=value, currency=currency, account=account.account)
        for position in _held(account):
            self._tell_portfolio(session, account, position)
        self._tell_time(session)

    def _tell_values_multi(
        self, session: Session, req_id: int, values: Values, account: SimAccount, rows: list[AccountRow]
    ) -> None:
        for key, value, currency in rows:
            if not values["ledger_and_nlv"] or key in _LEDGER_KEYS or key == "NetLiquidation":
                session.send(
                    tell.ACCOUNT_UPDATE_MULTI,
                    req_id=req_id,
                    account=account.account,
                    model=text_of(values, "model"),
                    key=key,
                    value=value,
                    currency=currency,
                )

    def _tell_summary(
        self, session: Session, req_id: int, tags: frozenset[str], account: SimAccount, rows: list[AccountRow]
    ) -> None:
        for key, value, currency in rows:
            if _is_summed(key, currency, tags):
                session.send(
                    tell.ACCOUNT_SUMMARY,
                    req_id=req_id,
                    account=account.account,
                    tag=key,
                    value=value,
                    currency=currency,
                )

    def _tell_time(self, session: Session) -> None:
        session.send(tell.ACCOUNT_TIME, time=f"{to_datetime(self._clock.now_ns(), EXCHANGE_TIME):%H:%M}")

    def _tell_portfolio(self, session: Session, account: SimAccount, position: SimPosition) -> None:
        mark = self._mark(position)
        session.send_values(
            tell.PORTFOLIO_VALUE,
            {
                **contract_values(position.instrument),
                "position": position.qty,
                "market_price": mark,
                "market_value": position.market_value(mark).quantize(_CENT),
                "average_cost": eight_places(position.avg_cost),
                "unrealized_pnl": position.unrealised_pnl(mark).quantize(_CENT),
                "realized_pnl": position.realised_pnl.quantize(_CENT),
                "account": account.account,
            },
        )

    def _tell_position(self, session: Session, account: SimAccount, position: SimPosition) -> None:
        session.send_values(tell.POSITION, _position_values(account, position))

    def _tell_position_multi(
        self, session: Session, req_id: int, values: Values, account: SimAccount, position: SimPosition
    ) -> None:
        told = {**_position_values(account, position), "req_id": req_id, "model": text_of(values, "model")}
        session.send_values(tell.POSITION_MULTI, told)

    def _tell_pnl(self, session: Session, req_id: int, account: SimAccount, con_id: int | None) -> None:
        positions = account.positions
        if con_id is not None:
            positions = tuple(one for one in positions if one.instrument.instrument_id == con_id)
        # the account's is in its base currency, without what has no rate; a position's in its own
        rates = rates_of(self._market, account.base_currency) if con_id is None else None
        rated = [(one, _rate(one, rates)) for one in positions]
        unrealised = sum((rate * one.unrealised_pnl(self._mark(one)) for one, rate in rated), ZERO).quantize(_CENT)
        realised = sum((rate * one.realised_pnl for one, rate in rated), ZERO).quantize(_CENT)
        told: Values = {
            "req_id": req_id,
            "daily": unrealised + realised,
            "unrealized": unrealised,
            "realized": realised,
        }
        if con_id is None:
            session.send_values(tell.PNL, told)
            return
        value = sum((one.market_value(self._mark(one)) for one in positions), ZERO).quantize(_CENT)
        qty = sum((one.qty for one in positions), ZERO)
        session.send_values(tell.PNL_SINGLE, {**told, "position": qty, "value": value})

    def _values(self, account: SimAccount) -> list[AccountRow]:
        held = account.positions
        marks = {position.instrument.instrument_id: self._mark(position) for position in held}
        return account.values(marks, rates_of(self._market, account.base_currency), under_marks(self._market, held))

    def _mark(self, position: SimPosition) -> Decimal:
        mark = mark_of(self._market, position.instrument.instrument_id)
        return position.last_px if mark is None else mark


def _rate(position: SimPosition, rates: Mapping[Currency, Decimal] | None) -> Decimal:
    return Decimal(1) if rates is None else rates.get(position.instrument.currency, ZERO)


def _held(account: SimAccount) -> list[SimPosition]:
    return [position for position in account.positions if position.qty]


def _position_values(account: SimAccount, position: SimPosition) -> Values:
    return {
        **contract_values(position.instrument),
        "exchange": "",
        "account": account.account,
        "position": position.qty,
        "avg_cost": eight_places(position.avg_cost),
    }


def _is_summed(key: str, currency: str, tags: frozenset[str]) -> bool:
    if key in _LEDGER_KEYS:
        return "$LEDGER:ALL" in tags or ("$LEDGER" in tags and currency == "BASE") or f"$LEDGER:{currency}" in tags
    return key in tags or "All" in tags
