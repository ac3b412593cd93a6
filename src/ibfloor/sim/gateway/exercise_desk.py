"""Exercise of options that a client holds, at once; letting one lapse by hand is not served."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ibfloor.model.ids import InstrumentId
from ibfloor.sim.gateway.clock import SimClock
from ibfloor.sim.gateway.codec import research_requests as study
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.contracts import one_security
from ibfloor.sim.gateway.core import Broker
from ibfloor.sim.gateway.lifecycle import Lifecycle
from ibfloor.sim.gateway.marks import mark_of
from ibfloor.sim.gateway.option_model import is_option
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.gateway.values import number_of, text_of
from ibfloor.sim.market.securities import Security
from ibfloor.sim.market.source import Market

_EXERCISE = 1
_REFUSED = "Error processing request.-'bK' : cause - "


class ExerciseDesk:
    """Answers requests to exercise. Owner: the gateway's one thread."""

    def __init__(self, broker: Broker, lifecycle: Lifecycle, market: Market, clock: SimClock) -> None:
        self._broker = broker
        self._lifecycle = lifecycle
        self._market = market
        self._clock = clock
        self.routes: dict[Table, Callable[[Session, Values], None]] = {study.EXERCISE_OPTIONS: self._exercise}

    def drop(self, session: Session) -> None:
        """Forget a session: nothing is kept here."""

    def _exercise(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        option = one_security(session, req_id, self._market.master, values)
        if option is None:
            return
        flaw = self._flaw(option, values)
        if flaw:
            session.fail(req_id, 322, f"{_REFUSED}{flaw}")
            return
        account = self._broker.account_of(text_of(values, "account"))
        self._lifecycle.exercise_option(
            account, option, Decimal(number_of(values, "exercise_qty")), self._clock.now_ns()
        )

    def _flaw(self, option: Security, values: Values) -> str:
        name, qty = text_of(values, "account"), number_of(values, "exercise_qty")
        if name not in ("", *self._broker.accounts):
            return "The account code is invalid."
        if not is_option(option):
            return "The contract is not an option."
        if number_of(values, "exercise_action") != _EXERCISE:
            return "Only exercise is supported by this gateway; an option lapses by itself."
        position = self._broker.account_of(name).position(option.instrument_id)
        if qty <= 0 or position is None or position.qty < qty:
            return "There is no long position of that size in the option."
        if not number_of(values, "override") and not self._is_in_the_money(option):
            return "The option is not in the money; the request must override that."
        return ""

    def _is_in_the_money(self, option: Security) -> bool:
        contract = option.instrument.contract
        px = mark_of(self._market, InstrumentId(option.under_con_id))
        if px is None or contract.strike is None:
            return False
        return px > contract.strike if contract.right.startswith("C") else px < contract.strike
