"""Options on the wire: chains, and what the model says of one option, once or with its quotes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ibfloor.model.ids import InstrumentId
from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.exchange.values import MarketTick
from ibfloor.sim.gateway.clock import SimClock
from ibfloor.sim.gateway.codec import research_requests as study
from ibfloor.sim.gateway.codec import research_responses as found
from ibfloor.sim.gateway.codec.kinds import Scalar, Values, number_text
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.contracts import one_security
from ibfloor.sim.gateway.marks import mark_of
from ibfloor.sim.gateway.option_model import OptionTerms, is_option, option_terms
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.gateway.values import forget_session, number_of, text_of
from ibfloor.sim.market.securities import Security
from ibfloor.sim.market.source import Market

SAMPLE_NS = NS_PER_S
"""What the model says of a subscribed option changes at most this often, in market time."""
_BID, _ASK, _LAST, _MODEL, _ASKED = 10, 11, 12, 13, 53
_ON_PRICES = 1
"""The attribute of a computation that stands on prices, not on returns."""
_NO_OPTION = (321, "Error validating request.-'bP' : cause - The contract is not an option.")
_NO_INPUT = (321, "Error validating request.-'bP' : cause - Prices and volatility must be greater than zero.")

_Key = tuple[Session, int]


class OptionDesk:
    """Answers what clients ask of options. Owner: the gateway's one thread."""

    def __init__(self, market: Market, clock: SimClock) -> None:
        self._market = market
        self._clock = clock
        self.routes: dict[Table, Callable[[Session, Values], None]] = {
            study.REQ_SEC_DEF_OPT_PARAMS: self._chains,
            study.CALC_IMPLIED_VOLATILITY: self._volatility,
            study.CALC_OPTION_PRICE: self._price,
        }

    def drop(self, session: Session) -> None:
        """Forget a session: nothing is kept here."""

    # -- chains

    def _chains(self, session: Session, values: Values) -> None:
        req_id, under_con_id = number_of(values, "req_id"), number_of(values, "con_id")
        if self._market.master.by_id(InstrumentId(under_con_id)) is None:
            session.fail(req_id, 321, "Error validating request.-'cF' : cause - Invalid contract id")
            return
        venue = text_of(values, "exchange")
        chains: dict[tuple[str, str, str], list[Security]] = {}
        for security in self._market.master:
            if security.under_con_id == under_con_id and is_option(security):
                multiplier = number_text(security.instrument.multiplier)
                for exchange in security.valid_exchanges.split(","):
                    if venue in ("", exchange):
                        chains.setdefault((exchange, security.trading_class, multiplier), []).append(security)
        for (exchange, trading_class, multiplier), options in chains.items():
            strikes = {option.instrument.contract.strike or Decimal(0) for option in options}
            session.send(
                found.OPT_PARAMS,
                req_id=req_id,
                exchange=exchange,
                under_con_id=under_con_id,
                trading_class=trading_class,
                multiplier=multiplier,
                expirations=[{"expiry": day} for day in sorted({option.last_trade_day for option in options})],
                strikes=[{"strike": strike} for strike in sorted(strikes)],
            )
        session.send(found.OPT_PARAMS_END, req_id=req_id)

    # -- the model, asked

    def _volatility(self, session: Session, values: Values) -> None:
        self._compute(session, values, "option_px", OptionTerms.given_price)

    def _price(self, session: Session, values: Values) -> None:
        self._compute(session, values, "volatility", OptionTerms.given_volatility)

    def _compute(
        self,
        session: Session,
        values: Values,
        name: str,
        answer: Callable[[OptionTerms, float, float], dict[str, float]],
    ) -> None:
        req_id = number_of(values, "req_id")
        security = one_security(session, req_id, self._market.master, values)
        if security is None:
            return
        terms = option_terms(security, self._clock.now_ns())
        given, under_px = values.get(name), values.get("under_px")
        if terms is None:
            session.fail(req_id, *_NO_OPTION)
        elif not (isinstance(given, Decimal) and isinstance(under_px, Decimal) and _sound(given) and _sound(under_px)):
            session.fail(req_id, *_NO_INPUT)
        else:
            _send(session, req_id, _ASKED, answer(terms, float(given), float(under_px)))


class OptionWatch:
    """Follows the options whose quotes are subscribed. Owner: the market desk."""

    def __init__(self, market: Market, clock: SimClock) -> None:
        self._market = market
        self._clock = clock
        self._watched: dict[_Key, Security] = {}
        self._moved: set[int] = set()
        self._next_ns = 0

    def start(self, session: Session, req_id: int, security: Security, *, once: bool) -> None:
        """Tell what the model says of an option, and go on doing so unless it is asked once; others pass."""
        if is_option(security):
            self._tell(session, req_id, security)
            if not once:
                self._watched[session, req_id] = security

    def end(self, session: Session, req_id: int) -> None:
        """Forget a subscription, of an option or not."""
        self._watched.pop((session, req_id), None)

    def drop(self, session: Session) -> None:
        """Forget a session's subscriptions."""
        forget_session(self._watched, session)

    def on_tick(self, tick: MarketTick) -> None:
        """Remember that an instrument moved."""
        if self._watched:
            self._moved.add(tick.instrument_id)

    def on_time(self, now_ns: int) -> None:
        """Tell the options that moved, or whose underlying did."""
        if self._moved and now_ns >= self._next_ns:
            self._next_ns = now_ns + SAMPLE_NS
            moved, self._moved = self._moved, set()
            for (session, req_id), security in self._watched.items():
                if not moved.isdisjoint((security.instrument_id, security.under_con_id)):
                    self._tell(session, req_id, security)

    def _tell(self, session: Session, req_id: int, security: Security) -> None:
        terms = option_terms(security, self._clock.now_ns())
        under = mark_of(self._market, InstrumentId(security.under_con_id)) if security.under_con_id else None
        top, last = self._market.top(security.instrument_id), self._market.last_print(security.instrument_id)
        if terms is None or under is None or under <= 0:
            return
        bid, ask_px = (None, None) if top is None else (top.bid_px, top.ask_px)
        middle = (bid + ask_px) / 2 if bid and ask_px else None
        for kind, px in ((_BID, bid), (_ASK, ask_px), (_LAST, last.px if last else None), (_MODEL, middle)):
            if px:
                _send(session, req_id, kind, terms.given_price(float(px), float(under)))


def _send(session: Session, req_id: int, kind: int, computed: dict[str, float]) -> None:
    told: dict[str, Scalar] = {"req_id": req_id, "type": kind, "attributes": _ON_PRICES}
    session.send_values(found.OPTION_COMPUTATION, {**told, **{name: round(n, 10) for name, n in computed.items()}})


def _sound(number: Decimal) -> bool:
    return number.is_finite() and Decimal("0.000001") <= number <= Decimal(10) ** 9
