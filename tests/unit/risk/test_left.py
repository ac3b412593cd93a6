"""What is left of the limits: never more than the gate lets pass, and never so little that it would pass more."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ibfloor.model.ids import StrategyId
from ibfloor.model.order import Refused, Side
from ibfloor.risk.gate import Approved
from ibfloor.risk.left import left, left_in
from ibfloor.risk.losses import Losses
from ibfloor.risk.margin import AccountFigures

D = Decimal
SMA = StrategyId("sma")
MakeDesk = Callable[..., Any]


def rule_of(answer: Approved | Refused) -> str:
    return answer.reason.rule if isinstance(answer, Refused) else "approved"


def test_orders_losses_margin_and_exposure_are_told(desk_with: MakeDesk, facts: Any) -> None:
    desk = desk_with(
        order_rate_per_s=D(1),
        order_burst=D(5),
        max_open_orders=D(4),
        day_loss_max=D(100),
        drawdown_max=D(200),
        account={"max_gross_exposure": D(30_000), "margin_budget_pct": D(50)},
    )
    desk.gate.margin.take(AccountFigures(equity=D(100_000), initial_margin=D(10_000)))
    desk.gate.losses = {SMA: Losses(D(40), D(250))}
    desk.send(facts.request(1, 100))
    told = left(desk.gate, SMA, desk.now_ns)
    assert (told.can_enter, told.orders_now, told.open_orders) == (True, 4, 3)
    assert (told.gross_exposure, told.margin) == (D(20_000), D(30_000))
    assert (told.day_loss, told.drawdown) == (D(60), D(0))
    desk.gate.pause(SMA, "paused")
    assert (left(desk.gate, SMA, desk.now_ns).can_enter, left(desk.gate, SMA, desk.now_ns).reason) == (False, "paused")


def test_without_limits_nothing_is_said_to_be_limited(desk_with: MakeDesk, facts: Any) -> None:
    nothing = dict.fromkeys(
        ("max_order_qty", "max_order_notional", "max_position_qty", "max_position_notional", "max_account_position_qty")
    )
    desk = desk_with(account={"max_gross_exposure": None}, **nothing)
    told = left(desk.gate, SMA, desk.now_ns)
    assert (told.orders_now, told.open_orders, told.gross_exposure, told.margin) == (None, None, None, None)
    room = left_in(desk.gate, SMA, desk.instrument)
    assert (room.buy_qty, room.sell_qty, room.long_qty, room.short_qty) == (None, None, None, None)


@given(
    held=st.integers(-120, 120),
    orders=st.lists(st.tuples(st.integers(1, 80), st.sampled_from(list(Side))), max_size=4),
    side=st.sampled_from(list(Side)),
    allow_short=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_largest_order_that_is_left_passes_and_one_more_does_not(
    facts: Any,
    desk_with: MakeDesk,
    held: int,
    orders: list[tuple[int, Side]],
    side: Side,
    allow_short: bool,
) -> None:
    desk = desk_with(max_position_qty=D(150), max_order_qty=D(90), max_order_notional=D(8_000), allow_short=allow_short)
    if held:
        desk.take(facts.filled(abs(held), exec_id="h.01", ref="sma:999", side=Side.BUY if held > 0 else Side.SELL))
    desk.gate.mark(desk.instrument, D(100))
    for number, (qty, each) in enumerate(orders, 1):
        desk.send(facts.request(number, qty, each))
    room = left_in(desk.gate, SMA, desk.instrument)
    most = room.buy_qty if side is Side.BUY else room.sell_qty
    assert most is not None
    assert rule_of(desk.ask(facts.request(20, int(most) + 1, side))) != "approved"
    if most > 0:
        assert rule_of(desk.ask(facts.request(21, int(most), side))) == "approved"
