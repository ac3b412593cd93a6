"""Bars that ticks did not give: the warm-up of a subscription, and the seams of a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from ibfloor.broker.port import DataSession
from ibfloor.data.alignment import Interval
from ibfloor.data.bar_size import NS_PER_DAY
from ibfloor.data.listing import BarStream
from ibfloor.model.errors import BrokerRejected, ConnectivityError
from ibfloor.model.instrument import Instrument
from ibfloor.model.market import Bar
from ibfloor.model.moment import NS_PER_MINUTE


class NoAnswer(BrokerRejected):
    """The broker did not answer a request for history in time."""


class HistoryLoader:
    """Fills streams from the broker's history. Owner: the data thread."""

    def __init__(self, session: DataSession, timeout_s: float) -> None:
        self._session = session
        self._timeout_s = timeout_s

    async def fetch(self, instrument: Instrument, bar_ns: int, duration_ns: int, end_ns: int | None) -> list[Bar]:
        """Return closed bars, oldest first.

        Raises ``BrokerRejected`` with the broker's text, also when it does not answer in time;
        ``ConnectivityError`` when the connection is lost.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._session.history(instrument, bar_ns=bar_ns, duration_ns=duration_ns, end_ns=end_ns)
        except TimeoutError:
            text = f"no history of {instrument.local_symbol} within {self._timeout_s:g} s; ask for fewer bars"
            raise NoAnswer(text) from None

    async def last(
        self, instrument: Instrument, bar_ns: int, count: int, end_ns: int | None, before_ns: int
    ) -> list[Bar]:
        """Return bars, ``count`` or more of which start before a time if the broker has so many.

        Looks back further in steps; raises as ``fetch`` does.
        """
        bars: list[Bar] = []
        refusal: BrokerRejected | None = None
        for duration_ns in _spans(count * bar_ns):
            try:
                bars = await self.fetch(instrument, bar_ns, duration_ns, end_ns)
            except NoAnswer:
                raise
            except BrokerRejected as refused:
                refusal = refused  # maybe only for so short a time: IB refuses where there is no bar
                continue
            if sum(bar.ts_event_ns < before_ns for bar in bars) >= count:
                break
        if refusal is not None and not bars:
            raise refusal
        return bars

    async def warm(self, instrument: Instrument, stream: BarStream, count: int) -> None:
        """See to it that ``count`` bars of before are in memory, if the broker has so many."""
        async with stream.joining:
            if not stream.has_history(count):
                bars = await self.last(instrument, stream.duration_ns, count, None, stream.first_start_ns)
                stream.add_history(bars, count)

    async def seam_bars(self, instrument: Instrument, stream: BarStream, seam: Interval) -> list[Bar]:
        """Return the bars of a time that ticks did not cover; none when they cannot be had.

        Bars below a minute are not asked for: the broker limits such requests hard.
        """
        start_ns, end_ns = seam
        if stream.duration_ns < NS_PER_MINUTE or start_ns >= end_ns:
            return []
        try:
            return await self.fetch(instrument, stream.duration_ns, end_ns - start_ns, end_ns)
        except (BrokerRejected, ConnectivityError):
            return []


def _spans(net_ns: int) -> Iterator[int]:
    # Bars exist in trading hours only: look back over a night, then over a long weekend.
    yield net_ns
    yield net_ns + net_ns // 2 + NS_PER_DAY
    yield 2 * net_ns + 7 * NS_PER_DAY
