"""The control socket's messages: a loopback TCP connection between the floor and other processes.

A frame is a big-endian ``u32`` length and that many bytes of msgpack. The client speaks first with
``Hello``; the floor answers ``Welcome`` or closes. Views are a snapshot, then numbered changes;
a gap in ``seq`` means: subscribe again. The token is in a file of mode 0600 in the floor's home.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ibfloor.model.command import AnyCommand, CommandResult

MAX_FRAME_BYTES = 64 * 1024 * 1024


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all frames."""


class Hello(Message, frozen=True, kw_only=True):
    """The first frame of a client."""

    token: str
    name: str


class Welcome(Message, frozen=True, kw_only=True):
    """The floor takes the client."""

    floor: str
    version: str
    pid: int


class SubscribeViews(Message, frozen=True, kw_only=True):
    """Ask for a snapshot now, and for changes from then on when ``follow``."""

    follow: bool = True


class SubscribeMarket(Message, frozen=True, kw_only=True):
    """Ask for every tick and closed bar from now on (the recorder)."""


class ViewSnapshot(Message, frozen=True, kw_only=True):
    """All rows: topic -> key -> row."""

    seq: int
    rows: dict[str, dict[str, object]]


class ViewChanges(Message, frozen=True, kw_only=True):
    """What changed since ``seq - 1``: topic -> key -> changed fields; ``None`` for a row that went."""

    seq: int
    rows: dict[str, dict[str, object]]


class MarketColumns(Message, frozen=True, kw_only=True):
    """Ticks, bars or points of equity curves in columns, oldest first, for the recorder.

    ``table`` is ``ticks`` (kind, instrument_id, ts_ns, px, qty; kind 1 bid, 2 ask, 4 last) or
    ``bars`` (instrument_id, ts_ns, duration_ns, open, high, low, close, volume) or ``equity`` (book, ts_ns, equity,
    realised, unrealised, fees, income, flows; ``symbols`` names the books then).
    """

    table: str
    columns: dict[str, Sequence[float | int]]
    symbols: dict[int, str] = {}
    dropped: int = 0
    """Rows lost before this frame because the recorder was slow: it writes a gap marker."""


class RecorderReport(Message, frozen=True, kw_only=True):
    """The recorder tells the floor how far it is."""

    ticks_stored: int
    bars_stored: int
    points_stored: int = 0
    gaps: int
    detail: str = ""


class Call(Message, frozen=True, kw_only=True):
    """A command; answered by one ``Answer`` with the same ``call_id``."""

    call_id: int
    command: AnyCommand


class BarsQuery(Message, frozen=True, kw_only=True):
    """Ask for recent bars of an instrument from memory, newest ``limit``, oldest first."""

    call_id: int
    instrument_id: int
    bar_ns: int
    limit: int = 500


class BarsAnswer(Message, frozen=True, kw_only=True):
    """Rows of ``BarView`` as arrays."""

    call_id: int
    bars: list[list[float | int | bool]]


class Answer(Message, frozen=True, kw_only=True):
    """The outcome of a ``Call``."""

    call_id: int
    result: CommandResult


ToFloor = Hello | SubscribeViews | SubscribeMarket | RecorderReport | Call | BarsQuery
FromFloor = Welcome | ViewSnapshot | ViewChanges | MarketColumns | Answer | BarsAnswer
