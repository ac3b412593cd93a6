"""The factory of broker sessions: fixed client ids, one message budget, one set of settings."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from ibfloor.broker.ib.data_session import IbDataSession, OnFarm, OnRefused
from ibfloor.broker.ib.master_session import IbMasterSession, OnReadOnly
from ibfloor.broker.ib.order_session import IbOrderSession
from ibfloor.broker.ib.pacing import MessageBudget
from ibfloor.broker.ib.session import IbSession
from ibfloor.broker.ib.settings import IbSettings, IbWiring, OnClock, Place
from ibfloor.broker.port import AccountSink, BatchSink, FactSink
from ibfloor.model.errors import ConfigError
from ibfloor.model.fact import SessionState
from ibfloor.model.ids import StrategyId
from ibfloor.model.moment import Clock

MASTER_CLIENT_ID = 0
DATA_CLIENT_ID = 1
FIRST_STRATEGY_CLIENT_ID = 10
_Session = TypeVar("_Session", bound=IbSession)


class IbClients:
    """Make the sessions of one gateway; each is then owned by the thread that opens it."""

    def __init__(
        self,
        settings: IbSettings,
        clock: Clock,
        facts: FactSink,
        *,
        rng: random.Random | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._made: dict[str, IbSession] = {}
        self._wiring = IbWiring(
            settings=settings,
            budget=MessageBudget(settings.messages_per_s, settings.cancels_per_s, monotonic),
            clock=clock,
            facts=facts,
            place=Place(settings.port, settings.moved_ports),
            rng=rng or random.Random(),
            monotonic=monotonic,
        )

    def unwell(self) -> dict[str, float]:
        """Return for how many wall seconds each session that should stand was not proven to reach IB; any thread."""
        now_s = self._wiring.monotonic()
        open_now = {name: each for name, each in list(self._made.items()) if each.state is not SessionState.CLOSED}
        return {name: now_s - each.well_s for name, each in open_now.items()}

    @property
    def messages_per_s(self) -> int:
        """Return how many messages left in the last second, all sessions together."""
        return self._wiring.budget.used

    def master_session(self, account_sink: AccountSink, *, on_read_only: OnReadOnly | None = None) -> IbMasterSession:
        """Return the account's session, client id 0."""
        session = IbMasterSession(self._wiring, account_sink, client_id=MASTER_CLIENT_ID, on_read_only=on_read_only)
        return self._kept("master", session)

    def watchdog_session(self, client_id: int) -> IbMasterSession:
        """Return a session of the account for who watches from another process, under an id of its own."""
        return IbMasterSession(self._wiring, lambda report: None, client_id=client_id, name="watchdog")

    def data_session(
        self,
        batch_sink: BatchSink,
        *,
        on_clock: OnClock | None = None,
        on_refused: OnRefused | None = None,
        on_farm: OnFarm | None = None,
    ) -> IbDataSession:
        """Return the market-data session, client id 1."""
        session = IbDataSession(
            self._wiring,
            batch_sink,
            client_id=DATA_CLIENT_ID,
            on_clock=on_clock,
            on_refused=on_refused,
            on_farm=on_farm,
        )
        return self._kept("data", session)

    def order_session(self, strategy: StrategyId, client_id: int) -> IbOrderSession:
        """Return a strategy's session under its remembered client id; raise ``ConfigError`` for a reserved one."""
        if client_id < FIRST_STRATEGY_CLIENT_ID:
            raise ConfigError(
                f"client id {client_id} of strategy {strategy} is reserved: use {FIRST_STRATEGY_CLIENT_ID} or higher"
            )
        return self._kept(strategy, IbOrderSession(strategy, client_id, self._wiring))

    def _kept(self, name: str, session: _Session) -> _Session:
        before = self._made.get(name)
        if before is not None and before.state is not SessionState.CLOSED:  # the one before could not connect either
            session.well_s = before.well_s
        self._made[name] = session
        return session
