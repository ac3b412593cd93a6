"""The shape of a generated day, and of each symbol: figures measured on the real files.

A generated day has 1,440 minutes from 18:00 New York time of the evening before. All curves are
relative to the regular session's mean.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np

from ibfloor.sim.market.frames import Floats

DAY_MINUTES = 1440
EVENING = 1080
"""Minute of the local day at which a generated day starts, on the day before."""

Curve = tuple[tuple[int, float], ...]
"""Steps: from this minute after local midnight (negative: the evening before) the value holds."""

MARKET_VOL: Curve = (
    (-360, 0.45), (180, 0.55), (480, 0.59), (570, 1.50), (575, 1.43), (585, 1.26), (600, 1.14), (660, 1.04),
    (720, 0.79), (840, 0.93), (930, 0.83), (945, 1.27), (958, 1.60), (960, 0.45),
)  # fmt: skip
OWN_VOL: Curve = (
    (-360, 0.15), (240, 0.35), (480, 0.60), (570, 2.90), (575, 2.00), (585, 1.45), (600, 1.15), (660, 0.80),
    (930, 0.65), (945, 0.90), (960, 0.30),
)  # fmt: skip
FOREX_VOL: Curve = ((-360, 0.50), (120, 1.00), (480, 1.90), (660, 1.00), (1020, 0.60))
STOCK_VOLUME: Curve = (
    (-360, 0.0), (240, 0.006), (480, 0.08), (570, 4.50), (571, 2.00), (585, 1.50), (600, 1.25), (630, 1.00),
    (660, 0.90), (720, 0.65), (840, 0.70), (900, 0.90), (930, 1.30), (945, 1.90), (955, 3.00), (959, 11.0),
    (960, 0.15), (1020, 0.04),
)  # fmt: skip
FUTURE_VOLUME: Curve = (
    (-360, 0.03), (180, 0.08), (480, 0.17), (570, 2.20), (600, 1.00), (720, 0.60), (840, 0.90), (930, 1.40),
    (960, 0.50), (1020, 0.0),
)  # fmt: skip
NO_VOLUME: Curve = ((-360, 0.0),)
STOCK_SPREAD: Curve = ((-360, 4.0), (480, 1.6), (570, 1.3), (600, 1.0), (960, 1.8))
FUTURE_SPREAD: Curve = ((-360, 1.0),)


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """How one symbol moves and trades; volatilities in basis points per regular minute."""

    px: float
    beta: float = 0.0
    own_bp: float
    own_vol: Curve = OWN_VOL
    sector: str = ""
    sector_bp: float = 0.0
    reverting_bp: float = 0.0
    """Stationary deviation of a mean-reverting part: what ties a symbol to its sector or index."""
    news_bp: float = 0.0
    """Deviation of the jump before the first trade of the day."""
    spread_ticks: float = 1.0
    spread: Curve = STOCK_SPREAD
    volume: int = 0
    """Of a regular session, in shares or contracts."""
    volume_curve: Curve = STOCK_VOLUME
    quote_qty: int
    quotes_per_minute: int = 45
    prints_per_minute: int = 20


PROFILES: dict[str, Profile] = {
    "SPY": Profile(px=450.0, beta=1.0, own_bp=0.0, reverting_bp=0.6, volume=80_000_000, quote_qty=5500),
    "QQQ": Profile(px=370.0, beta=1.05, own_bp=1.3, news_bp=15, volume=40_000_000, quote_qty=3000),
    "IWM": Profile(px=200.0, beta=1.2, own_bp=1.5, news_bp=20, volume=30_000_000, quote_qty=2500),
    "AAPL": Profile(px=180.0, beta=1.1, own_bp=3.7, news_bp=60, volume=50_000_000, quote_qty=300, spread_ticks=2.0),
    "BAC": Profile(px=33.0, beta=1.2, own_bp=3.9, news_bp=60, volume=80_000_000, quote_qty=30_000),
    "KO": Profile(px=60.0, beta=0.5, own_bp=0.0, sector="drinks", sector_bp=2.4, volume=12_000_000, quote_qty=2000),
    "PEP": Profile(
        px=170.0,
        beta=0.5,
        own_bp=0.0,
        sector="drinks",
        sector_bp=2.4,
        reverting_bp=25.0,
        volume=6_000_000,
        quote_qty=400,
        spread_ticks=2.0,
    ),
    "USO": Profile(px=70.0, beta=0.4, own_bp=4.0, news_bp=90, volume=5_000_000, quote_qty=1500),
    "FB": Profile(px=300.0, beta=1.2, own_bp=5.0, news_bp=80, volume=20_000_000, quote_qty=200, spread_ticks=4.0),
    "VXX": Profile(px=25.0, beta=-3.0, own_bp=4.0, news_bp=60, volume=25_000_000, quote_qty=3000),
    "ES": Profile(
        px=4500.0,
        beta=1.0,
        own_bp=0.0,
        reverting_bp=1.0,
        spread=FUTURE_SPREAD,
        volume=1_200_000,
        volume_curve=FUTURE_VOLUME,
        quote_qty=150,
    ),
    "EUR": Profile(
        px=1.0850,
        own_bp=0.55,
        own_vol=FOREX_VOL,
        spread=FUTURE_SPREAD,
        volume_curve=NO_VOLUME,
        quote_qty=2_000_000,
    ),
}
"""By the contract's symbol."""


def curve(steps: Curve) -> Floats:
    """Return a curve's value for each minute of a generated day."""
    values = np.empty(DAY_MINUTES)
    edges = [*(minute for minute, _ in steps), EVENING]
    for (start, end), (_, value) in zip(pairwise(edges), steps, strict=True):
        values[start + 360 : end + 360] = value
    return values
