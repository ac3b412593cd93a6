"""What happens to the accounts without trading: dated events, settlement and expiry at the day's end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import SecurityType
from ibfloor.sim.account import SimAccount
from ibfloor.sim.account.lifecycle import (
    exercise,
    expire_option,
    pay_dividend,
    pay_interest,
    settle_future,
    split,
)
from ibfloor.sim.gateway.core import Broker
from ibfloor.sim.gateway.happenings import AccountEvent, Deposit, Dividend, Exercise, Interest, Split
from ibfloor.sim.gateway.marks import mark_of
from ibfloor.sim.market.securities import Security
from ibfloor.sim.market.source import Market


class Lifecycle:
    """Carries out what is due, in every account. Owner: the gateway's one thread.

    ``tell`` gets every instrument whose position changed.
    """

    def __init__(
        self, broker: Broker, market: Market, tell: Callable[[InstrumentId], None], events: Sequence[AccountEvent] = ()
    ) -> None:
        self._broker = broker
        self._market = market
        self._tell = tell
        self._coming = sorted(events, key=lambda event: event.at_ns)

    def on_time(self, now_ns: int) -> None:
        """Carry out the events whose time has come, in order."""
        while self._coming and self._coming[0].at_ns <= now_ns:
            event = self._coming.pop(0)
            self.carry_out(event, event.at_ns)

    def check(self, event: AccountEvent) -> None:
        """Raise ``ConfigError`` for an event of an instrument that nobody knows."""
        if not isinstance(event, Interest | Deposit) and self._market.master.by_symbol(event.symbol) is None:
            raise ConfigError(f"this gateway has no instrument {event.symbol}: name one by its symbol")

    def carry_out(self, event: AccountEvent, now_ns: int) -> None:
        """Carry out one event; an instrument that nobody knows or holds changes nothing."""
        security = None if isinstance(event, Interest | Deposit) else self._market.master.by_symbol(event.symbol)
        for account in self._broker.accounts.values():
            match event:
                case Interest():
                    pay_interest(account, event.currency, event.percent, event.days, now_ns)
                case Deposit():
                    account.pay("deposit", event.amount, event.currency, now_ns)
                case Dividend() if security is not None:
                    pay_dividend(account, security.instrument, event.amount, now_ns)
                case Split() if security is not None:
                    self._told(split(account, security.instrument, event.ratio, now_ns), security)
                case Exercise() if security is not None:
                    self.exercise_option(account, security, event.qty, now_ns)

    def exercise_option(self, account: SimAccount, option: Security, qty: Decimal, now_ns: int) -> None:
        """Exercise what is held of an option, or assign what is written (``qty`` below 0), up to so many."""
        position, under = account.position(option.instrument_id), self._under(option)
        held = Decimal(0) if position is None else position.qty
        if under is None or held * qty <= 0:
            return
        capped = min(qty, held) if qty > 0 else max(qty, held)
        exercise(account, option.instrument, under.instrument, capped, now_ns)
        self._told(True, option)
        self._told(True, under)

    def on_day_end(self, security: Security, now_ns: int) -> None:
        """Settle a future; end a contract whose last day is over."""
        kind = security.instrument.contract.security_type
        is_last = security.last_trade_day == f"{security.session.previous_day(security.session.day_of(now_ns)):%Y%m%d}"
        if kind is SecurityType.FUTURE:
            px = mark_of(self._market, security.instrument_id)
            for account in self._broker.accounts.values() if px is not None else ():
                assert px is not None
                held = settle_future(account, security.instrument, px, now_ns, is_last=is_last)
                self._told(held and is_last, security)
        elif kind is SecurityType.OPTION and is_last:
            self._expire(security, now_ns)

    def _expire(self, option: Security, now_ns: int) -> None:
        under = self._under(option)
        px = None if under is None else mark_of(self._market, under.instrument_id)
        if under is None or px is None:
            return  # without a price nobody can tell what it is worth: the position stays
        for account in self._broker.accounts.values():
            held = account.position(option.instrument_id)
            if expire_option(account, option.instrument, under.instrument, px, now_ns):
                self._told(held is not None, option)
                self._told(account.position(under.instrument_id) is not None, under)

    def _under(self, option: Security) -> Security | None:
        return self._market.master.by_id(InstrumentId(option.under_con_id))

    def _told(self, is_changed: bool, security: Security) -> None:
        if is_changed:
            self._tell(security.instrument_id)
