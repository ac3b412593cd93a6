"""Presets of market data, history and contracts."""

from __future__ import annotations

from ibfloor.sim.faults import actions as do
from ibfloor.sim.faults.plan import When
from ibfloor.sim.faults.presets.making import Preset, often, one, several

_PACING = "Historical Market Data Service error message:Historical data request pacing violation"
_NO_DATA = "Historical Market Data Service error message:HMDS query returned no data"
_STEP = "Historical Market Data Service error message:Invalid step"
_ZONE_WRONG = "End Date/Time: The date, time, or time-zone entered is invalid."
_ZONE_MISSING = "Warning: You submitted request with date-time attributes without explicit time zone."
_HISTORY = often("in:req_historical_data", 1)
_NO_CONTRACT = do.Fail(code=200, text="No security definition has been found for the request", copies=2)

DATA: dict[str, Preset] = {
    "farms-idle": several(
        "both data farms go idle: 2107, 2108; nothing stops",
        (
            "quotes-idle",
            do.Notice(
                code=2108, text="Market data farm connection is inactive but should be available upon demand.usfarm"
            ),
            When(),
        ),
        (
            "history-idle",
            do.Notice(
                code=2107, text="HMDS data farm connection is inactive but should be available upon demand.ushmds"
            ),
            When(),
        ),
    ),
    "farm-flap": one(
        "the quote farm breaks for 5 s every minute: 2103, 2104",
        "farm-flap",
        do.FarmDown(for_s=5),
        When(every_s=60, times=0),
    ),
    "history-farm-down": one(
        "the history farm is away for a minute: 2105, 162", "history-farm-down", do.FarmDown(history=True, for_s=60)
    ),
    "halt": one("SPY is halted for a minute: tick 49; nothing trades", "halt", do.Halt(symbol="SPY", for_s=60)),
    "volatility-pause": one(
        "SPY is paused for its volatility for a minute: tick 49 is 2",
        "volatility-pause",
        do.Halt(symbol="SPY", volatility=True, for_s=60),
    ),
    "competing-session": one(
        "another session takes the market data for 30 s: 10197", "competing-session", do.Compete()
    ),
    "pacing": one(
        "162 for every historical request",
        "pacing",
        do.Fail(code=162, text=_PACING),
        often("in:req_historical_data", 1),
    ),
    "history-empty": one(
        "162 for every historical request: no data", "history-empty", do.Fail(code=162, text=_NO_DATA), _HISTORY
    ),
    "history-invalid": one(
        "162 for every historical request: an invalid step", "history-invalid", do.Fail(code=162, text=_STEP), _HISTORY
    ),
    "history-zone": several(
        "the first historical request is refused for its time zone, 10314; those after it are warned, 2174",
        ("history-zone-error", do.Fail(code=10314, text=_ZONE_WRONG), When(on=_HISTORY.on)),
        ("history-zone-warning", do.Remark(code=2174, text=_ZONE_MISSING), When(on=_HISTORY.on, nth=2, times=0)),
    ),
    "history-info": one(
        "165, which is no failure, beside every historical answer",
        "history-info",
        do.Remark(code=165, text="Historical Market Data Service query message:query continues."),
        _HISTORY,
    ),
    "history-lost": one(
        "366 ends every historical request that is kept up to date",
        "history-lost",
        do.LoseStreams(streams="history", code=366, text="No historical data query found for ticker id"),
    ),
    "bust-event": one(
        "10225 ends every stream of five-second bars: a bust",
        "bust-event",
        do.LoseStreams(code=10225, text="Bust event occurred, current subscription is deactivated."),
    ),
    "streams-lost": one("10182 ends every stream of bars", "streams-lost", do.LoseStreams()),
    "delayed-data": one(
        "no permission for live quotes: 354, or 10167 and delayed ones", "delayed-data", do.NoPermission()
    ),
    "no-permission": one(
        "no permission for quotes, delayed ones neither: 10168",
        "no-permission",
        do.NoPermission(code=10168, delayed=False),
    ),
    "subscription-missing": one(
        "quotes need another subscription: 10089", "subscription-missing", do.NoPermission(code=10089)
    ),
    "part-permission": one(
        "quotes of SPY are not subscribed in part: 10090",
        "part-permission",
        do.NoPermission(code=10090, symbols=("SPY",)),
    ),
    "unknown-contract": one(
        "200, twice, for the next contract asked for",
        "unknown-contract",
        _NO_CONTRACT,
        When(on="in:req_contract_details"),
    ),
    "contract-twin": one(
        "every contract asked for is found twice, the second time on another exchange",
        "contract-twin",
        do.Duplicate(fields={"con_id": 99, "primary_exchange": "LSE"}),
        often("out:contract_details", 1),
    ),
}
