"""Recorded days played again: real minutes of SPY, BAC, AAPL, ES and EUR.USD as ticks.

Each record is moved to the market's days, the same minute of the local day: its anchor plays on
the day of the start, the sessions before it are history, those after it follow. Anchors: 9 October
2013 for SPY, BAC, ES and every symbol known by days only (QQQ, IWM, USO, FB; VXX by hours), 6 June
2014 for AAPL (its last day before a split), 2 May 2014 for EUR.USD. What is real and what is not:

- one-minute bars of trades and quotes are real; the ticks within a minute are a plausible path
  that visits their open, high, low and close and adds up to their volume (``path``);
- EUR.USD's ticks are real, and played exactly: they lie between the steps at which the broker takes
  prices; their sizes are invented. ES has no recorded quotes: they stand one tick wide around its trades;
- sessions known by daily bars only become plausible minutes of regular hours between that bar's
  open, high, low and close, with the usual volume by time of day;
- a symbol that no file holds (KO, PEP) is generated (``generated``), as ``sources`` tells, and so
  is every security of a ``listing``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from ibfloor.model.errors import ConfigError
from ibfloor.model.instrument import SecurityType
from ibfloor.model.moment import to_datetime
from ibfloor.sim.market.exact import TickRows
from ibfloor.sim.market.files import NO_MINUTES, MarketFolder
from ibfloor.sim.market.generated import NOTHING_LISTED, chosen, generated_tapes
from ibfloor.sim.market.listing import Listing
from ibfloor.sim.market.plan import MarketEvent, planned, unplanned
from ibfloor.sim.market.profiles import PROFILES
from ibfloor.sim.market.recorded import Recorded, RecordedSource
from ibfloor.sim.market.securities import Security, default_master
from ibfloor.sim.market.stream import StreamMarket
from ibfloor.sim.market.tables import record_of_ticks
from ibfloor.sim.market.tape import Tape

_ANCHOR = date(2013, 10, 9)
_ANCHORS = {"AAPL": date(2014, 6, 6), "EUR": date(2014, 5, 2)}
_EXPIRIES = ("201312", "201403")
"""Of the recorded futures that play the front and the next month."""

TICKS, MINUTES, DAYS, GENERATED = "ticks", "minutes", "days", "generated"


class ReplayMarket(StreamMarket):
    """Plays the files of a folder from a start on; reads them when made.

    ``symbols`` are symbols or local symbols of the master; empty means all. Raises ``ConfigError``
    for an unknown symbol, an absent folder or file, a file without a column it needs, or a record
    that does not hold its anchor day.
    """

    def __init__(
        self,
        folder: Path,
        start_ns: int,
        symbols: Sequence[str] = (),
        *,
        seed: int = 0,
        listing: Listing = NOTHING_LISTED,
        plan: Sequence[MarketEvent] = (),
    ) -> None:
        master = listing.master_with(default_master(f"{to_datetime(start_ns):%Y%m%d}"))
        listed = {one.security.instrument_id for one in listing.listed}
        securities = chosen(master, symbols)
        files = MarketFolder(folder)
        self.sources: dict[str, str] = {}
        tapes: list[Tape] = []
        for security, substitute in zip(
            securities, generated_tapes(seed, start_ns, securities, listing, plan), strict=True
        ):
            record = None if security.instrument_id in listed else _record(files, security)
            if record is None or record.is_empty:
                self.sources[security.name] = GENERATED
                tapes.append(substitute)
                continue
            self.sources[security.name] = TICKS if record.ticks else MINUTES if record.minute_days else DAYS
            source = _source(record, folder, start_ns, seed)
            exact = None if record.ticks is None else unplanned(source.ticks, security, master, plan)
            tapes.append(Tape(record.security, planned(source, security, master, plan), seed, exact))
        super().__init__(master, tapes, start_ns)


def _anchor(security: Security) -> date:
    return _ANCHORS.get(security.symbol, _ANCHOR)


def _record(files: MarketFolder, security: Security) -> Recorded:
    around, profile = _anchor(security), PROFILES[security.symbol]
    match security.instrument.contract.security_type:
        case SecurityType.FUTURE:
            expiry = _EXPIRIES[security.is_back_month]
            return Recorded(security, files.future_minutes(security, around, expiry, profile.quote_qty), [])
        case SecurityType.FOREX:
            found = record_of_ticks(security, TickRows.of_quotes(*files.forex_quotes(around)), profile.quote_qty)
            if found is None:
                return Recorded(security, NO_MINUTES, files.forex_days(security, around))
            days = files.forex_days(found.security, around)
            return Recorded(found.security, found.minutes, days, found.ticks)
        case _:
            return Recorded(security, files.stock_minutes(security, around), files.stock_days(security, around))


def _source(record: Recorded, folder: Path, start_ns: int, seed: int) -> RecordedSource:
    security = record.security
    anchor = _anchor(security)
    if not record.dates(anchor):
        raise ConfigError(
            f"the records of {security.name} in {folder} do not hold {anchor}, the day the replay starts with: "
            "replace them by the files the README there describes"
        )
    start = security.session.day_of(start_ns)
    return RecordedSource(record, anchor, start, PROFILES[security.symbol], seed)
