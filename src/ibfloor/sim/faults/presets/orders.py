"""Presets of orders, executions, fees and positions."""

from __future__ import annotations

from decimal import Decimal
from sys import float_info

from ibfloor.sim.faults import actions as do
from ibfloor.sim.faults.plan import Fault, When
from ibfloor.sim.faults.presets.making import Preset, each, often, one, several

_TIF = do.Remark(code=10349, text="Order TIF was set to DAY based on order preset.")
_MARGIN = do.Remark(code=201, text="Order rejected - reason:YOUR ORDER IS NOT ACCEPTED. Insufficient margin.")
_LOCATE = do.Remark(code=404, text="Order held while securities are located.", why_held="locate")
_WARNING = do.Remark(
    code=399, text="Order Message:\nWarning: your order will not be placed at the exchange until the open."
)
_MARGINS = ("init_margin_change", "maint_margin_change", "equity_with_loan_change")
_EXECS = often("out:exec_details", 1)
_UNSET = float_info.max
_ORDER_NUMBERS = ("lmt_price", "aux_price", "trail_stop_price", "percent_offset", "volatility", "cash_qty")
_STATUS_NUMBERS = ("avg_fill_price", "last_fill_price", "market_cap_price")
_FEE_NUMBERS = ("commission", "realized_pnl", "yield")
_CHANGE_CODES = {
    104: "Cannot modify a filled order.",
    105: "Order being modified does not match original order.",
    106: "Can't transmit order ID:",
    110: "The price does not conform to the minimum price variation for this contract.",
    201: "Order rejected - reason:YOUR ORDER IS NOT ACCEPTED.",
    321: "Error validating request.-'bH' : cause - The order is invalid.",
}
_CANCEL_CODES = {
    135: "Can't find order with ID =",
    161: "Cancel attempted when order is not in a cancellable state. Order permId =",
    10147: "OrderId that needs to be cancelled is not found.",
    10148: "OrderId that needs to be cancelled cannot be cancelled, state: PendingCancel.",
}
_NO_CONTRACT = do.Fail(code=200, text="No security definition has been found for the request", copies=2)

ORDERS: dict[str, Preset] = {
    "no-ack": Preset(
        line="one order in twenty is swallowed, one in twenty never acknowledged",
        faults=(
            Fault(name="no-ack-swallowed", what=do.Drop(), when=often("in:place_order", 0.05)),
            Fault(name="no-ack-status", what=do.Drop(), when=often("out:order_status", 0.05)),
        ),
    ),
    "status-noise": Preset(
        line="order states come twice, out of order, or not at all",
        faults=(
            Fault(name="status-twice", what=do.Duplicate(), when=often("out:order_status", 0.2)),
            Fault(name="status-order", what=do.Reorder(), when=often("out:order_status", 0.2)),
            Fault(name="status-lost", what=do.Drop(), when=often("out:order_status", 0.2)),
        ),
    ),
    "exec-first": one(
        "executions come before the orders they belong to",
        "exec-first",
        do.Reorder(behind_message="exec_details", at_most_s=1),
        often("out:open_order", 0.5),
    ),
    "late-fees": one("commissions come a minute late", "late-fees", do.Delay(seconds=60), often("out:commission", 1)),
    "no-fees": one("commissions never come", "no-fees", do.Drop(), often("out:commission", 1)),
    "fees-first": one(
        "commissions come before their executions",
        "fees-first",
        do.Reorder(behind_message="commission", at_most_s=1),
        often("out:exec_details", 1),
    ),
    "corrections": one(
        "every fifth execution is corrected by a tick, 30 s later",
        "corrections",
        do.CorrectFill(after_s=30),
        often("event:filled", 0.2),
    ),
    "bust": one(
        "the next execution is taken back after 30 s", "bust", do.BustFill(after_s=30), When(on="event:filled")
    ),
    "tif-preset": one("10349 for every order, which lives on", "tif-preset", _TIF, often("in:place_order", 1)),
    "reject-then-fill": one(
        "201 for the next order, which lives on", "reject-then-fill", _MARGIN, When(on="in:place_order")
    ),
    "held-order": one("404: the next order is held for a locate", "held-order", _LOCATE, When(on="in:place_order")),
    "order-warning": one("399 for every order, which lives on", "order-warning", _WARNING, often("in:place_order", 1)),
    "order-contract-unknown": one(
        "200 for the next order",
        "order-contract-unknown",
        do.Fail(code=200, text=_NO_CONTRACT.text),
        When(on="in:place_order"),
    ),
    "fill-after-cancel": one(
        "the next canceled order fills all the same",
        "fill-after-cancel",
        do.FillAfterCancel(after_s=2),
        When(on="event:canceled"),
    ),
    "cancel-race": one(
        "the next cancel comes too late", "cancel-race", do.FillBeforeCancel(), When(on="in:cancel_order")
    ),
    "cancels-refused": several(
        "the next cancels are refused, and the orders live on: 135, 161, 10147, 10148",
        *each("in:cancel_order", "", _CANCEL_CODES),
    ),
    "fill-in-pending-cancel": one(
        "the next cancel is told pending, half of the order fills, then it is canceled",
        "fill-in-pending-cancel",
        do.FillBeforeCancel(share=Decimal("0.5"), is_pending=True),
        When(on="in:cancel_order"),
    ),
    "changes-refused": several(
        "once an order is shown, the next requests for orders are refused: 104, 105, 106, 110, 201, 321; it lives on",
        *each("in:place_order", "event:shown", _CHANGE_CODES),
    ),
    "fork": one(
        "the next change of an order becomes a second live order under its id",
        "fork",
        do.ForkOrder(),
        When(on="in:place_order", after="event:shown"),
    ),
    "duplicate-id": one(
        "103 for the next order",
        "duplicate-id",
        do.Fail(code=103, text="Duplicate order id"),
        When(on="in:place_order"),
    ),
    "bracket-cut": one(
        "the connection is reset by the second order that comes: between a bracket's legs",
        "bracket-cut",
        do.Reset(),
        When(on="in:place_order", nth=2),
    ),
    "manual-order": one(
        "somebody places an order by hand",
        "manual-order",
        do.ManualOrder(symbol="SPY", qty=Decimal(100), limit_px=Decimal("1.00")),
    ),
    "split": one(
        "positions in SPY double without an execution", "split", do.MovePosition(symbol="SPY", ratio=Decimal(2))
    ),
    "assignment": one(
        "a hundred shares of SPY are taken from the first account, without an execution",
        "assignment",
        do.MovePosition(symbol="SPY", add=Decimal(-100), px=Decimal(100)),
    ),
    "unset-margins": one(
        "what-if answers carry no margins", "unset-margins", do.Rewrite(unset=_MARGINS), often("out:what_if", 1)
    ),
    "unset-numbers": several(
        "numbers of orders, order states and fees come as IB writes what is not set",
        ("unset-order", do.Rewrite(fields=dict.fromkeys(_ORDER_NUMBERS, _UNSET)), often("out:open_order", 1)),
        ("unset-status", do.Rewrite(fields=dict.fromkeys(_STATUS_NUMBERS, _UNSET)), often("out:order_status", 1)),
        ("unset-fee", do.Rewrite(fields=dict.fromkeys(_FEE_NUMBERS, _UNSET)), often("out:commission", 1)),
    ),
    "times-no-zone": one("execution times come without a zone", "times-no-zone", do.Reshape(shape="no_zone"), _EXECS),
    "times-two-spaces": one(
        "execution times come with two spaces and no zone", "times-two-spaces", do.Reshape(shape="two_spaces"), _EXECS
    ),
    "times-utc": one(
        "execution times come in UTC with a dash: 20250225-15:15:00", "times-utc", do.Reshape(shape="utc_dash"), _EXECS
    ),
    "times-epoch": one("execution times come in seconds", "times-epoch", do.Reshape(shape="epoch"), _EXECS),
    "read-only": one("321 for everything that changes an order", "read-only", do.ReadOnly()),
}
