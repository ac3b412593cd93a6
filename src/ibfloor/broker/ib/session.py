"""One connection under one fixed client id, kept: handshake, heartbeat, loss, backoff, reconnect."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import structlog

from ibfloor.broker.ib.client import ClientIdTaken, LeanClient, LeanHandler, NotIbGateway
from ibfloor.broker.ib.codes import Context, Reaction, reaction
from ibfloor.broker.ib.link_states import EDGES
from ibfloor.broker.ib.order_messages import read_fill
from ibfloor.broker.ib.pacing import Urgency
from ibfloor.broker.ib.requests import Requests
from ibfloor.broker.ib.settings import IbSettings as IbSettings  # the app takes it from here
from ibfloor.broker.ib.settings import IbWiring
from ibfloor.broker.ib.wrapper import Handler, IbWrapper
from ibfloor.model.errors import ConnectivityError, FloorError
from ibfloor.model.fact import AnyFact, OrderFilled, SessionChanged, SessionState
from ibfloor.model.ids import ClientOrderId

log = structlog.get_logger()

_CLOCK_TEXT = re.compile(r"market_ns=(-?\d+) speed=([0-9.eE+-]+)")
_CLOCK_NS_MAX, _CLOCK_SPEED_MAX = 1 << 63, 1e6
_PORT_TEXT = re.compile(r"(\d{2,5})\D*$")
_FARM_TEXT = re.compile(r":([\w.]+)\s*$")


class IbSession:
    """Base of the three sessions. Owner: the thread whose loop calls ``open``.

    CONNECTED is told after every connect, every 1101/1102 and every message that could not be
    handled: whoever hears it must compare what it knows with the broker.
    """

    def __init__(self, name: str, client_id: int, wiring: IbWiring) -> None:
        self._name = name
        self._client_id = client_id
        self._settings = wiring.settings
        self._budget = wiring.budget
        self._where = wiring.place
        self._clock = wiring.clock
        self._facts = wiring.facts
        self._rng = wiring.rng
        self._state = SessionState.DISCONNECTED
        self._client: LeanClient | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._requests = Requests()
        self._time_asked: asyncio.Future[None] | None = None
        self._probe_now: asyncio.Event | None = None
        self._doubts = ""
        self._is_upstream_lost = False
        self._is_severed = False
        self._farms_broken: set[str] = set()
        self._round_trip_ms = -1.0
        self._monotonic = wiring.monotonic
        self.well_s = wiring.monotonic()
        """When it was last proven to reach IB, in monotonic seconds; any thread may read."""
        self.lean: Mapping[bytes, LeanHandler] = self._lean_handlers()

    @property
    def client_id(self) -> int:
        """Return the fixed client id."""
        return self._client_id

    @property
    def state(self) -> SessionState:
        """Return where the connection stands now; any thread may read."""
        return self._state

    @property
    def round_trip_ms(self) -> float:
        """Return the last heartbeat's round trip in milliseconds; -1.0 before the first."""
        return self._round_trip_ms

    @property
    def farms_broken(self) -> frozenset[str]:
        """Return the data farms that the broker says are broken."""
        return frozenset(self._farms_broken)

    async def open(self) -> None:
        """Connect and keep connected until ``close``.

        Raises ``ConnectivityError`` when no connection stands within ``open_timeout_s``,
        ``ConfigError`` when the client id stays taken or the peer is not an IB gateway.
        """
        self._probe_now = asyncio.Event()
        self._change(SessionState.CONNECTING)
        try:
            await self._connect_first()
        except FloorError as error:
            self._change(SessionState.FAILED, str(error))
            raise
        self._keeper = asyncio.create_task(self._keep(), name=f"session {self._name}")
        self._keeper.add_done_callback(self._keeper_ended)

    async def close(self) -> None:
        """Disconnect for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
            self._keeper = None
        if self._client is not None:
            await self._client.hang_up()
            self._requests.fail_all(f"session {self._name} was closed")
            self._client = None
        if self._state is not SessionState.FAILED:
            self._change(SessionState.CLOSED)

    def sever(self) -> None:
        """Cut the connection for good, from any thread: the session's own thread hangs and cannot close it.

        The gateway lets go of the client id, and another session may take it.
        """
        self._is_severed = True
        if self._client is not None:
            self._client.sever()

    # what a session is made of

    def _handlers(self) -> dict[str, Handler]:
        return {"error": self._on_error, "currentTime": self._on_time}

    def _lean_handlers(self) -> Mapping[bytes, LeanHandler]:
        return {}

    async def _prepare(self, client: LeanClient) -> None:
        """Ask for what this session always wants; called after every connect, before CONNECTED."""

    def _on_lost(self, reason: str) -> None:
        """Tell what the loss of the connection makes doubtful."""

    def _on_degraded(self, reason: str) -> None:
        """Hold what must not go out while IB is away or the stream is in doubt."""

    def _on_connected(self) -> None:
        """Do what waited for the connection; called before CONNECTED is told."""

    def _on_data_lost(self) -> None:
        """Ask again for streams that ended (1101)."""

    def _on_clock(self, market_ns: int, speed: float) -> None:
        """Take a simulated gateway's clock; the data session alone does."""

    def _on_farm(self, code: int, farm: str, *, is_broken: bool) -> None:
        """Take note of a data farm; the data session alone does."""

    def _on_request_error(self, req_id: int, code: int, text: str) -> None:
        if not self._requests.reject(req_id, code, text):
            log.warning("broker says", session=self._name, req_id=req_id, code=code, text=text)

    # hooks of the client

    def packet_started(self) -> None:
        """Take note that a packet came."""

    def packet_done(self) -> None:
        """Take note that a packet was handled."""

    def message_failed(self, error: Exception, message: str) -> None:
        """Doubt everything until the stream proves to be in step again."""
        log.error("message lost", session=self._name, error=repr(error), message=message)
        self._doubt(f"a message could not be handled ({error!r}): {message[:120]}")

    def frames_unsent(self, unsent: list[tuple[Urgency, int]]) -> None:
        """Take back what waited for the message budget; orders override."""
        log.warning("requests not sent", session=self._name, count=len(unsent))

    def bars_order(self, order_id: int) -> str:
        """Bar nothing; order sessions override."""
        return ""

    def order_barred(self, order_id: int, why: str) -> None:
        """Take back what was barred; order sessions override."""

    # connecting

    async def _connect_first(self) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        attempt = 0
        while True:
            try:
                await self._connect()
                return
            except ClientIdTaken:
                if loop.time() - started > self._settings.client_id_wait_s:
                    raise
            except NotIbGateway:
                raise
            except OSError as error:
                if loop.time() - started > self._settings.open_timeout_s:
                    raise ConnectivityError(f"the connection was lost while it was made: {error}") from error
            except ConnectivityError:
                if loop.time() - started > self._settings.open_timeout_s:
                    raise
            await asyncio.sleep(min(self._backoff_s(attempt), 1.0))
            attempt += 1

    async def _connect(self) -> None:
        settings = self._settings
        wrapper = IbWrapper(self._handlers(), naive_zone=settings.naive_zone)
        client = LeanClient(wrapper, self, self._budget, f"{self._name}, client {self._client_id}")
        self._client = client
        try:
            self._is_upstream_lost, self._doubts = False, ""  # before the greeting, which may tell that IB is away
            await client.start(settings.host, self._where.port, self._client_id, settings.handshake_timeout_s)
            await self._prepare(client)
            if not await self._probe(client):
                raise ConnectivityError(f"{settings.host}:{self._where.port} does not answer after the handshake")
        except BaseException:
            await client.hang_up()
            self._requests.fail_all("the connection was lost")
            raise
        if self._is_upstream_lost:
            self._change(SessionState.DEGRADED, "the gateway has no connection to IB")
        else:
            self._change(SessionState.CONNECTED)

    async def _keep(self) -> None:
        while self._client is not None:
            reason = await self._watch(self._client)
            if self._is_severed:
                return  # another session has our client id now
            self._requests.fail_all(f"the connection was lost: {reason}")
            self._on_lost(reason)
            self._change(SessionState.DISCONNECTED, reason)
            await self._reconnect()

    async def _reconnect(self) -> None:
        attempt = 0
        while not self._is_severed:
            await asyncio.sleep(self._backoff_s(attempt))
            attempt += 1
            try:
                await self._connect()
                return
            except (FloorError, OSError, TimeoutError) as error:
                # Also "not IB" and 326: behind a gateway that restarts, both pass.
                self._change(SessionState.CONNECTING, str(error) or repr(error))

    def _backoff_s(self, attempt: int) -> float:
        settings = self._settings
        return min(settings.backoff_max_s, settings.backoff_first_s * 2.0 ** min(attempt, 20)) * self._rng.uniform(
            0.5, 1.0
        )

    def _keeper_ended(self, keeper: asyncio.Task[None]) -> None:
        if not keeper.cancelled() and (error := keeper.exception()):
            log.error("session failed", session=self._name, error=repr(error))
            self._change(SessionState.FAILED, repr(error))

    # watching

    async def _watch(self, client: LeanClient) -> str:
        settings = self._settings
        assert self._probe_now is not None
        loop = asyncio.get_running_loop()
        while not client.lost.done():
            started = loop.time()
            if not await self._probe(client):
                break
            self._check_acks()
            self._probe_now.clear()
            await self._idle(client, settings.heartbeat_s - (loop.time() - started))
        if not client.lost.done():  # the socket is closing, and has not said so yet
            client.abort("the connection broke")
        return client.lost.result()

    async def _idle(self, client: LeanClient, for_s: float) -> None:
        assert self._probe_now is not None
        waker = asyncio.ensure_future(self._probe_now.wait())
        ends: set[asyncio.Future[Any]] = {client.lost, waker}
        try:
            await asyncio.wait(ends, timeout=max(0.0, for_s), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waker.cancel()

    async def _probe(self, client: LeanClient) -> bool:
        loop = asyncio.get_running_loop()
        deadline_s = self._settings.heartbeat_deadline_s
        doubts, messages_in, started = self._doubts, client.messages_in, loop.time()
        answer: asyncio.Future[None] = loop.create_future()
        self._time_asked = answer
        if not client.is_live:
            return False
        client.reqCurrentTime()  # type: ignore[no-untyped-call]
        ends: set[asyncio.Future[Any]] = {client.lost, answer}
        await asyncio.wait(ends, timeout=deadline_s, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            self._round_trip_ms = (loop.time() - started) * 1000
            self._settle(doubts)
            if not self._is_upstream_lost:
                self.well_s = self._monotonic()
            return True
        if client.lost.done():
            return False
        if client.messages_in == messages_in:
            client.abort(f"the broker has been mute for {deadline_s:g} s though the socket is open")
        elif doubts:  # a length that was wrong swallows what follows: the answer too
            client.abort(f"in doubt, and no answer for {deadline_s:g} s: the stream is out of step")
        return not client.lost.done()

    def _settle(self, doubts: str) -> None:
        # An answer proves the stream in step; doubts that rose while we waited need another probe.
        if self._state is not SessionState.DEGRADED or self._is_upstream_lost or doubts != self._doubts:
            return
        self._doubts = ""
        self._change(SessionState.CONNECTED, f"reconcile: {doubts}" if doubts else "")

    def _check_acks(self) -> None:
        """Doubt what the broker has left unanswered for too long; order sessions override."""

    def _doubt(self, reason: str) -> None:
        self._doubts = reason
        if self._state is SessionState.CONNECTED:
            self._change(SessionState.DEGRADED, reason)
        if self._probe_now is not None:
            self._probe_now.set()

    # what the broker says of the session

    def _on_time(self, _epoch_s: int) -> None:
        if self._time_asked is not None and not self._time_asked.done():
            self._time_asked.set_result(None)

    def _on_error(self, req_id: int, code: int, text: str, _reject_json: str = "") -> None:
        if req_id == -1:
            self._on_system(code, text)
        else:
            self._on_request_error(req_id, code, text)

    def _on_system(self, code: int, text: str) -> None:
        match reaction(code, Context.SYSTEM):
            case Reaction.CLIENT_ID_TAKEN:
                self._refuse_client_id(text)
            case Reaction.UPSTREAM_LOST:
                self._is_upstream_lost = True
                if self._state is SessionState.CONNECTED:
                    self._change(SessionState.DEGRADED, f"IB {code}: {text}")
            case Reaction.UPSTREAM_BACK_DATA_LOST:
                self._on_data_lost()
                self._upstream_back(code, text)
            case Reaction.UPSTREAM_BACK:
                self._upstream_back(code, text)
            case Reaction.FARM_BROKEN:
                self._farms_broken.add(_farm(text))
                log.warning("farm broken", session=self._name, code=code, text=text)
                self._on_farm(code, _farm(text), is_broken=True)
            case Reaction.FARM_OK:
                self._farms_broken.discard(_farm(text))
                self._on_farm(code, _farm(text), is_broken=False)
            case Reaction.PORT_MOVED:
                self._follow_port(text)
            case Reaction.CLOCK:
                if found := _CLOCK_TEXT.search(text):
                    self._on_clock(*_clock_told(int(found[1]), float(found[2])))
            case Reaction.QUERY | Reaction.QUERY_AND_RAISE_IDS:
                self._doubt(f"IB {code}: {text}")
            case _:
                log.warning("broker says", session=self._name, code=code, text=text)

    def _upstream_back(self, code: int, text: str) -> None:
        self._is_upstream_lost = False
        self._doubt(f"IB {code}: {text}")

    def _follow_port(self, text: str) -> None:
        found = _PORT_TEXT.search(text)
        if found is not None and self._where.move(int(found[1])):
            log.warning("the gateway moves to another port", port=found[1], mend="write it as [gateway] port")
        else:
            log.critical(
                "the gateway says it moves, and the floor does not follow: its port is not in [gateway] moved_ports",
                session=self._name,
                text=text,
            )

    def _refuse_client_id(self, text: str) -> None:
        if self._client is not None:
            settings = self._settings
            self._client.refuse(
                ClientIdTaken(
                    f"IB 326 at {settings.host}:{self._where.port}: client id {self._client_id} ({self._name}) is in "
                    f"use by another connection ({text.strip()}); end that program, or give this one another id"
                )
            )

    # telling

    def _change(self, state: SessionState, detail: str = "") -> None:
        if (state is self._state and state is not SessionState.CONNECTED) or self._is_severed:
            return
        assert (self._state, state) in EDGES, f"{self._name}: no way from {self._state} to {state}"
        self._state = state
        if state is SessionState.DEGRADED:
            self._on_degraded(detail)
        elif state is SessionState.CONNECTED:
            self._on_connected()
        now_ns = self._clock.now_ns()
        self._tell(
            SessionChanged(
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
                session=self._name,
                client_id=self._client_id,
                state=state,
                detail=detail,
                round_trip_ms=self._round_trip_ms if state is SessionState.CONNECTED else -1.0,
            )
        )

    def _tell(self, fact: AnyFact) -> None:
        self._facts(fact)

    def _read_fill(self, fields: list[bytes], known: ClientOrderId | None) -> OrderFilled:
        version = 0 if self._client is None else int(self._client.serverVersion())
        zone, now_ns = self._settings.naive_zone, self._clock.now_ns()
        return read_fill(fields, known, naive_zone=zone, now_ns=now_ns, server_version=version)

    def _live_client(self) -> LeanClient:
        if self._client is None or not self._client.is_live:
            self._raise_down()
        return self._client

    def _raise_down(self) -> NoReturn:
        raise ConnectivityError(f"session {self._name} (client id {self._client_id}) has no connection to the broker")


def _clock_told(market_ns: int, speed: float) -> tuple[int, float]:
    if not (0 < market_ns < _CLOCK_NS_MAX and 0 < speed <= _CLOCK_SPEED_MAX):
        raise ValueError(f"no clock runs so: market_ns={market_ns} speed={speed}")
    return market_ns, speed


def _farm(text: str) -> str:
    found = _FARM_TEXT.search(text)
    return found[1] if found else text
