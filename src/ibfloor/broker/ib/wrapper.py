"""What the decoder calls: one table, message name -> handler, with every name it may ever call.

A name the decoder does not find on its wrapper is a message lost without a word; here all are
known, and those no session asked for are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC
from types import SimpleNamespace
from typing import Any

Handler = Callable[..., None]

LIFECYCLE = frozenset({"connectAck", "setEventsDone", "connectionClosed"})
EVERY_MESSAGE = LIFECYCLE | frozenset(
    """
    priceSizeTick error openOrder completedOrder execDetails commissionReport position positionMulti
    updatePortfolio contractDetails bondContractDetails historicalData historicalDataEnd historicalDataUpdate
    tickByTickAllLast tickByTickBidAsk tickByTickMidPoint tickOptionComputation securityDefinitionOptionParameter
    symbolSamples marketRule orderStatus tickSize tickGeneric tickString tickReqParams marketDataType
    tickSnapshotEnd realtimeBar nextValidId managedAccounts contractDetailsEnd openOrderEnd completedOrdersEnd
    execDetailsEnd orderBound updateAccountValue updateAccountTime accountDownloadEnd accountUpdateMulti
    accountUpdateMultiEnd accountSummary accountSummaryEnd positionEnd positionMultiEnd pnl pnlSingle
    headTimestamp securityDefinitionOptionParameterEnd currentTime
    updateMktDepth updateMktDepthL2 updateNewsBulletin receiveFA scannerParameters scannerData scannerDataEnd
    tickEFP fundamentalData deltaNeutralValidation verifyMessageAPI verifyCompleted displayGroupList
    displayGroupUpdated verifyAndAuthMessageAPI verifyAndAuthCompleted softDollarTiers familyCodes
    mktDepthExchanges smartComponents newsArticle tickNews newsProviders historicalNews historicalNewsEnd
    histogramData rerouteMktDataReq rerouteMktDepthReq historicalTicks historicalTicksBidAsk historicalTicksLast
    replaceFAEnd wshMetaData wshEventData historicalSchedule userInfo
    """.split()  # noqa: SIM905 - ninety names read better as prose
)


class IbWrapper:
    """Route decoded messages to a session's handlers; owner: the session's thread."""

    def __init__(self, handlers: Mapping[str, Handler], *, naive_zone: str) -> None:
        if unknown := handlers.keys() - EVERY_MESSAGE:
            raise ValueError(f"the decoder never calls {', '.join(sorted(unknown))}")
        self._handlers = dict(handlers)
        self.unasked: Counter[str] = Counter()
        # The decoder reads these two for execution times without a zone.
        self.defaultTimezone = UTC
        self.ib = SimpleNamespace(TimezoneTWS=naive_zone)

    def __getattr__(self, name: str) -> Handler:
        handlers = self.__dict__.get("_handlers", {})
        if name in handlers:
            handler: Handler = handlers[name]
            return handler
        if name in EVERY_MESSAGE:
            return self._counter(name)
        raise AttributeError(name)

    def _counter(self, name: str) -> Handler:
        def count(*_: Any) -> None:
            if name not in LIFECYCLE:
                self.unasked[name] += 1

        return count
