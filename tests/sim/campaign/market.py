"""A market for the campaign: a few stocks on a seeded random walk, made before the run."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from ibfloor.model.moment import NS_PER_S
from ibfloor.sim.exchange.values import BookTop, MarketTick, TapePrint
from ibfloor.sim.gateway.scripted import ScriptedMarket
from ibfloor.sim.market.securities import SecurityMaster, default_master

SYMBOLS = {"SPY": 168.0, "QQQ": 79.0}
CENT = Decimal("0.01")


class WalkMarket(ScriptedMarket):
    """Quotes about every second and some prints, from the seed alone."""

    def __init__(self, seed: str, start_ns: int, seconds: float) -> None:
        whole = default_master()
        chosen = [security for security in whole if security.symbol in SYMBOLS]
        super().__init__(SecurityMaster(tuple(chosen)))
        random = Random(f"{seed}:market")
        ticks: list[MarketTick] = []
        for security in chosen:
            ticks += _walk(random, security.instrument_id, SYMBOLS[security.symbol], start_ns, seconds)
        self._coming = sorted(ticks, key=lambda tick: tick.ts_ns)


def _walk(random: Random, instrument_id: int, px: float, start_ns: int, seconds: float) -> list[MarketTick]:
    ticks: list[MarketTick] = []
    at_s = random.uniform(0.0, 0.5)
    while at_s < seconds:
        px *= 1 + random.gauss(0, 0.0004)
        bid = (Decimal(px) / CENT).quantize(Decimal(1)) * CENT
        ask = bid + CENT * random.choice((1, 1, 2))
        at_ns = start_ns + int(at_s * NS_PER_S)
        qty = Decimal(random.choice((5, 20, 100, 400)))
        ticks.append(
            BookTop(instrument_id=instrument_id, ts_ns=at_ns, bid_px=bid, bid_qty=qty, ask_px=ask, ask_qty=qty)  # type: ignore[arg-type]
        )
        if random.random() < 0.3:
            printed = random.choice((bid, ask))
            ticks.append(TapePrint(instrument_id=instrument_id, ts_ns=at_ns + 1000, px=printed, qty=Decimal(30)))  # type: ignore[arg-type]
        at_s += random.uniform(0.4, 1.6)
    return ticks
