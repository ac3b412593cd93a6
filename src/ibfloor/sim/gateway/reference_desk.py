"""What the gateway knows of contracts and of itself: details, symbols, rules, the time."""

from __future__ import annotations

from collections.abc import Callable

from ibfloor.model.instrument import SecurityType
from ibfloor.sim.gateway.clock import SimClock
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec import research_requests as study
from ibfloor.sim.gateway.codec import research_responses as found
from ibfloor.sim.gateway.codec import responses as tell
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.contracts import UNKNOWN_CONTRACT, details_values, match_contract
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.gateway.values import number_of, text_of
from ibfloor.sim.market.securities import SecurityMaster
from ibfloor.sim.market.source import Market

BBO_EXCHANGE = "9c0001"
"""The one code under which best quotes name their exchanges."""
_LETTERS = "ANPZQIJVKYHMXB"
_SAMPLES_MAX = 16


class ReferenceDesk:
    """Answers requests that only look something up. Owner: the gateway's one thread."""

    def __init__(self, market: Market, clock: SimClock) -> None:
        self._market = market
        self._clock = clock
        self.routes: dict[Table, Callable[[Session, Values], None]] = {
            ask.REQ_CURRENT_TIME: self._time,
            ask.REQ_CURRENT_TIME_MILLIS: self._time_millis,
            ask.REQ_CONTRACT_DETAILS: self._details,
            ask.REQ_MATCHING_SYMBOLS: self._symbols,
            ask.REQ_MARKET_RULE: self._market_rule,
            study.REQ_SOFT_DOLLAR_TIERS: _ended(found.SOFT_DOLLAR_TIERS),
            study.REQ_FAMILY_CODES: self._family_codes,
            study.REQ_SMART_COMPONENTS: self._smart_components,
            study.REQ_DEPTH_EXCHANGES: self._depth_exchanges,
            study.REQ_NEWS_PROVIDERS: _ended(found.NEWS_PROVIDERS),
            study.REQ_HISTORICAL_NEWS: _ended(found.HISTORICAL_NEWS_END),
            study.REQ_USER_INFO: _ended(found.USER_INFO),
        }

    def drop(self, session: Session) -> None:
        """Forget a session: nothing is kept here."""

    def _time(self, session: Session, _values: Values) -> None:
        session.send(tell.CURRENT_TIME, time_s=self._clock.now_ns() // 1_000_000_000)

    def _time_millis(self, session: Session, _values: Values) -> None:
        session.send(tell.CURRENT_TIME_MILLIS, time_ms=self._clock.now_ns() // 1_000_000)

    def _details(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        found = match_contract(self._market.master, values)
        if not found:
            session.fail(req_id, *UNKNOWN_CONTRACT)
            return
        for security in found:
            exchange = text_of(values, "exchange") or security.instrument.exchange
            told = details_values(security, exchange, self._clock.now_ns())
            session.send_values(tell.CONTRACT_DETAILS, {**told, "req_id": req_id})
        session.send(tell.CONTRACT_DETAILS_END, req_id=req_id)

    def _symbols(self, session: Session, values: Values) -> None:
        pattern = text_of(values, "pattern").strip().upper()
        found = [
            security
            for security in self._market.master
            if pattern and (security.symbol.startswith(pattern) or pattern in security.instrument.long_name.upper())
        ]
        rows: list[Values] = [
            {
                "con_id": security.instrument_id,
                "symbol": security.symbol,
                "sec_type": security.instrument.contract.security_type,
                "primary_exchange": security.instrument.primary_exchange,
                "currency": security.instrument.currency,
                "description": security.instrument.long_name,
            }
            for security in found[:_SAMPLES_MAX]
        ]
        session.send(tell.SYMBOL_SAMPLES, req_id=number_of(values, "req_id"), contracts=rows)

    def _market_rule(self, session: Session, values: Values) -> None:
        rule_id = number_of(values, "rule_id")
        rule = self._market.master.market_rule(rule_id)
        if rule is not None:
            steps: list[Values] = [{"low_edge": edge, "increment": step} for edge, step in rule.steps]
            session.send(tell.MARKET_RULE, rule_id=rule_id, increments=steps)
            return
        session.fail(-1, 321, f"Error validating request.-'cv' : cause - Market rule {rule_id} is not known.")

    def _family_codes(self, session: Session, _values: Values) -> None:
        session.send(found.FAMILY_CODES, codes=[{"account": "*", "code": ""}])

    def _smart_components(self, session: Session, values: Values) -> None:
        venues = _stock_venues(self._market.master) if text_of(values, "bbo_exchange") == BBO_EXCHANGE else []
        rows: list[Values] = [
            {"bit": bit, "exchange": venue, "letter": _LETTERS[bit % len(_LETTERS)]} for bit, venue in enumerate(venues)
        ]
        session.send(found.SMART_COMPONENTS, req_id=number_of(values, "req_id"), components=rows)

    def _depth_exchanges(self, session: Session, _values: Values) -> None:
        known: dict[tuple[str, str], int] = {}
        for security in self._market.master:
            kind = security.instrument.contract.security_type
            for venue in security.valid_exchanges.split(","):
                if kind is not SecurityType.INDEX and venue != "SMART":
                    known.setdefault((venue, kind), security.agg_group)
        rows: list[Values] = [
            {"exchange": venue, "sec_type": kind, "service": "Deep", "agg_group": group}
            for (venue, kind), group in sorted(known.items())
        ]
        session.send(found.DEPTH_EXCHANGES, exchanges=rows)


def _stock_venues(master: SecurityMaster) -> list[str]:
    stocks = (one for one in master if one.instrument.contract.security_type is SecurityType.STOCK)
    return list(dict.fromkeys(venue for one in stocks for venue in one.valid_exchanges.split(",") if venue != "SMART"))


def _ended(message: Table) -> Callable[[Session, Values], None]:
    def answer(session: Session, values: Values) -> None:
        session.send(message, req_id=number_of(values, "req_id"))

    return answer
