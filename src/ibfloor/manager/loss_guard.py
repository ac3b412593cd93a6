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
from ibfloor.model.highs import Booked
from ibfloor.model.ids import UNASSIGNED, InstrumentId, StrategyId
from ibfloor.model.kill import ACCOUNT
from ibfloor.model.moment import NS_PER_S, Clock, to_datetime
from ibfloor.model.risk_fact import ACCOUNT_BOOK, Restraint, RestrictionLifted, TradingRestricted
from ibfloor.portfolio.performance import Performance
from ibfloor.portfolio.position import Settlement
from ibfloor.portfolio.valuation import Valuation
from ibfloor.risk.limits import AccountLimits
from ibfloor.risk.losses import Breach, LossBook, Losses, breach_of, losses_of
from ibfloor.risk.margin import AccountFigures
from ibfloor.risk.memory import LOSS_RULES

ACTOR = "loss guard"
"""Who kills an account that has lost too much."""
HOLD = "losses"
BLIND_S = 10
"""Market seconds for which losses of a book may be unknown before its entries are held."""

OnValued = Callable[[Mapping[StrategyId, Valuation], Valuation], None]

log = structlog.get_logger("losses")


class Performing(Protocol):
    """Who values the books, and knows the account's curve."""

    performance: Performance | None
    on_valued: OnValued

    def doubt(self, instrument_id: InstrumentId, /) -> str:
        """Return why the mark of an instrument may not be its market any more; empty where nothing says so."""

    def booked(self, strategy: StrategyId | None, seen: int, /) -> Booked:
        """Return what may have moved a book's result after the first ``seen`` entries; ``None``: the account's."""


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
        self._blind_since_ns: dict[StrategyId, int] = {}
        self._held: dict[StrategyId, str] = {}
        """Books whose entries are held, and why."""
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
            if name == UNASSIGNED:
                continue
            pnl, why = valuation.pnl, self._unknown(valuation, valuation.pnl) if wanted else ""
            self._see_or_not(name, why, now_ns)
            if not wanted or why or pnl is None:
                continue
            losses[name] = found = self._measure(name, pnl, min(wanted), day, now_ns)
            breach = breach_of(found, own.day_loss_max, own.drawdown_max)
            if breach is not None and name not in self._losing:  # one that is disabled loses all the same
                self._restrain(name, breach, now_ns)
        self._gate.limits.take_losses(losses)

    def _look_at_account(self, account: Valuation, limits: AccountLimits, day: str, now_ns: int) -> None:
        curve = self._portfolio.performance
        share = limits.drawdown_max_pct
        if (limits.day_loss_max, limits.drawdown_max, share) == (None, None, None):
            self._see_or_not(ACCOUNT_BOOK, "", now_ns)
            return
        why = self._unknown(account, account.equity, is_equity=True)
        if curve is None:
            why = why or "it could not be valued yet"
        self._see_or_not(ACCOUNT_BOOK, why, now_ns)
        if why or curve is None:
            return
        book = self._book(ACCOUNT_BOOK)
        mark = book.advance(day, curve.equity - curve.flows, self._portfolio.booked(None, book.entries))
        most = None if share is None else max((mark.peak + curve.flows) * share / 100, Decimal(0))
        falls = [limit for limit in (limits.drawdown_max, most) if limit is not None]
        wanted = [limit for limit in (limits.day_loss_max, *falls) if limit is not None]
        if (fact := book.due(ACCOUNT_BOOK, min(wanted), now_ns)) is not None:
            self._put(fact)
        breach = breach_of(losses_of(mark), limits.day_loss_max, min(falls, default=None))
        if breach is not None and not self._is_killing and ACCOUNT not in self._state.kills:
            self._is_killing = True
            log.critical("the account has lost too much: trading is halted", reason=breach.text)
            if self.acts is not None:
                self.acts.kill(f"the account {breach.text}")

    def _measure(self, name: StrategyId, value: Decimal, smallest: Decimal, day: str, now_ns: int) -> Losses:
        book = self._book(name)
        mark = book.advance(day, value, self._portfolio.booked(name, book.entries))
        if (fact := book.due(name, smallest, now_ns)) is not None:
            self._put(fact)
        return losses_of(mark)

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

    def _unknown(self, book: Valuation, result: Decimal | None, *, is_equity: bool = False) -> str:
        """Say why a book's result is not known now: which price or rate is missing or in doubt; empty when it is."""
        found: list[str] = []
        for each in book.positions:
            if is_equity and each.position.settlement is Settlement.EXCHANGED:
                continue  # its worth is in the cash, at the exchange rates
            key = each.position.instrument_id
            doubt = "there is no price" if each.mark is None else self._portfolio.doubt(key)
            if doubt:
                instrument = self._state.instruments.get(key)
                found.append(f"{key if instrument is None else instrument.local_symbol}: {doubt}")
        if result is None:
            found += book.problems or ([] if found else ["a price or an exchange rate is missing"])
        return "; ".join(dict.fromkeys(found))

    def _see_or_not(self, name: StrategyId, why: str, now_ns: int) -> None:
        """Hold the entries of a book, or of the floor, whose losses are unknown for long, and no longer than that."""
        strategy = None if name == ACCOUNT_BOOK else name
        if not why:
            self._blind_since_ns.pop(name, None)
            if self._held.pop(name, None) is not None:
                log.warning("losses are known again: entries may pass", book=name or "account")
                self._gate.lift(HOLD, strategy)
            return
        since_ns = self._blind_since_ns.setdefault(name, now_ns)
        if self._held.get(name) == why or now_ns - since_ns < BLIND_S * NS_PER_S:
            return
        text = f"what {'the account' if strategy is None else 'it'} has lost is not known: {why}"
        if name not in self._held:
            log.error("entries are held", book=name or "account", reason=text)
        self._held[name] = why
        self._gate.hold(HOLD, text, strategy, is_for_entries=True)
