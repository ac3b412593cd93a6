"""The transition table of an order: every (state, report) edge, each with its reason.

Three laws: quantities come from executions alone; a finished order comes to life again only by a
fill, or when the broker's own list shows it working; the unknown is a state and is never guessed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from ibfloor.model.order import OrdStatus


class Report(StrEnum):
    """What may be heard of an order."""

    PENDING_NEW = "the broker holds it, not yet working"
    WORKING = "the broker says it works"
    PENDING_CANCEL = "the broker says a cancel is under way"
    PENDING_REPLACE = "the broker says a change is under way"
    COMPLETE = "the broker says it is filled, and its executions are known"
    FILLS_DUE = "the broker says it is filled, but executions are still to come"
    CANCELED = "the broker says it is canceled"
    CANCELED_FILLS_DUE = "the broker says it is canceled, but executions are still to come"
    REJECTED = "the broker refused it"
    CHANGE_REFUSED = "the broker refused a change of it"
    DOUBTED = "nobody knows whether it reached the broker"
    CANCEL_REQUESTED = "a cancel was asked for"
    REPLACE_REQUESTED = "a change was asked for"
    FILLED_IN_PART = "executions cover a part of it"
    FILLED_IN_FULL = "executions cover all of it"
    CORRECTED = "a correction took back some of what was filled"
    ADOPTED = "the broker's own list shows it working"


class Edge(NamedTuple):
    """Where a report leads, and why. The same state means: nothing changes."""

    to: OrdStatus
    reason: str


_PENDING_NEW = OrdStatus.PENDING_NEW
_NEW = OrdStatus.NEW
_PARTIAL = OrdStatus.PARTIALLY_FILLED
_FILLED = OrdStatus.FILLED
_PENDING_CANCEL = OrdStatus.PENDING_CANCEL
_PENDING_REPLACE = OrdStatus.PENDING_REPLACE
_CANCELED = OrdStatus.CANCELED
_REJECTED = OrdStatus.REJECTED
_UNKNOWN = OrdStatus.UNKNOWN

_FROM_PENDING_NEW = {
    Report.PENDING_NEW: Edge(_PENDING_NEW, "said again"),
    Report.WORKING: Edge(_NEW, "acknowledged"),
    Report.PENDING_CANCEL: Edge(_PENDING_CANCEL, "somebody cancels it before it was acknowledged"),
    Report.PENDING_REPLACE: Edge(_PENDING_REPLACE, "somebody changes it before it was acknowledged"),
    Report.COMPLETE: Edge(_FILLED, "the acknowledgement was lost, the executions were not"),
    Report.FILLS_DUE: Edge(_NEW, "it arrived; the executions decide how much is filled"),
    Report.CANCELED: Edge(_CANCELED, "canceled before it was acknowledged"),
    Report.CANCELED_FILLS_DUE: Edge(_PENDING_CANCEL, "it ends when its executions are here"),
    Report.REJECTED: Edge(_REJECTED, "refused"),
    Report.CHANGE_REFUSED: Edge(_PENDING_NEW, "no change was open: nothing is refused"),
    Report.DOUBTED: Edge(_UNKNOWN, "no acknowledgement came"),
    Report.CANCEL_REQUESTED: Edge(_PENDING_CANCEL, "we cancel it before it was acknowledged"),
    Report.REPLACE_REQUESTED: Edge(_PENDING_REPLACE, "we change it before it was acknowledged"),
    Report.FILLED_IN_PART: Edge(_PARTIAL, "the execution came before the acknowledgement"),
    Report.FILLED_IN_FULL: Edge(_FILLED, "the execution came before the acknowledgement"),
    Report.CORRECTED: Edge(_PENDING_NEW, "only the quantities change"),
    Report.ADOPTED: Edge(_NEW, "the broker lists it"),
}

_FROM_NEW = {
    Report.PENDING_NEW: Edge(_NEW, "an older report, overtaken by the acknowledgement"),
    Report.WORKING: Edge(_NEW, "said again"),
    Report.PENDING_CANCEL: Edge(_PENDING_CANCEL, "a cancel is under way"),
    Report.PENDING_REPLACE: Edge(_PENDING_REPLACE, "a change is under way"),
    Report.COMPLETE: Edge(_FILLED, "filled"),
    Report.FILLS_DUE: Edge(_NEW, "the executions decide how much is filled"),
    Report.CANCELED: Edge(_CANCELED, "canceled, expired or replaced by hand"),
    Report.CANCELED_FILLS_DUE: Edge(_PENDING_CANCEL, "it ends when its executions are here"),
    Report.REJECTED: Edge(_REJECTED, "refused after it was acknowledged: a margin check, an exchange"),
    Report.CHANGE_REFUSED: Edge(_NEW, "no change was open: nothing is refused"),
    Report.DOUBTED: Edge(_UNKNOWN, "the session was lost"),
    Report.CANCEL_REQUESTED: Edge(_PENDING_CANCEL, "we cancel it"),
    Report.REPLACE_REQUESTED: Edge(_PENDING_REPLACE, "we change it"),
    Report.FILLED_IN_PART: Edge(_PARTIAL, "executed"),
    Report.FILLED_IN_FULL: Edge(_FILLED, "executed"),
    Report.CORRECTED: Edge(_NEW, "only the quantities change"),
    Report.ADOPTED: Edge(_NEW, "the broker lists it"),
}

_FROM_PARTIAL = {
    **_FROM_NEW,
    Report.PENDING_NEW: Edge(_PARTIAL, "an older report: what is filled stays filled"),
    Report.WORKING: Edge(_PARTIAL, "the rest works on"),
    Report.FILLS_DUE: Edge(_PARTIAL, "the executions decide how much is filled"),
    Report.REJECTED: Edge(_CANCELED, "what has filled was not refused: the rest is gone"),
    Report.CHANGE_REFUSED: Edge(_PARTIAL, "no change was open: nothing is refused"),
    Report.CORRECTED: Edge(_PARTIAL, "only the quantities change"),
    Report.ADOPTED: Edge(_PARTIAL, "the broker lists it"),
}

_FROM_PENDING_CANCEL = {
    Report.PENDING_NEW: Edge(_PENDING_CANCEL, "an older report, overtaken by the cancel"),
    Report.WORKING: Edge(_PENDING_CANCEL, "an older report, or the cancel is not through yet"),
    Report.PENDING_CANCEL: Edge(_PENDING_CANCEL, "said again"),
    Report.PENDING_REPLACE: Edge(_PENDING_CANCEL, "the cancel is the later wish"),
    Report.COMPLETE: Edge(_FILLED, "the fill was faster than the cancel"),
    Report.FILLS_DUE: Edge(_PENDING_CANCEL, "the fill was faster; the executions decide"),
    Report.CANCELED: Edge(_CANCELED, "canceled as asked"),
    Report.CANCELED_FILLS_DUE: Edge(_PENDING_CANCEL, "it ends when its executions are here"),
    Report.REJECTED: Edge(_REJECTED, "refused while we canceled it"),
    Report.CHANGE_REFUSED: Edge(_PENDING_CANCEL, "the change is void anyway: the order is being canceled"),
    Report.DOUBTED: Edge(_UNKNOWN, "the session was lost while we canceled it"),
    Report.CANCEL_REQUESTED: Edge(_PENDING_CANCEL, "asked again"),
    Report.REPLACE_REQUESTED: Edge(_PENDING_CANCEL, "the cancel stays: an order being canceled is not changed"),
    Report.FILLED_IN_PART: Edge(_PENDING_CANCEL, "executed while we canceled it; the rest is still to be canceled"),
    Report.FILLED_IN_FULL: Edge(_FILLED, "the fill was faster than the cancel"),
    Report.CORRECTED: Edge(_PENDING_CANCEL, "only the quantities change"),
    Report.ADOPTED: Edge(_PENDING_CANCEL, "the cancel is not through yet"),
}

_FROM_PENDING_REPLACE = {
    Report.PENDING_NEW: Edge(_PENDING_REPLACE, "an older report"),
    Report.WORKING: Edge(_NEW, "the change is taken"),
    Report.PENDING_CANCEL: Edge(_PENDING_CANCEL, "a cancel is under way"),
    Report.PENDING_REPLACE: Edge(_PENDING_REPLACE, "said again"),
    Report.COMPLETE: Edge(_FILLED, "the fill was faster than the change"),
    Report.FILLS_DUE: Edge(_PENDING_REPLACE, "the fill was faster; the executions decide"),
    Report.CANCELED: Edge(_CANCELED, "canceled instead of changed"),
    Report.CANCELED_FILLS_DUE: Edge(_PENDING_CANCEL, "it ends when its executions are here"),
    Report.REJECTED: Edge(_REJECTED, "the order itself is refused, or never arrived"),
    Report.CHANGE_REFUSED: Edge(_NEW, "the order lives on as it was"),
    Report.DOUBTED: Edge(_UNKNOWN, "the session was lost while we changed it"),
    Report.CANCEL_REQUESTED: Edge(_PENDING_CANCEL, "we cancel it"),
    Report.REPLACE_REQUESTED: Edge(_PENDING_REPLACE, "we change it again"),
    Report.FILLED_IN_PART: Edge(_PENDING_REPLACE, "executed while we changed it"),
    Report.FILLED_IN_FULL: Edge(_FILLED, "the fill was faster than the change"),
    Report.CORRECTED: Edge(_PENDING_REPLACE, "only the quantities change"),
    Report.ADOPTED: Edge(_PENDING_REPLACE, "the change is not through yet"),
}

_FROM_UNKNOWN = {
    Report.PENDING_NEW: Edge(_PENDING_NEW, "the broker holds it after all"),
    Report.WORKING: Edge(_NEW, "it arrived and works"),
    Report.PENDING_CANCEL: Edge(_PENDING_CANCEL, "it arrived and is being canceled"),
    Report.PENDING_REPLACE: Edge(_PENDING_REPLACE, "it arrived and is being changed"),
    Report.COMPLETE: Edge(_FILLED, "it arrived and filled"),
    Report.FILLS_DUE: Edge(_UNKNOWN, "it filled; it stays unknown until the executions are here"),
    Report.CANCELED: Edge(_CANCELED, "it arrived and was canceled"),
    Report.CANCELED_FILLS_DUE: Edge(_UNKNOWN, "canceled; it stays unknown until the executions are here"),
    Report.REJECTED: Edge(_REJECTED, "it was refused, or never arrived"),
    Report.CHANGE_REFUSED: Edge(_UNKNOWN, "whether the refusal is of the change or of the order is not known: ask"),
    Report.DOUBTED: Edge(_UNKNOWN, "still not known"),
    Report.CANCEL_REQUESTED: Edge(_UNKNOWN, "a cancel proves nothing: its answer will"),
    Report.REPLACE_REQUESTED: Edge(_UNKNOWN, "a change proves nothing: its answer will"),
    Report.FILLED_IN_PART: Edge(_UNKNOWN, "it arrived, but whether the rest still works is not known"),
    Report.FILLED_IN_FULL: Edge(_FILLED, "it arrived and filled"),
    Report.CORRECTED: Edge(_UNKNOWN, "only the quantities change"),
    Report.ADOPTED: Edge(_NEW, "the broker lists it"),
}

_LATE = "a finished order: a late or repeated report says nothing new"

_FROM_FILLED = {
    **dict.fromkeys(Report, Edge(_FILLED, _LATE)),
    Report.CANCELED: Edge(_FILLED, "canceled after it filled: nothing was left to cancel"),
    Report.FILLED_IN_PART: Edge(_FILLED, "an execution of less than nothing changes no state"),
    Report.FILLED_IN_FULL: Edge(_FILLED, "filled beyond its quantity: the broker's word counts"),
    Report.CORRECTED: Edge(_UNKNOWN, "a correction took back some of it: does the rest work? ask"),
    Report.ADOPTED: Edge(_UNKNOWN, "filled here, working there: ask"),
}

_FROM_CANCELED = {
    **dict.fromkeys(Report, Edge(_CANCELED, _LATE)),
    Report.FILLED_IN_PART: Edge(_CANCELED, "a late execution: it was filled before it was canceled"),
    Report.FILLED_IN_FULL: Edge(_FILLED, "late executions filled all of it: the cancel came too late"),
    Report.CORRECTED: Edge(_CANCELED, "only the quantities change"),
    Report.ADOPTED: Edge(_UNKNOWN, "canceled here, working there: ask"),
}

_FROM_REJECTED = {
    **dict.fromkeys(Report, Edge(_REJECTED, _LATE)),
    Report.FILLED_IN_PART: Edge(_UNKNOWN, "an order that fills was not refused; does the rest work? ask"),
    Report.FILLED_IN_FULL: Edge(_FILLED, "an order that fills was not refused"),
    Report.CORRECTED: Edge(_REJECTED, "only the quantities change"),
    Report.ADOPTED: Edge(_UNKNOWN, "refused here, working there: ask"),
}

TRANSITIONS: dict[OrdStatus, dict[Report, Edge]] = {
    OrdStatus.PENDING_NEW: _FROM_PENDING_NEW,
    OrdStatus.NEW: _FROM_NEW,
    OrdStatus.PARTIALLY_FILLED: _FROM_PARTIAL,
    OrdStatus.PENDING_CANCEL: _FROM_PENDING_CANCEL,
    OrdStatus.PENDING_REPLACE: _FROM_PENDING_REPLACE,
    OrdStatus.UNKNOWN: _FROM_UNKNOWN,
    OrdStatus.FILLED: _FROM_FILLED,
    OrdStatus.CANCELED: _FROM_CANCELED,
    OrdStatus.REJECTED: _FROM_REJECTED,
}
"""All edges; a test holds that none is missing."""
