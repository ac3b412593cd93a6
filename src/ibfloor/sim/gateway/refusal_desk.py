"""What a gateway for one private account refuses, in IB's words, and what it takes without an answer."""

from __future__ import annotations

from collections.abc import Callable

from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec import research_requests as study
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.session import NO_REQUEST, Session

_ADVISOR = (321, "Error validating request.-'bN' : cause - FA data operations ignored for non FA customers.")
_GROUPS = (321, "Error validating request.-'ba' : cause - Display groups are not supported without a TWS window.")
_VERIFICATION = (321, "Error validating request.-'bb' : cause - Verification is not supported for this API client.")
_FUNDAMENTALS = (430, "We are sorry, but fundamentals data for the security specified is not available.")

REFUSED: dict[Table, tuple[int, str]] = {
    study.REQ_ADVISOR_DATA: _ADVISOR,
    study.REPLACE_ADVISOR_DATA: _ADVISOR,
    study.REQ_FUNDAMENTALS: _FUNDAMENTALS,
    study.VERIFY_REQUEST: _VERIFICATION,
    study.VERIFY_MESSAGE: _VERIFICATION,
    study.VERIFY_AND_AUTH_REQUEST: _VERIFICATION,
    study.VERIFY_AND_AUTH_MESSAGE: _VERIFICATION,
    study.QUERY_DISPLAY_GROUPS: _GROUPS,
    study.SUBSCRIBE_DISPLAY_GROUP: _GROUPS,
    study.UPDATE_DISPLAY_GROUP: _GROUPS,
    study.UNSUBSCRIBE_DISPLAY_GROUP: _GROUPS,
    study.REQ_NEWS_ARTICLE: (10172, "Failed to request news article:No data available"),
    study.REQ_WSH_META_DATA: (10276, "News feed is not allowed"),
    study.CANCEL_WSH_META_DATA: (10280, "Failed to cancel WSH meta data."),
    study.REQ_WSH_EVENTS: (10282, "WSH meta data were not requested."),
    study.CANCEL_WSH_EVENTS: (10284, "Failed to cancel WSH event data."),
}
"""Code and text of every request that is never granted."""
UNANSWERED = frozenset(
    {
        ask.SET_LOG_LEVEL,
        study.REQ_NEWS_BULLETINS,
        study.CANCEL_NEWS_BULLETINS,
        study.CANCEL_FUNDAMENTALS,
        study.CANCEL_IMPLIED_VOLATILITY,
        study.CANCEL_OPTION_PRICE,
        study.CANCEL_HISTOGRAM,
        ask.CANCEL_HEAD_TIMESTAMP,
    }
)
"""Requests that IB takes in silence: no bulletin ever comes, and what they cancel is answered at once."""


class RefusalDesk:
    """Answers what is refused. Owner: the gateway's one thread."""

    def __init__(self) -> None:
        self.routes: dict[Table, Callable[[Session, Values], None]] = {
            **{table: _refuser(*refusal) for table, refusal in REFUSED.items()},
            **dict.fromkeys(UNANSWERED, lambda _session, _values: None),
        }

    def drop(self, session: Session) -> None:
        """Forget a session: nothing is kept here."""


def _refuser(code: int, text: str) -> Callable[[Session, Values], None]:
    def refuse(session: Session, values: Values) -> None:
        req_id = values.get("req_id")
        session.fail(req_id if isinstance(req_id, int) else NO_REQUEST, code, text)

    return refuse
