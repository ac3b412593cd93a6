"""IB's limits: messages per second, market data lines, historical pacing, clients."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.periods import BadPeriod, bar_size_ns
from ibfloor.sim.gateway.session import NO_REQUEST, Session
from ibfloor.sim.gateway.streams import OPENERS, StreamKind, Streams
from ibfloor.sim.gateway.values import number_of, text_of

_TEN_MINUTES_S = 600.0
_PACING = "Historical Market Data Service error message:Historical data request pacing violation"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a gateway takes; 0 is without a limit. Times are the wall's, as at IB."""

    messages_per_s: int = 50
    """Of one client; each message above it is answered with 100, and not served."""
    strikes: int = 3
    """So many messages above the limit end the connection."""
    lines: int = 100
    tick_streams: int = 5
    tick_repeat_s: float = 15.0
    """Between two tick-by-tick requests for one symbol."""
    history_open: int = 50
    history_per_10min: int = 60
    history_same_2s: int = 6
    """This many for one contract and kind within two seconds are too many."""
    history_identical_s: float = 15.0
    history_small_bar_s: int = 30
    """Pacing is for bars up to this; longer ones are throttled by IB, not refused."""
    bars_per_10min: int = 60
    clients: int = 32


class _Window:
    """How many in the time just past."""

    def __init__(self) -> None:
        self._at: deque[tuple[int, int]] = deque()

    def count(self, now_ns: int, seconds: float) -> int:
        while self._at and now_ns - self._at[0][0] >= seconds * NS_PER_S:
            self._at.popleft()
        return sum(weight for _, weight in self._at)

    def add(self, now_ns: int, weight: int = 1) -> None:
        self._at.append((now_ns, weight))


class LimitDesk:
    """Refuses what is too much, with IB's own errors. Owner: the gateway's one thread.

    ``wall_ns`` is the time limits go by: the wall's, or a stepped clock's.
    """

    def __init__(self, limits: Limits, streams: Streams, wall_ns: Callable[[], int]) -> None:
        self.limits = limits
        self._streams = streams
        self._wall_ns = wall_ns
        self._messages: dict[Session, _Window] = {}
        self._strikes: dict[Session, int] = {}
        self._history = _Window()
        self._same: dict[str, _Window] = {}
        self._identical: dict[str, int] = {}
        self._bars = _Window()
        self._ticks: dict[str, int] = {}

    def admits(self, session: Session, request: Table, values: Values) -> bool:
        """Tell whether a request may be served; if not, the client has been told why."""
        now_ns = self._wall_ns()
        if not self._is_in_rate(session, now_ns):
            return False
        refusal = self._refusal(session, request, values, now_ns)
        if refusal is not None:
            session.fail(number_of(values, "req_id"), *refusal)
        return refusal is None

    def drop(self, session: Session) -> None:
        """Forget a session."""
        self._messages.pop(session, None)
        self._strikes.pop(session, None)

    def _is_in_rate(self, session: Session, now_ns: int) -> bool:
        limit = self.limits.messages_per_s
        if not limit:
            return True
        window = self._messages.setdefault(session, _Window())
        used = window.count(now_ns, 1.0)
        if used < limit:
            window.add(now_ns)
            return True
        strike = self._strikes[session] = self._strikes.get(session, 0) + 1
        text = f"Max rate of messages per second has been exceeded:max={limit} rec={used + 1} ({strike})"
        session.fail(NO_REQUEST, 100, text)
        if strike >= self.limits.strikes:
            session.close()
        return False

    def _refusal(self, session: Session, request: Table, values: Values, now_ns: int) -> tuple[int, str] | None:
        kind = OPENERS.get(request)
        if kind is None or self._streams.find(session, number_of(values, "req_id")) is not None:
            return None  # what is open already is refused as a duplicate elsewhere
        match kind:
            case StreamKind.QUOTES:
                is_full = 0 < self.limits.lines <= self._streams.count(kind)
                return (101, "Max number of tickers has been reached") if is_full else None
            case StreamKind.TICKS:
                return self._tick_refusal(values, now_ns)
            case StreamKind.BARS:
                return self._bars_refusal(now_ns)
            case StreamKind.HISTORY:
                return self._history_refusal(values, now_ns)

    def _tick_refusal(self, values: Values, now_ns: int) -> tuple[int, str] | None:
        limits, symbol = self.limits, self._streams.symbol_of(values)
        too_many = 0 < limits.tick_streams <= self._streams.count(StreamKind.TICKS)
        last_ns = self._ticks.get(symbol)
        if too_many or (last_ns is not None and now_ns - last_ns < limits.tick_repeat_s * NS_PER_S):
            return 10190, "Max number of tick-by-tick requests has been reached."
        self._ticks[symbol] = now_ns
        return None

    def _bars_refusal(self, now_ns: int) -> tuple[int, str] | None:
        if 0 < self.limits.bars_per_10min <= self._bars.count(now_ns, _TEN_MINUTES_S):
            return 420, "Invalid Real-time Query:Historical data request pacing violation"
        self._bars.add(now_ns)
        return None

    def _history_refusal(self, values: Values, now_ns: int) -> tuple[int, str] | None:
        limits = self.limits
        if 0 < limits.history_open <= self._streams.count(StreamKind.HISTORY):
            what = f"Only {limits.history_open} simultaneous API historical data requests allowed."
            return 322, f"Error processing request.-'bO' : cause - {what}"
        if not _is_small(values, limits.history_small_bar_s):
            return None
        contract = f"{values.get('con_id')} {self._streams.symbol_of(values)} {values.get('exchange')}"
        same_key = f"{contract} {values.get('what')}"
        span = " ".join(text_of(values, name) for name in ("end", "duration", "bar_size", "use_rth"))
        identical_key = f"{same_key} {span}"
        same = self._same.setdefault(same_key, _Window())
        last_ns = self._identical.get(identical_key)
        weight = 2 if text_of(values, "what").upper() == "BID_ASK" else 1
        is_paced = (
            (last_ns is not None and now_ns - last_ns < limits.history_identical_s * NS_PER_S)
            or 0 < limits.history_same_2s <= same.count(now_ns, 2.0) + 1
            or 0 < limits.history_per_10min < self._history.count(now_ns, _TEN_MINUTES_S) + weight
        )
        if is_paced:
            return 162, _PACING
        same.add(now_ns)
        self._history.add(now_ns, weight)
        self._identical[identical_key] = now_ns
        return None


def _is_small(values: Values, seconds: int) -> bool:
    try:
        return bar_size_ns(text_of(values, "bar_size")) <= seconds * NS_PER_S
    except BadPeriod:
        return False  # refused for what it is
