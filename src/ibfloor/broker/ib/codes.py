"""IB's error codes: one table, code x context -> reaction. An unknown code asks, it never ends an order."""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from ibfloor.model.errors import BrokerRejected


class Context(Enum):
    """What the code is said about: an order's last request, a data request, or the whole session."""

    NEW = auto()
    MODIFY = auto()
    CANCEL = auto()
    DATA = auto()
    SYSTEM = auto()


class Reaction(Enum):
    """What must happen next."""

    REJECT = auto()
    """The request is dead; an order in context NEW is rejected."""
    CANCELED = auto()
    """The order is canceled; a late fill still counts."""
    WARN = auto()
    """It stays as it is; people are told."""
    QUERY = auto()
    """Nobody knows: ask the broker, never send again."""
    QUERY_AND_RAISE_IDS = auto()
    """As QUERY, and order ids must start higher."""
    IGNORE = auto()
    RESUBSCRIBE = auto()
    """A stream ended: ask for it again."""
    HISTORY = auto()
    """The text decides: wait, no data, or fatal (``history_answer``)."""
    UPSTREAM_LOST = auto()
    UPSTREAM_BACK_DATA_LOST = auto()
    UPSTREAM_BACK = auto()
    FARM_BROKEN = auto()
    FARM_OK = auto()
    CLOCK = auto()
    """A simulated gateway announces its clock."""
    PORT_MOVED = auto()
    CLIENT_ID_TAKEN = auto()


class IbRejected(BrokerRejected):
    """The broker refused a request; ``code`` is IB's."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"IB {code}: {text}")
        self.code = code


class Row(msgspec.Struct, frozen=True):
    """One code's reactions by context."""

    new: Reaction = Reaction.QUERY
    modify: Reaction = Reaction.QUERY
    cancel: Reaction = Reaction.QUERY
    data: Reaction = Reaction.REJECT
    system: Reaction = Reaction.WARN


def _always(reaction: Reaction) -> Row:
    return Row(reaction, reaction, reaction, reaction, reaction)


_R = Reaction
_WARNING = _always(_R.WARN)
_REFUSED = Row(new=_R.REJECT, modify=_R.QUERY, cancel=_R.QUERY, data=_R.REJECT)
_QUERY = Row()
_NO_STREAM = Row(data=_R.RESUBSCRIBE)

TABLE: dict[int, Row] = {
    # connectivity
    1100: _always(_R.UPSTREAM_LOST),
    2110: _always(_R.UPSTREAM_LOST),
    1101: _always(_R.UPSTREAM_BACK_DATA_LOST),
    1102: _always(_R.UPSTREAM_BACK),
    1300: _always(_R.PORT_MOVED),
    326: _always(_R.CLIENT_ID_TAKEN),
    2103: _always(_R.FARM_BROKEN),
    2105: _always(_R.FARM_BROKEN),
    2157: _always(_R.FARM_BROKEN),
    2104: _always(_R.FARM_OK),
    2106: _always(_R.FARM_OK),
    2158: _always(_R.FARM_OK),
    2107: _always(_R.FARM_OK),  # idle: wakes up on demand
    2108: _always(_R.FARM_OK),
    2199: _always(_R.CLOCK),
    100: Row(system=_R.WARN, data=_R.RESUBSCRIBE),  # too many messages; what it was about is unknown
    # orders
    103: Row(new=_R.QUERY_AND_RAISE_IDS, modify=_R.QUERY_AND_RAISE_IDS),
    104: _QUERY,
    105: _QUERY,
    106: _QUERY,
    107: _REFUSED,
    109: _REFUSED,
    110: _REFUSED,
    111: _REFUSED,
    135: _QUERY,
    161: _QUERY,
    10147: _QUERY,
    10148: _QUERY,
    200: _REFUSED,
    201: _REFUSED,
    203: _REFUSED,
    321: _REFUSED,
    387: _REFUSED,
    388: _REFUSED,
    202: Row(_R.CANCELED, _R.CANCELED, _R.CANCELED, _R.REJECT, _R.WARN),
    399: _WARNING,
    404: _WARNING,
    434: _REFUSED,
    492: _WARNING,
    2109: _WARNING,
    10349: _WARNING,
    # data
    101: _REFUSED,
    162: Row(data=_R.HISTORY),
    165: Row(data=_R.WARN),
    300: Row(data=_R.IGNORE),  # cancel of a ticker the gateway forgot
    310: Row(data=_R.IGNORE),
    354: _REFUSED,
    366: _NO_STREAM,
    420: _REFUSED,
    10089: _REFUSED,
    10090: Row(data=_R.WARN),
    10167: Row(data=_R.WARN),
    10168: _REFUSED,
    10182: _NO_STREAM,
    10197: _NO_STREAM,  # another session has the data: ask again, later each time
    10225: _NO_STREAM,
    10314: _REFUSED,
    2174: _WARNING,
}
_UNKNOWN = Row(system=_R.QUERY)


def reaction(code: int, context: Context) -> Reaction:
    """Return what a code means in a context; 2100 to 2199 are IB's warnings unless listed."""
    row = TABLE.get(code) or (_WARNING if 2100 <= code < 2200 else _UNKNOWN)
    if context is Context.NEW:
        return row.new
    if context is Context.MODIFY:
        return row.modify
    if context is Context.CANCEL:
        return row.cancel
    return row.data if context is Context.DATA else row.system


class HistoryAnswer(Enum):
    """What a 162 means."""

    WAIT = auto()
    EMPTY = auto()
    FATAL = auto()


def history_answer(text: str) -> HistoryAnswer:
    """Read IB's overloaded code 162 by its text."""
    folded = text.lower()
    if "pacing" in folded:
        return HistoryAnswer.WAIT
    if "no data" in folded or "query cancelled" in folded:
        return HistoryAnswer.EMPTY
    return HistoryAnswer.FATAL
