"""IB's algorithms as schedules: slices let go over time, or a limit that steps across the spread.

The slices are one order under one id. Twap lets go of equal parts a minute, Vwap of parts that
follow a day's usual volume (a smile: much at both ends). Adaptive begins on its own side of the
spread and crosses it when its patience ends.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ibfloor.model.moment import NS_PER_MINUTE, NS_PER_S
from ibfloor.sim.exchange.values import Approach, Slice
from ibfloor.sim.gateway.codec.kinds import Values
from ibfloor.sim.gateway.events import Rules
from ibfloor.sim.gateway.ticket_errors import TicketError
from ibfloor.sim.gateway.ticket_times import clock_of
from ibfloor.sim.market.securities import Security

_PATIENCE_S = {"Urgent": 4, "Normal": 20, "Patient": 60}
_STEPS = 4
_SLICES_MAX = 60
_NOT_ALLOWED = TicketError(442, "Specified algorithm is not allowed for this order.")
_KNOWN = {
    "Adaptive": {"adaptivePriority"},
    "Twap": {"strategyType", "startTime", "endTime", "allowPastEndTime"},
    "Vwap": {"maxPctVol", "startTime", "endTime", "allowPastEndTime", "noTakeLiq", "speedUp"},
}
_SMILE = 3


def with_algo(rules: Rules, values: Values, security: Security, qty: Decimal, now_ns: int) -> Rules:
    """Return the rules with the schedule an order's algorithm makes; raise ``TicketError`` as IB would."""
    name = str(values.get("algo_strategy") or "")
    if not name:
        return rules
    if name not in _KNOWN or values.get("order_type") not in ("MKT", "LMT") or values.get("tif") not in ("", "DAY"):
        raise _NOT_ALLOWED
    params = _params(values)
    unknown = sorted(set(params) - _KNOWN[name])
    if unknown:
        raise _invalid(f"{unknown[0]} is not a parameter of {name}")
    if name == "Adaptive":
        return msgspec.structs.replace(rules, approach=_approach(params, security, now_ns))
    return msgspec.structs.replace(rules, slices=_slices(name, params, security, qty, now_ns))


def _params(values: Values) -> dict[str, str]:
    rows = values.get("algo_params")
    assert not isinstance(rows, str | int | float | Decimal), "a repeated block is a sequence of rows"
    return {str(row["tag"]): str(row["value"]) for row in rows or ()}


def _approach(params: dict[str, str], security: Security, now_ns: int) -> tuple[Approach, ...]:
    patience_s = _PATIENCE_S.get(params.get("adaptivePriority", "Normal"))
    if patience_s is None:
        raise _invalid("adaptivePriority must be Urgent, Normal or Patient")
    start_ns = max(now_ns, _hours(security, now_ns)[0])
    step_ns = patience_s * NS_PER_S // _STEPS
    return tuple(Approach(start_ns + n * step_ns if n else 0, Decimal(n) / _STEPS) for n in range(_STEPS + 1))


def _slices(name: str, params: dict[str, str], security: Security, qty: Decimal, now_ns: int) -> tuple[Slice, ...]:
    open_ns, close_ns = _hours(security, now_ns)
    start_ns = max(now_ns, open_ns, _time(params, "startTime", security, now_ns) or 0)
    end_ns = min(close_ns, _time(params, "endTime", security, now_ns) or close_ns)
    if end_ns <= start_ns:
        raise _invalid("the end time is not after the start time")
    count = min(max((end_ns - start_ns) // NS_PER_MINUTE, 1), _SLICES_MAX, max(int(qty), 1))
    middles = [start_ns + (2 * n + 1) * (end_ns - start_ns) // (2 * count) for n in range(count)]
    weights = [_weight(ts_ns, open_ns, close_ns) if name == "Vwap" else Decimal(1) for ts_ns in middles]
    whole, done = sum(weights), Decimal(0)
    slices = []
    for n, weight in enumerate(weights):
        done += weight
        released = qty if n == count - 1 else (qty * done / whole).quantize(Decimal(1))
        slices.append(Slice(start_ns + n * (end_ns - start_ns) // count, min(released, qty)))
    return tuple(slices)


def _weight(ts_ns: int, open_ns: int, close_ns: int) -> Decimal:
    from_middle = 2 * Decimal(ts_ns - open_ns) / (close_ns - open_ns) - 1
    return 1 + _SMILE * from_middle * from_middle


def _hours(security: Security, now_ns: int) -> tuple[int, int]:
    session = security.session
    day = session.day_of(now_ns)
    hours = session.regular_hours(day)
    assert hours is not None, "day_of gives trading days"
    if now_ns < hours[1]:
        return hours
    following = session.regular_hours(session.next_day(day))
    assert following is not None, "next_day gives trading days"
    return following


def _time(params: dict[str, str], name: str, security: Security, now_ns: int) -> int | None:
    text = params.get(name, "")
    if not text:
        return None
    try:
        return clock_of(text, now_ns, security.session)
    except ValueError:
        raise _invalid(f"{name} {text!r} is not a time") from None


def _invalid(cause: str) -> TicketError:
    return TicketError(441, f"Algo attributes validation failed: {cause}")
