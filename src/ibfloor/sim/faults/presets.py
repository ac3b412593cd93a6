"""Named fault plans, each with one line on what it does."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from ibfloor.model.errors import ConfigError
from ibfloor.sim.faults import actions as do
from ibfloor.sim.faults.loading import load_plan
from ibfloor.sim.faults.plan import Fault, FaultPlan, When


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A plan to take by its name."""

    line: str
    faults: tuple[Fault, ...]


def _one(line: str, name: str, what: do.AnyAction, when: When | None = None) -> Preset:
    return Preset(line=line, faults=(Fault(name=name, what=what, when=When() if when is None else when),))


def _often(on: str, probability: float) -> When:
    return When(on=on, times=0, probability=probability)


_TIF = do.Remark(code=10349, text="Order TIF was set to DAY based on order preset.")
_MARGIN = do.Remark(code=201, text="Order rejected - reason:YOUR ORDER IS NOT ACCEPTED. Insufficient margin.")
_LOCATE = do.Remark(code=404, text="Order held while securities are located.", why_held="locate")
_WARNING = do.Remark(
    code=399, text="Order Message:\nWarning: your order will not be placed at the exchange until the open."
)
_PACING = "Historical Market Data Service error message:Historical data request pacing violation"
_MARGINS = ("init_margin_change", "maint_margin_change", "equity_with_loan_change")
_NO_CONTRACT = do.Fail(code=200, text="No security definition has been found for the request", copies=2)

PRESETS: dict[str, Preset] = {
    "outage": _one("IB is away for 30 s, told as 1100 and 1102", "outage", do.LoseUpstream(for_s=30)),
    "outage-data-lost": _one(
        "IB is away for 30 s, and 1101 ends every subscription",
        "outage-data-lost",
        do.LoseUpstream(for_s=30, data_lost=True),
    ),
    "outage-in-fills": _one(
        "IB goes away in the middle of a batch of fills; those of the outage are never told, only answered",
        "outage-in-fills",
        do.LoseUpstream(for_s=10, orders="lost"),
        When(on="event:filled", nth=2),
    ),
    "outage-fork": _one(
        "a change made while IB is away becomes a second live order",
        "outage-fork",
        do.LoseUpstream(for_s=30, fork=True),
    ),
    "server-broken": _one("TWS loses its server for 30 s: 2110", "server-broken", do.LoseUpstream(for_s=30, code=2110)),
    "farm-flap": _one(
        "the quote farm breaks for 5 s every minute: 2103, 2104",
        "farm-flap",
        do.FarmDown(for_s=5),
        When(every_s=60, times=0),
    ),
    "history-farm-down": _one(
        "the history farm is away for a minute: 2105, 162", "history-farm-down", do.FarmDown(history=True, for_s=60)
    ),
    "port-moves": _one("1300: the gateway listens on another port", "port-moves", do.MovePort()),
    "id-held": _one("the next client to go finds its id in use for 60 s: 326", "id-held", do.HoldId(for_s=60)),
    "auto-restart": _one(
        "all connections reset, a minute of refusals, order ids fall back by five",
        "auto-restart",
        do.Restart(for_s=60, rollback=5),
    ),
    "order-in-flight": _one(
        "the next order vanishes in a connection reset", "order-in-flight", do.Reset(), When(on="in:place_order")
    ),
    "sunday-login": Preset(
        line="every connection is cut, and none is taken for six hours",
        faults=(
            Fault(name="sunday-cut", what=do.Reset()),
            Fault(name="sunday-login", what=do.Refuse(for_s=6 * 3600)),
        ),
    ),
    "nightly-reset": _one("executions are told ten minutes late", "nightly-reset", do.Withhold(for_s=600)),
    "half-open": _one("connections stand, and no byte passes for a minute", "half-open", do.Mute(for_s=60)),
    "mute": _one("clients hear nothing for a minute, but are heard", "mute", do.Mute(way="out", for_s=60)),
    "deaf": _one("clients are not heard for a minute, but hear", "deaf", do.Mute(way="in", for_s=60)),
    "slow-reader": _one("a client that leaves 64 KiB unread is dropped", "slow-reader", do.CapBuffer()),
    "competing-session": _one(
        "another session takes the market data for 30 s: 10197", "competing-session", do.Compete()
    ),
    "no-ack": Preset(
        line="one order in twenty is swallowed, one in twenty never acknowledged",
        faults=(
            Fault(name="no-ack-swallowed", what=do.Drop(), when=_often("in:place_order", 0.05)),
            Fault(name="no-ack-status", what=do.Drop(), when=_often("out:order_status", 0.05)),
        ),
    ),
    "status-noise": Preset(
        line="order states come twice, out of order, or not at all",
        faults=(
            Fault(name="status-twice", what=do.Duplicate(), when=_often("out:order_status", 0.2)),
            Fault(name="status-order", what=do.Reorder(), when=_often("out:order_status", 0.2)),
            Fault(name="status-lost", what=do.Drop(), when=_often("out:order_status", 0.2)),
        ),
    ),
    "exec-first": _one(
        "executions come before the orders they belong to",
        "exec-first",
        do.Reorder(behind_message="exec_details", at_most_s=1),
        _often("out:open_order", 0.5),
    ),
    "late-fees": _one("commissions come a minute late", "late-fees", do.Delay(seconds=60), _often("out:commission", 1)),
    "no-fees": _one("commissions never come", "no-fees", do.Drop(), _often("out:commission", 1)),
    "fees-first": _one(
        "commissions come before their executions",
        "fees-first",
        do.Reorder(behind_message="commission", at_most_s=1),
        _often("out:exec_details", 1),
    ),
    "corrections": _one(
        "every fifth execution is corrected by a tick, 30 s later",
        "corrections",
        do.CorrectFill(after_s=30),
        _often("event:filled", 0.2),
    ),
    "bust": _one(
        "the next execution is taken back after 30 s", "bust", do.BustFill(after_s=30), When(on="event:filled")
    ),
    "tif-preset": _one("10349 for every order, which lives on", "tif-preset", _TIF, _often("in:place_order", 1)),
    "reject-then-fill": _one(
        "201 for the next order, which lives on", "reject-then-fill", _MARGIN, When(on="in:place_order")
    ),
    "held-order": _one("404: the next order is held for a locate", "held-order", _LOCATE, When(on="in:place_order")),
    "order-warning": _one(
        "399 for every order, which lives on", "order-warning", _WARNING, _often("in:place_order", 1)
    ),
    "fill-after-cancel": _one(
        "the next canceled order fills all the same",
        "fill-after-cancel",
        do.FillAfterCancel(after_s=2),
        When(on="event:canceled"),
    ),
    "cancel-race": _one(
        "the next cancel comes too late", "cancel-race", do.FillBeforeCancel(), When(on="in:cancel_order")
    ),
    "duplicate-id": _one(
        "103 for the next order",
        "duplicate-id",
        do.Fail(code=103, text="Duplicate order id"),
        When(on="in:place_order"),
    ),
    "manual-order": _one(
        "somebody places an order by hand",
        "manual-order",
        do.ManualOrder(symbol="SPY", qty=Decimal(100), limit_px=Decimal("1.00")),
    ),
    "split": _one(
        "positions in SPY double without an execution", "split", do.MovePosition(symbol="SPY", ratio=Decimal(2))
    ),
    "unset-margins": _one(
        "what-if answers carry no margins", "unset-margins", do.Rewrite(unset=_MARGINS), _often("out:what_if", 1)
    ),
    "read-only": _one("321 for everything that changes an order", "read-only", do.ReadOnly()),
    "pacing": _one(
        "162 for every historical request",
        "pacing",
        do.Fail(code=162, text=_PACING),
        _often("in:req_historical_data", 1),
    ),
    "streams-lost": _one("10182 ends every stream of bars", "streams-lost", do.LoseStreams()),
    "delayed-data": _one(
        "no permission for live quotes: 354, or 10167 and delayed ones", "delayed-data", do.NoPermission()
    ),
    "unknown-contract": _one(
        "200, twice, for the next contract asked for",
        "unknown-contract",
        _NO_CONTRACT,
        When(on="in:req_contract_details"),
    ),
    "torn-frames": _one(
        "one message in fifty arrives in two pieces", "torn-frames", do.Split(at=3), _often("out:order_status", 0.02)
    ),
    "garbage": _one(
        "a frame of garbage before one order state in ten", "garbage", do.Garbage(), _often("out:order_status", 0.1)
    ),
    "crash": _one("the gateway's process dies on the spot", "crash", do.KillProcess()),
}


def plan_of(name_or_file: str, seed: int = 1) -> FaultPlan:
    """Return the plan of a preset or of a file; several presets with commas between.

    Raises ``ConfigError`` for a name that is none, or a file that cannot be read.
    """
    if name_or_file.endswith(".toml"):
        return load_plan(Path(name_or_file))
    faults: list[Fault] = []
    for name in name_or_file.split(","):
        preset = PRESETS.get(name.strip())
        if preset is None:
            raise ConfigError(
                f"{name.strip()!r} is no preset: 'ibfloor gateway fault presets' lists them; a file ends in .toml"
            )
        faults += preset.faults
    return FaultPlan(seed=seed, faults=tuple(faults))
