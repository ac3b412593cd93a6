"""The price at which a killed position may be closed: near the market, on the grid, and never guessed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.unlimited import limits_but

from ibfloor.manager.commands import _text_of
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.command import Unkill
from ibfloor.model.ids import StrategyId
from ibfloor.model.market import Quote
from ibfloor.model.order import Side
from ibfloor.risk.gate import RiskGate

D = Decimal
SMA = StrategyId("sma")
NAN = float("nan")
NOW_NS = 100_000_000_000
LIMITS = limits_but(collar_pct=D(5), quote_age_max_s=D(60), order_rate_per_s=None, order_burst=D(1))


class Clock:
    speed = 1.0

    def now_ns(self) -> int:
        return NOW_NS

    def wall_delay_s(self, until_ns: int) -> float:
        return (until_ns - NOW_NS) / 1e9


Seen = tuple[float, float, float] | None
"""Bid, ask, and how many seconds ago."""
NEAR = (100.0, 100.02, 0.0)


@pytest.mark.parametrize(
    ("seen", "side", "pct", "bound"),
    [
        (NEAR, Side.SELL, "1", "99.00"),
        (NEAR, Side.BUY, "1", "101.02"),
        (NEAR, Side.BUY, "50", "104.97"),  # never further than the gate's own collar of 5 %
        ((0.01, 0.03, 0.0), Side.SELL, "150", "0.01"),  # never across zero
        ((100.0, 100.02, 61.0), Side.SELL, "1", None),
        ((NAN, 100.02, 0.0), Side.SELL, "1", None),
        (None, Side.SELL, "1", None),
    ],
)
def test_a_position_is_closed_within_the_collar_or_not_at_all(
    facts: Any, seen: Seen, side: Side, pct: str, bound: str | None
) -> None:
    quote = None if seen is None else _quote(facts, *seen)
    shared = SharedGate(RiskGate(LIMITS), lambda _: quote, Clock())
    px = shared.sizes.bound(SMA, facts.instrument(), side, D(pct))
    assert px == (None if bound is None else D(bound))


def _quote(facts: Any, bid_px: float, ask_px: float, age_s: float) -> Quote:
    ts_ns = NOW_NS - int(age_s * 1e9)
    return Quote(
        instrument=facts.instrument(), ts_event_ns=ts_ns, bid_px=bid_px, ask_px=ask_px, bid_qty=1.0, ask_qty=1.0
    )


def test_the_passphrase_of_a_reset_is_not_in_the_audit_trail() -> None:
    command = Unkill(command_id="1", actor="ann", reason="mended", passphrase="correct horse")
    assert "correct horse" not in _text_of(command)
    assert "mended" in _text_of(replace(command, passphrase=""))
