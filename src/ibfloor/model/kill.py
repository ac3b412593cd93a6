"""What a kill switch stands for: the whole account, one strategy, or one instrument."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument


class KillScope(StrEnum):
    """How far a kill switch reaches."""

    ACCOUNT = "account"
    STRATEGY = "strategy"
    INSTRUMENT = "instrument"


class KillPlace(msgspec.Struct, frozen=True):
    """One kill switch: a scope, and which strategy or instrument of it.

    An instrument is named by its conId, or by a symbol: then every contract of that symbol is meant,
    be it the exchange's own name of it (``ESZ3``) or that of what it is on (``ES``).
    """

    scope: KillScope = KillScope.ACCOUNT
    target: str = ""

    @property
    def key(self) -> str:
        """Return one text for it, for rows and files: ``account``, ``strategy:alpha``, ``instrument:SPY``."""
        return f"{self.scope}:{self.target}" if self.target else str(self.scope)

    def __str__(self) -> str:
        return f"{self.scope} {self.target}" if self.target else f"the whole {self.scope}"

    @property
    def is_account(self) -> bool:
        """Tell whether it stands for everything."""
        return self.scope is KillScope.ACCOUNT

    def covers_strategy(self, name: StrategyId | None) -> bool:
        """Tell whether a strategy is in reach, whatever it trades."""
        return self.is_account or (self.scope is KillScope.STRATEGY and self.target == name)

    def covers_instrument(self, instrument_id: InstrumentId, *symbols: str) -> bool:
        """Tell whether an instrument is in reach by its id or one of its names, whoever trades it."""
        is_instrument = self.scope is KillScope.INSTRUMENT
        return self.is_account or (is_instrument and self.target in (str(instrument_id), *symbols))

    def covers(self, name: StrategyId | None, instrument_id: InstrumentId, *symbols: str) -> bool:
        """Tell whether an order of a strategy in an instrument is in reach."""
        return self.covers_strategy(name) or self.covers_instrument(instrument_id, *symbols)


def names_of(instrument: Instrument | None) -> tuple[str, ...]:
    """Return the names by which a kill switch may mean an instrument, beside its id."""
    return () if instrument is None else (instrument.contract.symbol, instrument.local_symbol)


ACCOUNT = KillPlace()
TARGET_LENGTH_MAX = 64


def checked_place(scope: str, target: str) -> KillPlace:
    """Return the kill switch that a person asks for; raises ``ConfigError`` when it is unclear which."""
    if scope not in tuple(KillScope):
        raise ConfigError(f"{scope!r} is no scope of a kill switch: it is account, strategy or instrument")
    if scope == KillScope.ACCOUNT:
        if target:
            raise ConfigError("the kill switch of the account has no target: leave it out, or name another scope")
        return ACCOUNT
    if not target.strip() or len(target) > TARGET_LENGTH_MAX or not target.isprintable():
        raise ConfigError(f"which {scope}? Name one, in at most {TARGET_LENGTH_MAX} characters")
    return KillPlace(KillScope(scope), target.strip())


def place_of(scope: str, target: str) -> KillPlace:
    """Return the kill switch of a fact or a command; whatever is unclear stands for the whole account."""
    try:
        known = KillScope(scope)
    except ValueError:
        return ACCOUNT
    return ACCOUNT if known is KillScope.ACCOUNT or not target else KillPlace(known, target)
