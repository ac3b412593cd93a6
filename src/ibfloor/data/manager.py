"""The floor's one door to market data: subscriptions, bars, history, and what the recorder gets."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec

from ibfloor.broker.port import BatchSink, DataSession
from ibfloor.data.bar_size import BAR_NAMES
from ibfloor.data.board import MarketBoard
from ibfloor.data.history import HistoryLoader
from ibfloor.data.listing import BarStream, Listing
from ibfloor.data.quiet import QuietWatch
from ibfloor.data.recorder_feed import ColumnSink, RecorderFeed
from ibfloor.data.router import Router
from ibfloor.data.rules_keeper import RulesKeeper
from ibfloor.data.settings import BASE_BAR_NS, DataSettings
from ibfloor.data.subscriber import Kind, Outlet, Subscriber, WarmUp
from ibfloor.data.timekeeper import Timekeeper
from ibfloor.loop_thread import LoopThread
from ibfloor.model.errors import BrokerRejected, ConnectivityError
from ibfloor.model.fact import SessionState
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, Instrument
from ibfloor.model.market import Bar
from ibfloor.model.moment import NS_PER_S, Clock

SessionFactory = Callable[[BatchSink], DataSession]
"""Makes the data session around the function that takes its batches; called on the data thread."""


class DataStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counters since the start."""

    ticks: int
    bars_closed: int
    late_ticks: int
    """Ticks that came after their bar had closed."""
    conflated: int
    """Quotes and trades that slow subscribers did not get."""
    recorder_dropped: int
    """Ticks that a slow recorder did not get."""


class DataManager(MarketBoard):
    """One market-data session for the whole floor, on its own thread and loop.

    ``async with`` starts the thread and returns when the session stands; it raises what the
    session's ``open`` raises. All public methods may be called from any thread and do not block;
    before the start and after the end they raise ``ConnectivityError``.
    """

    def __init__(
        self,
        make_session: SessionFactory,
        clock: Clock,
        settings: DataSettings | None = None,
        *,
        thread: LoopThread | None = None,
    ) -> None:
        settings = settings or DataSettings()
        self._feed = RecorderFeed(settings.record_rows_max)
        super().__init__(Router(self._feed.take, self._feed.take_bar, BASE_BAR_NS), clock, settings)
        self._make_session = make_session
        self._thread = thread or LoopThread("data")
        self._opened: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._outlets: dict[Subscriber, Outlet] = {}
        self._resolving: dict[Contract, asyncio.Lock] = {}
        self._conflated_before = 0
        self._farms_broken: set[str] = set()
        self._quiet = QuietWatch(self._settings.max_age_ns, lambda instrument: self._session.is_streaming(instrument))
        # Set on the data thread as it starts.
        self._is_serving = False
        self._session: DataSession
        self._history: HistoryLoader
        self._rules: RulesKeeper
        self._tasks: asyncio.TaskGroup

    async def __aenter__(self) -> Self:
        self._thread.start(self._serve)
        ended = asyncio.wrap_future(self._thread.ended)
        try:
            await asyncio.wait([asyncio.wrap_future(self._opened), ended], return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                await ended
        except BaseException:
            await self._thread.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._thread.stop()

    @property
    def ended(self) -> concurrent.futures.Future[None]:
        """Return the future that is done when the data thread has ended; its exception tells why."""
        return self._thread.ended

    @property
    def stats(self) -> DataStats:
        """Return the counters as of now."""
        streams = [stream for each in self._router.listings.values() for stream in each.streams.values()]
        return DataStats(
            ticks=self._router.ticks,
            bars_closed=self._router.bars_closed,
            late_ticks=sum(stream.builder.late for stream in streams),
            conflated=self._conflated_before + sum(outlet.dropped for outlet in list(self._outlets.values())),
            recorder_dropped=self._feed.dropped_total,
        )

    def resolve(self, contract: Contract) -> concurrent.futures.Future[Instrument]:
        """Ask what a contract means; fails with ``BrokerRejected`` or ``ConnectivityError``."""
        return self._thread.run(self._resolve(contract))

    def history(
        self, contract: Contract, *, bar_ns: int, count: int, end_ns: int | None = None
    ) -> concurrent.futures.Future[list[Bar]]:
        """Ask the broker for the last ``count`` bars closed before ``end_ns`` (now), oldest first.

        Fewer come when the broker has no more. Fails as ``resolve`` does.
        """
        return self._thread.run(self._past(contract, bar_ns, count, end_ns))

    def subscribe(
        self,
        subscriber: Subscriber,
        contract: Contract,
        *,
        kinds: Kind = Kind.NONE,
        bar_ns: int | None = None,
        warmup: int = 0,
    ) -> None:
        """Send a subscriber ticks of some kinds, or closed bars of a size, of a contract.

        With ``warmup`` one ``WarmUp`` of that many older bars comes before the first live bar; the
        live ones follow it without gap or overlap. What cannot be had is told to ``on_error``.
        Raises ``ValueError`` for a bar size there is not.
        """
        if bar_ns is not None and bar_ns not in BAR_NAMES:
            raise ValueError(f"there is no bar size of {bar_ns} ns: use one of {', '.join(BAR_NAMES.values())}")
        self._thread.post(self._subscribe, subscriber, contract, kinds, bar_ns, warmup)

    def unsubscribe_all(self, subscriber: Subscriber) -> None:
        """Send a subscriber nothing more, and end the broker's subscriptions nobody else needs."""
        with contextlib.suppress(ConnectivityError):  # not running: there is nothing to end
            self._thread.post(self._unsubscribe, subscriber)

    def market_refused(self, instrument: Instrument, code: int, text: str) -> None:
        """Tell everyone who listens to an instrument that the broker refuses its data (the session's callback)."""
        self._thread.post(self._tell_refused, instrument, code, text)

    def take_farm(self, farm: str, *, is_broken: bool) -> None:
        """Doubt what does not come from now on: a data farm broke; or take note that it works (on the data thread)."""
        if not is_broken:
            self._farms_broken.discard(farm)
        elif farm not in self._farms_broken:
            self._farms_broken.add(farm)
            self._doubt = self._clock.now_ns(), f"the data farm {farm} broke, and no quote has come since"

    def feed_trouble(self, instrument_id: InstrumentId, silent_max_ns: int) -> str:
        """Return why what came last of an instrument may not be its market any more; empty where nothing says so.

        While its market is closed the last price is a good one. While it is open the feed must be well; an
        instrument that hardly trades may then be silent for ``silent_max_ns`` of its regular hours.
        """
        listing, now_ns = self._listing(instrument_id), self._clock.now_ns()
        if listing is None or listing.instrument.rules.is_open(now_ns, outside_rth=True) is False:
            return ""
        if not (self._is_serving and self._is_live()):
            return "the market-data session is down"
        if self._silent_since(listing) is not None:
            return self.doubt(instrument_id)
        if self._quiet.has_ended(listing):
            return "the broker has ended its market data, and nothing has come since"
        if self._quiet.silent_ns(listing, now_ns) > silent_max_ns:
            return f"nothing has come for more than {silent_max_ns / NS_PER_S:g} s though its market is open"
        return ""

    def record_to(self, sink: ColumnSink | None) -> None:
        """Feed a recorder from now on, first with the bars in memory; ``None``: it went away, or is to end."""
        with contextlib.nullcontext() if sink else contextlib.suppress(ConnectivityError):
            self._thread.post(self._connect_recorder, sink)

    # From here on everything runs on the data thread.

    async def _serve(self) -> None:
        session = self._session = self._make_session(self._router.on_batch)
        session.on_halted = self._take_halt
        self._rules = RulesKeeper(session, self._clock, self._renew)
        self._history = HistoryLoader(session, self._settings.history_timeout_s)
        grace_s = self._settings.bar_close_grace_s
        timekeeper = Timekeeper(
            self._router, self._clock, grace_s, self._start_seam, self._is_live, self._silent_since, self._quiet
        )
        try:
            await session.open()
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(timekeeper.run())
                self._tasks.create_task(self._keep_flushing())
                self._tasks.create_task(self._keep_rules())
                self._is_serving = True
                self._opened.set_result(None)
        finally:
            self._is_serving = False
            await session.close()

    async def _keep_flushing(self) -> None:
        while True:
            for outlet in self._outlets.values():
                if outlet.is_behind:
                    outlet.catch_up()
            has_more = self._feed.flush()  # then let the socket speak between two frames
            await asyncio.sleep(0 if has_more else self._settings.record_every_s)

    async def _keep_rules(self) -> None:
        while True:
            await self._rules.look([listing.instrument for listing in self._router.listings.values()])
            await asyncio.sleep(self._settings.rules_look_s)

    def _renew(self, fresh: Instrument) -> None:
        listing = self._router.listings[fresh.instrument_id]
        renewed = {key: fresh for key, known in self._instruments.items() if known is listing.instrument}
        listing.instrument = fresh
        self._instruments = {**self._instruments, **renewed}

    def _connect_recorder(self, sink: ColumnSink | None) -> None:
        if sink is None:
            self._feed.disconnect()
        else:
            streams = [each.streams[BASE_BAR_NS] for each in self._router.listings.values() if each.streams]
            newest = [bar for stream in streams for bar in list(stream.recent)[-self._settings.record_again_bars :]]
            self._feed.connect(sink, newest)

    async def _resolve(self, contract: Contract) -> Instrument:
        async with self._resolving.setdefault(contract, asyncio.Lock()):  # ask the broker once
            known = self._instruments.get(contract)
            if known is not None:
                return known
            return self._admit(contract, await self._session.resolve(contract))

    def _admit(self, contract: Contract, instrument: Instrument) -> Instrument:
        # Two contracts may mean one instrument: the first one's object is everyone's.
        known = self.by_id(instrument.instrument_id)
        if known is None:
            self._router.add(Listing(instrument))
            self._rules.note(instrument)
        self._instruments = {**self._instruments, contract: known or instrument}
        return known or instrument

    async def _past(self, contract: Contract, bar_ns: int, count: int, end_ns: int | None) -> list[Bar]:
        before_ns = self._clock.now_ns() if end_ns is None else end_ns
        bars = await self._history.last(await self._resolve(contract), bar_ns, count, end_ns, before_ns)
        return [bar for bar in bars if bar.ts_close_ns <= before_ns][-count:]

    def _subscribe(
        self, subscriber: Subscriber, contract: Contract, kinds: Kind, bar_ns: int | None, warmup: int
    ) -> None:
        if not self._is_serving:
            return
        outlet = self._outlets.get(subscriber)
        if outlet is None:
            outlet = self._outlets[subscriber] = Outlet(subscriber)
        self._tasks.create_task(self._join(outlet, contract, kinds, bar_ns, warmup))

    async def _join(self, outlet: Outlet, contract: Contract, kinds: Kind, bar_ns: int | None, warmup: int) -> None:
        while outlet.is_open:
            try:
                instrument = await self._resolve(contract)
                listing = self._router.listings[instrument.instrument_id]
                if outlet.is_open:
                    self._listen(listing, outlet, kinds)
                    if bar_ns is not None:
                        await self._join_bars(listing, outlet, bar_ns, warmup)
                return
            except BrokerRejected as refused:
                if outlet.is_open:
                    outlet.subscriber.on_error(contract, f"no market data for {contract}: {refused}")
                return
            except ConnectivityError:
                await asyncio.sleep(self._settings.retry_s)

    def _listen(self, listing: Listing, outlet: Outlet, kinds: Kind) -> None:
        listing.want(outlet, kinds)
        if listing.is_subscribed:
            if why := listing.refusal:  # it was told to those who were there
                outlet.subscriber.on_error(listing.instrument.contract, why)
            return
        listing.is_subscribed = True
        for stream in listing.streams.values():  # of an earlier subscription: ticks are missing since
            stream.restart(self._clock.now_ns())
        self._stream(listing, BASE_BAR_NS)
        self._session.subscribe(listing.instrument)

    def _stream(self, listing: Listing, bar_ns: int) -> BarStream:
        stream = listing.streams.get(bar_ns)
        if stream is None:
            stream = BarStream(listing.instrument, bar_ns, self._clock.now_ns(), self._settings.recent_bars)
            listing.add_stream(stream)
        return stream

    async def _join_bars(self, listing: Listing, outlet: Outlet, bar_ns: int, warmup: int) -> None:
        stream = self._stream(listing, bar_ns)
        if warmup > 0:
            try:
                await self._history.warm(listing.instrument, stream, warmup)
            except BrokerRejected as refused:
                text = f"no history of {listing.instrument.local_symbol} to warm up with: {refused}"
                outlet.subscriber.on_error(listing.instrument.contract, text)
            if not outlet.is_open:
                return
            # No await between these two lines and the next: bars up to here are in the warm-up, later ones live.
            outlet.send_bars(WarmUp(listing.instrument, bar_ns, tuple(stream.newest(warmup))))
        stream.join(outlet)

    def _start_seam(self, listing: Listing, stream: BarStream) -> None:
        self._tasks.create_task(self._fill_seam(listing, stream))

    async def _fill_seam(self, listing: Listing, stream: BarStream) -> None:
        seam = stream.seam
        if seam is None:
            return
        bars = await self._history.seam_bars(listing.instrument, stream, seam)
        if stream.seam == seam and listing.is_subscribed:  # else it was restarted or widened meanwhile
            self._router.send_bars(stream, stream.release(bars))

    def _tell_refused(self, instrument: Instrument, code: int, text: str) -> None:
        listing = self._router.listings.get(instrument.instrument_id)
        if listing is None or not listing.is_subscribed:
            return
        listing.refusal = f"the broker refuses market data of {instrument.local_symbol}: {text} (its code {code})"
        for outlet in listing.outlets:
            outlet.subscriber.on_error(instrument.contract, listing.refusal)

    def _is_live(self) -> bool:
        return self._session.state is SessionState.CONNECTED

    def _silent_since(self, listing: Listing) -> int | None:
        return self._doubted_since(listing) if self._farms_broken else None

    def _unsubscribe(self, subscriber: Subscriber) -> None:
        outlet = self._outlets.pop(subscriber, None)
        if outlet is None:
            return
        outlet.is_open = False
        self._conflated_before += outlet.dropped
        for listing in self._router.listings.values():
            listing.leave(outlet)
            if listing.is_subscribed and not listing.subscribers:
                listing.is_subscribed, listing.refusal = False, ""
                self._session.unsubscribe(listing.instrument)
