"""Watches losses: a strategy that lost too much may only reduce and is stopped, an account is killed.

Owner: the queue's thread, which tells it of every valuation and every fact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from decimal import Decimal
from typing import Protocol

import structlog

from ibfloor.manager.account_board import AccountBoard
from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.fact import AnyFact, KillLatched, KillReset
from ibfloor.model.ids import UNASSIGNED, StrategyId
from ibfloor.model.kill import ACCOUNT
from ibfloor.model.moment import NS_PER_S, Clock, to_datetime
from ibfloor.model.risk_fact import ACCOUNT_BOOK, Restraint, RestrictionLifted, TradingRestricted
from ibfloor.portfolio.performance import Performance
from ibfloor.portfolio.valuation import Valuation
from ibfloor.risk.limits import AccountLimits
from ibfloor.risk.losses import Breach, LossBook, Losses, breach_of
from ibfloor.risk.margin import AccountFigures
from ibfloor.risk.memory import LOSS_RULES

ACTOR = "loss guard"
"""Who kills an account that has lost too much."""
HOLD = "losses"
BLIND_S = 10
"""Market seconds for which the account's losses may be unknown before entries are held."""

OnValued = Callable[[Mapping[StrategyId, Valuation], Valuation], None]

log = structlog.get_logger("losses")


class Performing(Protocol):
    """Who values the books, and knows the account's curve."""

    performance: Performance | None
    on_valued: OnValued


class Acts(Protocol):
    """What follows from losses; called on the queue's thread."""

    def stop(self, name: StrategyId) -> None:
        """Stop a strategy by its stop policy."""

    def kill(self, text: str) -> None:
        """Halt the account."""


class LossGuard:
    """Measures results against limits; what it finds is a fact, and holds at once."""

    def __init__(
        self,
        state: FloorState,
        gate: SharedGate,
        board: AccountBoard,
        clock: Clock,
        portfolio: Performing,
        put: Callable[[AnyFact], None],
        *,
        tz: tzinfo,
    ) -> None:
        self._state = state
        self._gate = gate
        self._board = board
        self._clock = clock
        self._portfolio = portfolio
        self._tz = tz
        self._put = put
        self.acts: Acts | None = None
        """Set before the first strategy starts."""
        self._books: dict[StrategyId, LossBook] = {}
        self._blind_since_ns: int | None = None
        self._is_held = False
        self._is_killing = False
        # What the ledger forgets with the fact that lifts it, and what says whether a loss is forgiven with it.
        self._losing = set(state.risk.losing)
        self._has_killed = self._killed_by_us()
        portfolio.on_valued = self.look

    def observe(self, applied: Applied) -> None:
        """Measure anew from here where a person let a book trade again that a loss had stopped."""
        match applied.fact:
            case TradingRestricted(strategy=strategy, rule=rule) if rule in LOSS_RULES:
                self._losing.add(strategy)
            case RestrictionLifted(strategy=strategy) if strategy in self._losing:
                self._losing.discard(strategy)
                self._book(strategy).begin_anew()
            case KillLatched(scope=ACCOUNT.scope, target=ACCOUNT.target):
                self._has_killed = self._killed_by_us()
            case KillReset(scope=ACCOUNT.scope, target=ACCOUNT.target):
                self._is_killing = False
                if self._has_killed:
                    self._has_killed = False
                    self._book(ACCOUNT_BOOK).begin_anew()

    def look(self, books: Mapping[StrategyId, Valuation], account: Valuation) -> None:
        """Measure all books as they are valued now."""
        now_ns = self._clock.now_ns()
        day = to_datetime(now_ns, self._tz).date().isoformat()
        limits = self._gate.limits.in_force
        margin = self._board.amount("InitMarginReq")
        self._gate.limits.take_account(AccountFigures(equity=account.equity, initial_margin=margin))
        self._look_at_account(account, limits.account, day, now_ns)
        losses: dict[StrategyId, Losses] = {}
        for name, valuation in books.items():
            own = limits.of(name)
            wanted = [limit for limit in (own.day_loss_max, own.drawdown_max) if limit is not None]
            if name == UNASSIGNED or not wanted or valuation.pnl is None:
                continue
            losses[name] = found = self._measure(name, valuation.pnl, min(wanted), day, now_ns)
            breach = breach_of(found, own.day_loss_max, own.drawdown_max)
            if breach is not None and name not in self._losing:  # one that is disabled loses all the same
                self._restrain(name, breach, now_ns)
        self._gate.limits.take_losses(losses)

    def _look_at_account(self, account: Valuation, limits: AccountLimits, day: str, now_ns: int) -> None:
        curve = self._portfolio.performance
        share = limits.drawdown_max_pct
        if curve is None or (limits.day_loss_max, limits.drawdown_max, share) == (None, None, None):
            self._see()
            return
        if account.equity is None:
            self._go_blind(now_ns)
            return
        self._see()
        book = self._book(ACCOUNT_BOOK)
        mark = book.advance(day, curve.equity - curve.flows)
        most = None if share is None else max((mark.peak + curve.flows) * share / 100, Decimal(0))
        falls = [limit for limit in (limits.drawdown_max, most) if limit is not None]
        wanted = [limit for limit in (limits.day_loss_max, *falls) if limit is not None]
        if (fact := book.due(ACCOUNT_BOOK, min(wanted), now_ns)) is not None:
            self._put(fact)
        breach = breach_of(mark.losses, limits.day_loss_max, min(falls, default=None))
        if breach is not None and not self._is_killing and ACCOUNT not in self._state.kills:
            self._is_killing = True
            log.critical("the account has lost too much: trading is halted", reason=breach.text)
            if self.acts is not None:
                self.acts.kill(f"the account {breach.text}")

    def _measure(self, name: StrategyId, value: Decimal, smallest: Decimal, day: str, now_ns: int) -> Losses:
        book = self._book(name)
        mark = book.advance(day, value)
        if (fact := book.due(name, smallest, now_ns)) is not None:
            self._put(fact)
        return mark.losses

    def _restrain(self, name: StrategyId, breach: Breach, now_ns: int) -> None:
        fact = TradingRestricted(
            ts_event_ns=now_ns,
            ts_init_ns=now_ns,
            strategy=name,
            restraint=Restraint.REDUCING,
            rule=breach.rule,
            reason=breach.text,
        )
        log.error("a strategy has lost too much: it may only reduce, and is stopped", strategy=name, reason=breach.text)
        self._losing.add(name)  # known before the next look; the journal follows
        self._state.risk.apply(fact)
        self._gate.limits.restrain(fact)
        self._put(fact)
        if self.acts is not None:
            self.acts.stop(name)

    def _killed_by_us(self) -> bool:
        kill = self._state.kills.get(ACCOUNT)
        return kill is not None and kill.actor == ACTOR

    def _book(self, name: StrategyId) -> LossBook:
        if name not in self._books:
            self._books[name] = LossBook(self._state.risk.peaks.get(name))
        return self._books[name]

    def _go_blind(self, now_ns: int) -> None:
        if self._blind_since_ns is None:
            self._blind_since_ns = now_ns
        if not self._is_held and now_ns - self._blind_since_ns >= BLIND_S * NS_PER_S:
            self._is_held = True
            text = "what the account has lost is not known: a price or an exchange rate is missing"
            log.error("entries are held", reason=text)
            self._gate.hold(HOLD, text, is_for_entries=True)

    def _see(self) -> None:
        self._blind_since_ns = None
        if self._is_held:
            self._is_held = False
            log.warning("losses are known again: entries may pass")
            self._gate.lift(HOLD)
