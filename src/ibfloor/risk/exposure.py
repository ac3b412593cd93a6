"""Worst cases: what is held plus all that may still fill, per strategy and for the account."""

from __future__ import annotations

from decimal import Decimal

from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.money import Currency
from ibfloor.model.order import Side

_ZERO, _ONE = Decimal(0), Decimal(1)


class Slot:
    """One instrument in one book, or in all books together."""

    __slots__ = ("buys", "currency", "exposure", "high", "low", "pending", "qty", "sells", "unit_margin", "unit_px")

    def __init__(self) -> None:
        self.qty = self.buys = self.sells = _ZERO
        self.unit_px: Decimal | None = None
        """Last price known times the multiplier, in ``currency``."""
        self.currency = Currency("")
        self.exposure: Decimal | None = _ZERO
        self.high = self.low = _ZERO
        """Signed value if all buys fill, and if all sells do, in the base currency; 0 where it is not known."""
        self.unit_margin: Decimal | None = None
        """Initial margin of one more, in the base currency; ``None`` where nobody has told it."""
        self.pending: Decimal | None = _ZERO
        """Initial margin of what may come to be held beyond what is."""

    @property
    def worst(self) -> Decimal:
        """Return the largest quantity, either side, that may come to be held."""
        return max(abs(self.qty + self.buys), abs(self.qty - self.sells))

    def worst_on(self, side: Side, added: Decimal) -> Decimal:
        """Return the signed quantity if all on one side fills, ``added`` more included."""
        return self.qty + self.buys + added if side is Side.BUY else self.qty - self.sells - added


class Exposures:
    """All slots and the sums of their exposures in the base currency.

    An exposure is ``None`` where a price or a rate is missing; so is then the account's.
    """

    def __init__(self, base: Currency) -> None:
        self._base = base
        self._rates: dict[Currency, Decimal] = {}
        self._slots: dict[InstrumentId, dict[StrategyId, Slot]] = {}
        self._account: dict[InstrumentId, Slot] = {}
        self._unpriced: set[InstrumentId] = set()
        self._gross = self._high = self._low = self._pending = _ZERO

    def rate(self, currency: Currency) -> Decimal | None:
        """Return what one unit of a currency is worth in the base currency."""
        return _ONE if currency == self._base else self._rates.get(currency)

    def set_base(self, base: Currency) -> None:
        """Value everything in another base currency."""
        if base != self._base:
            self._base = base
            self.set_rates(self._rates)

    def set_rates(self, rates: dict[Currency, Decimal]) -> None:
        """Take new exchange rates."""
        self._rates = dict(rates)
        for instrument_id, slot in self._account.items():
            self._value(instrument_id, slot)

    def slot(self, strategy: StrategyId, instrument_id: InstrumentId) -> Slot:
        """Return a strategy's slot, made at first sight."""
        slots = self._slots.get(instrument_id)
        if slots is None:
            slots = self._slots[instrument_id] = {}
        slot = slots.get(strategy)
        if slot is None:
            slot = slots[strategy] = Slot()
        return slot

    def account_slot(self, instrument_id: InstrumentId) -> Slot:
        """Return the account's slot, made at first sight."""
        slot = self._account.get(instrument_id)
        if slot is None:
            slot = self._account[instrument_id] = Slot()
        return slot

    def all_slots(self) -> list[tuple[StrategyId, Slot]]:
        """Return every strategy's every slot."""
        return [pair for slots in self._slots.values() for pair in slots.items()]

    @property
    def unpriced(self) -> frozenset[InstrumentId]:
        """Return the instruments held or ordered whose worth is not known."""
        return frozenset(self._unpriced)

    @property
    def gross(self) -> Decimal | None:
        """Return the account's worst gross exposure; ``None`` when a part is not known."""
        return None if self._unpriced else self._gross

    def gross_with(self, instrument_id: InstrumentId, exposure: Decimal) -> Decimal | None:
        """Return ``gross`` if one instrument's exposure were another."""
        if self._unpriced and self._unpriced != {instrument_id}:
            return None
        return self._gross - (self._account[instrument_id].exposure or _ZERO) + exposure

    def net_with(self, instrument_id: InstrumentId, side: Side, exposure: Decimal) -> Decimal | None:
        """Return the account's worst net exposure on a side if one instrument's, signed, were another.

        ``None`` when a part is not known.
        """
        if self._unpriced and self._unpriced != {instrument_id}:
            return None
        slot = self._account[instrument_id]
        if side is Side.BUY:
            return self._high - slot.high + exposure
        return self._low - slot.low + exposure

    @property
    def net(self) -> Decimal | None:
        """Return the account's worst net exposure, the larger of both sides; ``None`` when a part is not known."""
        return None if self._unpriced else max(self._high, self._low, key=abs)

    @property
    def pending_margin(self) -> Decimal | None:
        """Return the initial margin of all pending orders together; ``None`` when a part is not known."""
        return None if self._unpriced else self._pending

    def pending_with(self, instrument_id: InstrumentId, margin: Decimal) -> Decimal | None:
        """Return ``pending_margin`` if one instrument's were another."""
        if self._unpriced and self._unpriced != {instrument_id}:
            return None
        return self._pending - (self._account[instrument_id].pending or _ZERO) + margin

    def price(
        self, instrument_id: InstrumentId, unit_px: Decimal, currency: Currency, unit_margin: Decimal | None = None
    ) -> None:
        """Take an instrument's newest price, multiplier included; and, where known, the margin of one more of it."""
        slot = self.account_slot(instrument_id)
        if unit_margin is None:
            unit_margin = slot.unit_margin
        if slot.unit_px == unit_px and slot.currency == currency and slot.unit_margin == unit_margin:
            return
        slot.unit_px, slot.currency, slot.unit_margin = unit_px, currency, unit_margin
        self._value(instrument_id, slot)

    def hold(self, strategy: StrategyId, instrument_id: InstrumentId, change: Decimal) -> None:
        """Add a signed quantity to a position."""
        account = self.account_slot(instrument_id)
        self.slot(strategy, instrument_id).qty += change
        account.qty += change
        self._value(instrument_id, account)

    def hold_at(self, strategy: StrategyId, instrument_id: InstrumentId, qty: Decimal) -> None:
        """Take what a book holds: after a split, quantities are not the sum of what was traded."""
        change = qty - self.slot(strategy, instrument_id).qty
        if change:
            self.hold(strategy, instrument_id, change)

    def reserve(self, strategy: StrategyId, instrument_id: InstrumentId, side: Side, change: Decimal) -> None:
        """Add to what may still fill on a side; negative gives back."""
        account, own = self.account_slot(instrument_id), self.slot(strategy, instrument_id)
        if side is Side.BUY:
            own.buys += change
            account.buys += change
        else:
            own.sells += change
            account.sells += change
        self._value(instrument_id, account)

    def _value(self, instrument_id: InstrumentId, account: Slot) -> None:
        was_known = account.exposure is not None
        self._gross -= account.exposure or _ZERO
        self._high -= account.high
        self._low -= account.low
        self._pending -= account.pending or _ZERO
        account.high = account.low = _ZERO
        worst, rate = account.worst, self.rate(account.currency)
        if not worst:
            account.exposure = account.pending = _ZERO
        elif account.unit_px is None or rate is None:
            account.exposure = account.pending = None
            self._unpriced.add(instrument_id)
            return
        else:
            unit = account.unit_px * rate
            account.exposure = worst * unit
            account.high = (account.qty + account.buys) * unit
            account.low = (account.qty - account.sells) * unit
            more = worst - abs(account.qty)
            account.pending = more * (unit if account.unit_margin is None else account.unit_margin) if more else _ZERO
            self._gross += account.exposure
            self._high += account.high
            self._low += account.low
            self._pending += account.pending
        if not was_known:
            self._unpriced.discard(instrument_id)
