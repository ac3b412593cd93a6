"""The gate's part of crossing, under the gate's lock: both sides of a cross are reserved in one step, or neither."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ibfloor.manager.gate_lock import GateLock
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Instrument
from ibfloor.model.moment import Clock
from ibfloor.model.order import OrderRequest, Refusal, Side
from ibfloor.risk.context import PriceReference
from ibfloor.risk.crossing import check_and_reserve_cross, lock_of
from ibfloor.risk.gate import RiskGate


class GateCrossing:
    """Judges crosses. Safe from any thread."""

    def __init__(
        self,
        gate: RiskGate,
        lock: GateLock,
        price: Callable[[InstrumentId, Side], PriceReference | None],
        clock: Clock,
        tell_trips: Callable[[], None],
    ) -> None:
        self._gate = gate
        self._lock = lock
        self._price = price
        self._clock = clock
        self._tell_trips = tell_trips

    def check_and_reserve(
        self, sides: Sequence[OrderRequest], instrument: Instrument
    ) -> tuple[OrderRequest, Refusal] | None:
        """Reserve the worst case of both sides, or say whose is refused and why."""
        judged = [(request, self._price(request.instrument_id, request.side)) for request in sides]
        with self._lock:
            refused = check_and_reserve_cross(self._gate, judged, instrument, self._clock.now_ns())
        self._tell_trips()
        return refused

    def lock_of(self, instrument: Instrument) -> str:
        """Return why nobody may cross in an instrument now; empty where everybody may."""
        with self._lock:
            return lock_of(self._gate, instrument)

    def release(self, sides: Sequence[OrderRequest]) -> None:
        """Give back what both sides reserved: the cross is booked, or is not."""
        with self._lock:
            for request in sides:
                self._gate.release(request.cl_ord_id)
