"""Market scanners on the wire: the stocks of the master, ranked by what they did today."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ibfloor.model.instrument import SecurityType
from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.gateway.clock import SimClock
from ibfloor.sim.gateway.codec import research_requests as study
from ibfloor.sim.gateway.codec import research_responses as found
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.contracts import contract_values
from ibfloor.sim.gateway.marks import mark_of
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.gateway.values import forget_session, number_of, text_of
from ibfloor.sim.market.securities import Security
from ibfloor.sim.market.source import Market

PERIOD_NS = 30 * NS_PER_S
"""A scan is told again this often, in market time."""
ROWS_MAX = 50
SUBSCRIPTIONS_MAX = 10
_INSTRUMENTS = {"STK": "US Stocks", "ETF.EQ.US": "US Equity ETFs"}
_LOCATIONS = {
    "STK.US": ("US Stocks", ()),
    "STK.US.MAJOR": ("Listed/NASDAQ", ()),
    "STK.NYSE": ("NYSE", ("NYSE",)),
    "STK.NASDAQ": ("NASDAQ", ("NASDAQ",)),
    "STK.ARCA": ("NYSE Arca", ("ARCA",)),
    "ETF.EQ.US": ("US ETFs", ()),
    "ETF.EQ.US.MAJOR": ("Listed/NASDAQ ETFs", ()),
}
_FAILED = "Historical Market Data Service error message:"

Measure = Callable[[Market, Security], Decimal | None]
_Key = tuple[Session, int]


def _change(market: Market, security: Security) -> Decimal | None:
    px, before = mark_of(market, security.instrument_id), market.day(security.instrument_id).prev_close_px
    return None if px is None or not before else px / before - 1


def _volume(market: Market, security: Security) -> Decimal | None:
    return market.day(security.instrument_id).volume or None


def _turnover(market: Market, security: Security) -> Decimal | None:
    px, volume = mark_of(market, security.instrument_id), market.day(security.instrument_id).volume
    return None if px is None or not volume else px * volume


def _range(market: Market, security: Security) -> Decimal | None:
    day = market.day(security.instrument_id)
    return None if day.high_px is None or not day.low_px else day.high_px / day.low_px - 1


SCANS: dict[str, tuple[str, Measure, bool]] = {
    "TOP_PERC_GAIN": ("Top % Gainers", _change, True),
    "TOP_PERC_LOSE": ("Top % Losers", _change, False),
    "MOST_ACTIVE": ("Most Active", _volume, True),
    "MOST_ACTIVE_USD": ("Most Active ($)", _turnover, True),
    "HOT_BY_PRICE_RANGE": ("Hot Contracts by Price Range", _range, True),
}
"""Every scan there is: what it is called, what it measures, and whether the most comes first."""


class ScannerDesk:
    """Keeps scanner subscriptions. Owner: the gateway's one thread."""

    def __init__(self, market: Market, clock: SimClock) -> None:
        self._market = market
        self._clock = clock
        self._scans: dict[_Key, Values] = {}
        self._next_ns = 0
        self.routes: dict[Table, Callable[[Session, Values], None]] = {
            study.REQ_SCANNER_PARAMETERS: lambda session, _: session.send(
                found.SCANNER_PARAMETERS, xml=parameters_xml()
            ),
            study.REQ_SCANNER: self._subscribe,
            study.CANCEL_SCANNER: self._cancel,
        }

    def drop(self, session: Session) -> None:
        """Forget a session's subscriptions."""
        forget_session(self._scans, session)

    def on_time(self, now_ns: int) -> None:
        """Tell every scan again when it is due."""
        if self._scans and now_ns >= self._next_ns:
            self._next_ns = now_ns + PERIOD_NS
            for (session, req_id), values in self._scans.items():
                self._tell(session, req_id, values)

    def _subscribe(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        if text_of(values, "scan_code") not in SCANS:
            session.fail(req_id, 162, f"{_FAILED}Scanner type {text_of(values, 'scan_code')!r} is not found.")
        elif text_of(values, "location") not in _LOCATIONS or text_of(values, "instrument") not in _INSTRUMENTS:
            session.fail(req_id, 162, f"{_FAILED}Invalid instrument or location code.")
        elif sum(1 for key in self._scans if key[0] is session) >= SUBSCRIPTIONS_MAX:
            session.fail(req_id, 162, f"{_FAILED}Only {SUBSCRIPTIONS_MAX} simultaneous API scanner subscriptions.")
        else:
            self._scans[session, req_id] = values
            self._tell(session, req_id, values)

    def _cancel(self, session: Session, values: Values) -> None:
        req_id = number_of(values, "req_id")
        if self._scans.pop((session, req_id), None) is None:
            session.fail(req_id, 365, f"No scanner subscription found for ticker id:{req_id}")

    def _tell(self, session: Session, req_id: int, values: Values) -> None:
        _, measure, most_first = SCANS[text_of(values, "scan_code")]
        measured = [
            (value, security)
            for security in self._market.master
            if self._is_wanted(security, values) and (value := measure(self._market, security)) is not None
        ]
        measured.sort(key=lambda pair: pair[0], reverse=most_first)
        wanted = values.get("rows")
        count = wanted if isinstance(wanted, int) and 0 < wanted < ROWS_MAX else ROWS_MAX
        rows: list[Values] = [
            {**contract_values(security.instrument), "rank": rank, "market_name": security.market_name}
            for rank, (_, security) in enumerate(measured[:count])
        ]
        session.send(found.SCANNER_DATA, req_id=req_id, rows=rows)
        if not rows:
            session.fail(req_id, 165, "Historical Market Data Service query message:no items retrieved")

    def _is_wanted(self, security: Security, values: Values) -> bool:
        venues = _LOCATIONS[text_of(values, "location")][1]
        if security.instrument.contract.security_type is not SecurityType.STOCK:
            return False
        if text_of(values, "instrument").startswith("ETF") and security.stock_type != "ETF":
            return False
        if venues and security.instrument.primary_exchange not in venues:
            return False
        px = mark_of(self._market, security.instrument_id)
        volume = self._market.day(security.instrument_id).volume
        return (
            px is not None
            and _at_least(px, values.get("above_price"))
            and _at_least(volume, values.get("above_volume"))
            and (not isinstance(below := values.get("below_price"), Decimal) or px <= below)
        )


def _at_least(value: Decimal, bound: object) -> bool:
    return not isinstance(bound, Decimal) or value >= bound


def parameters_xml() -> str:
    """Return the scanner parameters: instruments, locations and scans, in the broker's form."""
    instruments = "".join(
        f"<Instrument><name>{name}</name><type>{code}</type></Instrument>" for code, name in _INSTRUMENTS.items()
    )
    locations = "".join(
        f"<Location><displayName>{name}</displayName><locationCode>{code}</locationCode></Location>"
        for code, (name, _) in _LOCATIONS.items()
    )
    scans = "".join(
        f"<ScanType><displayName>{name}</displayName><scanCode>{code}</scanCode></ScanType>"
        for code, (name, _, _) in SCANS.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ScanParameterResponse>'
        f"<InstrumentList>{instruments}</InstrumentList><LocationTree>{locations}</LocationTree>"
        f"<ScanTypeList>{scans}</ScanTypeList></ScanParameterResponse>"
    )
