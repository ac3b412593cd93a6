"""The form of a file of securities: what each table may say, and its defaults."""

from __future__ import annotations

import msgspec


class Motion(msgspec.Struct, frozen=True, kw_only=True):
    """How a listed security moves and trades in the generated market."""

    px: float
    """On the first day of history, if nothing it follows had moved."""
    follows: dict[str, float] | None = None
    """Log price per log price of others: symbols of the default list, or names of this file."""
    own_bp: float = 0.0
    """Deviation of its own part, in basis points per regular minute."""
    carry: float = 0.0
    """Of a future: yearly premium over what it follows, which melts until expiry."""
    volume: int = 0
    """Of a session."""
    quote_qty: int = 500
    spread_ticks: float = 1.0
    quotes_per_minute: int = 15
    prints_per_minute: int = 8


class StockEntry(Motion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[stock]]``."""

    symbol: str
    exchange: str
    """The primary exchange."""
    currency: str = "USD"
    session: str = "us_stocks"
    rule: str = "us_stock"
    name: str = ""
    kind: str = "COMMON"
    lot: int = 1
    isin: str = ""
    con_id: int = 0


class FutureEntry(Motion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[future]]``: some contract months of one root."""

    symbol: str
    exchange: str
    currency: str = "USD"
    session: str = "cme_index"
    multiplier: str
    tick: str
    months: str = "HMUZ"
    """Codes of the months that are listed."""
    count: int = 2
    """How many of them, from the front."""
    expires: str = "third_friday"
    name: str = ""
    underlying: str = ""
    far_beta: float = 1.0
    """By how much each month further out moves less than the one before."""


class ForexEntry(Motion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[forex]]``."""

    pair: str
    tick: str = "0.00005"
    name: str = ""
    con_id: int = 0


class IndexEntry(Motion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[index]]``: data only."""

    symbol: str
    exchange: str
    currency: str = "USD"
    session: str = "us_options"
    tick: str = "0.01"
    name: str = ""
    con_id: int = 0


class OptionsEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[options]]``: a chain on one stock, priced off it."""

    underlying: str
    weeks: int = 2
    """Weekly expiries from the market day on."""
    months: int = 2
    """Monthly expiries after those."""
    strikes: int = 9
    step: str
    around: float
    """The middle strike."""
    rule: str = "us_option"
    volatility: float = 0.25
    skew: float = -0.15
    """Change of volatility per unit of log moneyness."""
    rate: float = 0.04


class SecuritiesFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    stock: list[StockEntry] = []
    future: list[FutureEntry] = []
    forex: list[ForexEntry] = []
    index: list[IndexEntry] = []
    options: list[OptionsEntry] = []
