"""What is held, as the gate counts it: a fold over executions, transfers and book entries."""

from __future__ import annotations

from ibfloor.model.entry import BookEntry, PositionLeg, SplitLeg
from ibfloor.model.fact import OrderFilled, PositionMoved
from ibfloor.model.ids import InstrumentId, exec_root
from ibfloor.risk.exposure import Exposures
from ibfloor.risk.margin import MarginBook


class Holdings:
    """Keeps the slots' quantities; owned and locked like the gate that holds it."""

    def __init__(self, exposures: Exposures, margin: MarginBook) -> None:
        self._exposures = exposures
        self._margin = margin
        self._executions: dict[str, OrderFilled] = {}

    def move(self, fact: PositionMoved) -> None:
        """Take a position that came without a trade."""
        self._exposures.hold(fact.strategy, fact.instrument_id, fact.qty)
        self._exposures.price(fact.instrument_id, abs(fact.px) * fact.multiplier, fact.currency)

    def fill(self, fact: OrderFilled) -> None:
        """Take an execution, or a newer revision in place of one."""
        root, revision = exec_root(fact.exec_id)
        before = self._executions.get(root)
        if before is not None:
            if revision <= exec_root(before.exec_id)[1]:
                return
            self._exposures.hold(before.strategy, before.instrument_id, -before.signed_qty)
        qty = fact.signed_qty
        self._executions[root] = fact
        slot = self._exposures.account_slot(fact.instrument_id)
        held = abs(slot.qty)
        self._exposures.hold(fact.strategy, fact.instrument_id, qty)
        if slot.unit_px is None:
            self._exposures.price(fact.instrument_id, abs(fact.last_px) * fact.multiplier, fact.currency)
        more = abs(slot.qty) - held
        if more > 0 and slot.unit_margin is not None:
            self._margin.note_fill(more * slot.unit_margin)

    def enter(self, entry: BookEntry) -> None:
        """Take what a book entry moves, its splits included."""
        split: dict[InstrumentId, SplitLeg] = {}
        for leg in entry.legs:
            if isinstance(leg, PositionLeg):
                self._exposures.hold(leg.strategy, leg.instrument_id, leg.qty)
                if leg.px and self._exposures.account_slot(leg.instrument_id).unit_px is None:
                    self._exposures.price(leg.instrument_id, abs(leg.px) * leg.multiplier, leg.currency)
            elif isinstance(leg, SplitLeg):
                split[leg.instrument_id] = leg
                qty = self._exposures.slot(leg.strategy, leg.instrument_id).qty
                self._exposures.hold(leg.strategy, leg.instrument_id, qty * leg.new / leg.old - qty)
        for key, leg in split.items():
            slot = self._exposures.account_slot(key)
            if slot.unit_px is not None:
                self._exposures.price(key, slot.unit_px * leg.old / leg.new, slot.currency)
