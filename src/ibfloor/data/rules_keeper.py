"""Keeps contract rules young: the broker tells hours for some days only, and may change sizes and steps."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from ibfloor.broker.port import DataSession
from ibfloor.data.bar_size import NS_PER_DAY
from ibfloor.model.errors import BrokerRejected, ConnectivityError
from ibfloor.model.instrument import Instrument
from ibfloor.model.moment import Clock

log = structlog.get_logger("data")

RETRY_NS = NS_PER_DAY // 24


class RulesKeeper:
    """Asks again what each contract's rules are: once a day, and hourly once the told hours are over.

    Owner: the data thread.
    """

    def __init__(self, session: DataSession, clock: Clock, renew: Callable[[Instrument], None]) -> None:
        self._session = session
        self._clock = clock
        self._renew = renew
        self._asked_ns: dict[int, int] = {}

    def note(self, instrument: Instrument) -> None:
        """Take note of an instrument whose rules were told just now."""
        self._asked_ns[int(instrument.instrument_id)] = self._clock.now_ns()

    async def look(self, instruments: list[Instrument]) -> None:
        """Ask for those that are due; what cannot be asked now is asked at a later look."""
        for instrument in instruments:
            now_ns = self._clock.now_ns()
            asked_ns = self._asked_ns[int(instrument.instrument_id)]
            hours = instrument.rules.trading_hours
            is_over = bool(hours) and now_ns >= hours[-1][1]
            if now_ns - asked_ns < (RETRY_NS if is_over else NS_PER_DAY):
                continue
            self.note(instrument)
            try:
                fresh = await self._session.resolve(instrument.contract)
            except (BrokerRejected, ConnectivityError) as error:
                log.warning("contract rules not renewed", instrument=str(instrument.contract), reason=str(error))
                continue
            if fresh.instrument_id == instrument.instrument_id and fresh != instrument:
                self._renew(fresh)
