"""Why books and account differ: evidence in, a cause and a proposal out. Pure; where evidence is thin it says UNKNOWN.

Nothing is booked here: a proposal is what a person may preview, change and confirm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

import msgspec

from ibfloor.model.account import ListedOrder
from ibfloor.model.booking import (
    Adjust,
    AnyBooking,
    BreakCause,
    ExerciseOption,
    ExpirePosition,
    SplitPosition,
    cash_in,
    instrument_in,
    position_in,
)
from ibfloor.model.fact import OrderFilled
from ibfloor.model.ids import UNASSIGNED, InstrumentId, exec_root, owner_of
from ibfloor.model.instrument import Instrument, SecurityType
from ibfloor.model.money import Currency, Money
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.bounds import PLACES
from ibfloor.portfolio.cash_causes import Accruals, explain_cash
from ibfloor.portfolio.position import Settlement, settlement_of
from ibfloor.portfolio.reconciliation import Difference, Explained

SPLITS_MAX = 50
PX_TOLERANCE = Decimal("0.15")
"""How far prices may have moved beside a split."""
COST_TOLERANCE = Decimal("0.02")
"""How far the average cost of a unit may have moved beside a split, by trades since the last agreement."""
TRADE_PX_TOLERANCE = Decimal("0.05")
_ZERO = Decimal(0)
_OPTIONS = (SecurityType.OPTION, SecurityType.FUTURE_OPTION, SecurityType.WARRANT)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the differences themselves."""

    books: Books
    today: str
    """``YYYYMMDD`` where the account's day ends."""
    day_start_ns: int
    marks: Mapping[InstrumentId, Decimal] = {}
    agreed_px: Mapping[InstrumentId, Decimal] = {}
    """Marks of when books and account last agreed."""
    costs: Mapping[InstrumentId, Decimal] = {}
    """What the account says a unit of its positions cost."""
    agreed_costs: Mapping[InstrumentId, Decimal] = {}
    orders: tuple[ListedOrder, ...] = ()
    listed: frozenset[str] = frozenset()
    """Roots of the executions that the broker lists of today."""
    fills: tuple[OrderFilled, ...] = ()
    """Every execution that is booked."""
    accruals: Accruals = {}
    agreed_accruals: Accruals = {}


def explain(differences: Iterable[Difference], evidence: Evidence) -> dict[str, Explained]:
    """Return what each difference most likely comes from, by its key."""
    gaps = {each.key: each.theirs - each.ours for each in differences}
    explainer = _Explainer(gaps, {each.key: each for each in differences}, evidence)
    return explainer.all()


class _Explainer:
    def __init__(self, gaps: dict[str, Decimal], found: dict[str, Difference], evidence: Evidence) -> None:
        self._gaps = gaps
        self._found = found
        self._evidence = evidence
        self._answers: dict[str, Explained] = {}

    @cached_property
    def _booked(self) -> dict[int, Decimal]:
        booked: dict[int, Decimal] = {}
        for fill in self._evidence.fills:
            booked[fill.perm_id] = booked.get(fill.perm_id, _ZERO) + fill.last_qty
        return booked

    def all(self) -> dict[str, Explained]:
        steps = (self._exercise, self._expiry, self._order, self._bust, self._trade, self._split)
        for step in steps:
            for instrument in list(self._open_positions()):
                step(instrument, self._gaps[position_in(instrument.instrument_id)])
        for key, gap in self._gaps.items():
            if key not in self._answers:
                is_cash = key.startswith("cash:")
                self._answers[key] = self._of_cash(key, gap) if is_cash else Explained()
        return self._answers

    def _open_positions(self) -> Iterator[Instrument]:
        for key in self._gaps:
            if key not in self._answers and (instrument := self._instrument_of(key)) is not None:
                yield instrument

    def _still_open(self) -> Iterator[Instrument]:
        for key in self._gaps:
            is_open = self._answers.get(key, Explained()).cause is BreakCause.UNKNOWN
            if is_open and (instrument := self._instrument_of(key)) is not None:
                yield instrument

    def _instrument_of(self, key: str) -> Instrument | None:
        instrument_id = instrument_in(key)
        return None if instrument_id is None else self._evidence.books.instrument(instrument_id)

    def _exercise(self, option: Instrument, gap: Decimal) -> None:
        key, strike = position_in(option.instrument_id), option.contract.strike
        ours = self._found[key].ours
        if option.contract.security_type not in _OPTIONS or strike is None or ours * gap >= 0 or abs(gap) > abs(ours):
            return
        is_call = option.contract.right.upper().startswith("C")
        shares = (-gap if is_call else gap) * option.multiplier
        for stock in self._open_positions():
            if stock.contract.symbol != option.contract.symbol or stock.contract.security_type in _OPTIONS:
                continue
            if self._gaps[position_in(stock.instrument_id)] != shares:
                continue
            cause = BreakCause.EXERCISE if ours > 0 else BreakCause.ASSIGNMENT
            names = (option.local_symbol, stock.local_symbol)
            why = f"{-gap:f} {names[0]} went and {shares:f} {names[1]} came, as at the strike of {strike:f}"
            proposal = ExerciseOption(
                instrument_id=option.instrument_id, under_id=stock.instrument_id, contracts=abs(gap)
            )
            self._answer(cause, why, proposal, key, position_in(stock.instrument_id))
            self._claim_cash(stock.currency, -shares * strike * stock.multiplier, cause, why, proposal)
            return

    def _expiry(self, instrument: Instrument, gap: Decimal) -> None:
        key, expiry = position_in(instrument.instrument_id), instrument.contract.expiry
        found = self._found[key]
        today = self._evidence.today[: len(expiry)]
        is_over = bool(expiry) and (today >= expiry if len(expiry) == len("20131018") else today > expiry)
        if found.theirs or not is_over:
            return
        cash = self._gaps.get(cash_in(instrument.currency), _ZERO)
        settled = settlement_of(instrument.contract.security_type)
        px: Decimal | None = round(cash / (found.ours * instrument.multiplier), PLACES)
        if settled is Settlement.VARIATION:
            px = self._px(instrument.instrument_id)
        elif px is None or px < 0:
            px = _ZERO
        why = f"its last trading day was {expiry}, and the account holds none any more"
        proposal = None if px is None else ExpirePosition(instrument_id=instrument.instrument_id, px=px)
        self._answer(BreakCause.EXPIRY, why, proposal, key)
        if cash:
            self._claim_cash(instrument.currency, cash, BreakCause.EXPIRY, why, proposal)

    def _order(self, instrument: Instrument, gap: Decimal) -> None:
        missing: dict[bool, Decimal] = {}
        refs: list[str] = []
        for order in self._evidence.orders:
            if order.instrument_id != instrument.instrument_id or not order.perm_id:
                continue
            booked = self._booked.get(order.perm_id, _ZERO)
            if order.cum_qty > booked:
                is_ours = owner_of(order.order_ref) is not None
                missing[is_ours] = missing.get(is_ours, _ZERO) + order.side.sign * (order.cum_qty - booked)
                refs.append(order.order_ref or f"order {order.perm_id}")
        if not missing or sum(missing.values(), _ZERO) != gap:
            return
        cause = BreakCause.MISSED_EXECUTION if True in missing else BreakCause.MANUAL_TRADE
        why = f"the broker says that {', '.join(refs)} filled {gap:f} more than was told as executions"
        proposal = self._as_trade(instrument, gap)
        self._answer(cause, why, proposal, position_in(instrument.instrument_id))
        if proposal is not None and proposal.cash is not None:
            self._claim_cash(instrument.currency, proposal.cash.amount, cause, why, proposal)

    def _bust(self, instrument: Instrument, gap: Decimal) -> None:
        evidence = self._evidence
        for fill in evidence.fills:
            signed = fill.last_qty * fill.side.sign
            if fill.instrument_id != instrument.instrument_id or signed != -gap:
                continue
            if fill.ts_event_ns < evidence.day_start_ns or exec_root(fill.exec_id)[0] in evidence.listed:
                continue
            owner = evidence.books.owner_of(fill.exec_id) or UNASSIGNED
            fee = evidence.books.fee_of(fill.exec_id)
            back = _ZERO if fee is None or fee.currency != fill.currency else fee.amount
            if settlement_of(instrument.contract.security_type) is Settlement.PAID:
                back += signed * fill.last_px * fill.multiplier
            cash = Money(back, fill.currency) if back else None
            why = f"the broker lists execution {fill.exec_id} of {owner} no more: it was taken back"
            proposal = Adjust(strategy=owner, instrument_id=fill.instrument_id, qty=gap, px=fill.last_px, cash=cash)
            self._answer(BreakCause.BUST, why, proposal, position_in(instrument.instrument_id))
            self._claim_cash(fill.currency, back, BreakCause.BUST, why, proposal)
            return

    def _split(self, instrument: Instrument, gap: Decimal) -> None:
        found = self._found[position_in(instrument.instrument_id)]
        ratio = _ratio(found.ours, found.theirs)
        if ratio is None:
            return
        new, old = ratio
        speaks = [
            *self._px_says(instrument.instrument_id, new, old),
            *self._cost_says(instrument.instrument_id, new, old),
        ]
        if not speaks:
            return
        why = f"the account has {new} for each {old}, and {' and '.join(speaks)}"
        proposal = SplitPosition(instrument_id=instrument.instrument_id, new=new, old=old)
        self._answer(BreakCause.SPLIT, why, proposal, position_in(instrument.instrument_id))

    def _px_says(self, key: InstrumentId, new: int, old: int) -> Iterator[str]:
        before, now = self._evidence.agreed_px.get(key), self._evidence.marks.get(key)
        # a ratio near one must not be told by a price that has simply stayed where it was
        tolerance = min(PX_TOLERANCE, abs(Decimal(old) / new - 1) / 3)
        if before and now and abs(before / now * old / new - 1) <= tolerance:
            yield f"its price went from {before:f} to {now:f}"

    def _cost_says(self, key: InstrumentId, new: int, old: int) -> Iterator[str]:
        now = self._evidence.costs.get(key)
        tolerance = min(COST_TOLERANCE, abs(Decimal(old) / new - 1) / 3)
        # what agreed last is of after the split where its entry was undone: then the books' own cost speaks
        befores = (self._evidence.agreed_costs.get(key), self._our_cost(key))
        if now and any(before and abs(before / now * old / new - 1) <= tolerance for before in befores):
            yield "its cost has stayed"

    def _our_cost(self, key: InstrumentId) -> Decimal:
        books = self._evidence.books
        held = [books.book(name).positions.get(key) for name in books.strategies()]
        cost = sum((each.cost / each.multiplier for each in held if each is not None), _ZERO)
        return cost / (books.position_total(key) or 1)

    def _trade(self, instrument: Instrument, gap: Decimal) -> None:
        proposal = self._as_trade(instrument, gap)
        if proposal is None or proposal.cash is None:
            return
        why = (
            f"cash moved by what {abs(gap):f} {instrument.local_symbol} cost at {proposal.px:f}: a trade that no "
            "session told; import the Flex report, or adjust"
        )
        self._answer(BreakCause.MISSED_EXECUTION, why, proposal, position_in(instrument.instrument_id))
        self._claim_cash(instrument.currency, proposal.cash.amount, BreakCause.MISSED_EXECUTION, why, proposal)

    def _as_trade(self, instrument: Instrument, gap: Decimal) -> Adjust | None:
        cash, mark = self._gaps.get(cash_in(instrument.currency)), self._px(instrument.instrument_id)
        if cash is None or mark is None or settlement_of(instrument.contract.security_type) is not Settlement.PAID:
            return None
        px = -cash / (gap * instrument.multiplier)
        if not mark or abs(px / mark - 1) > TRADE_PX_TOLERANCE:
            return None
        return Adjust(
            instrument_id=instrument.instrument_id,
            qty=gap,
            px=px.quantize(Decimal("0.00000001")).normalize(),
            cash=Money(cash, instrument.currency),
        )

    def _px(self, key: InstrumentId) -> Decimal | None:
        return self._evidence.marks.get(key) or self._evidence.agreed_px.get(key)

    def _of_cash(self, key: str, gap: Decimal) -> Explained:
        evidence = self._evidence
        money = Money(gap, Currency(key.removeprefix("cash:")))
        unexplained = [each.local_symbol for each in self._still_open() if each.currency == money.currency]
        if unexplained:
            return Explained(why=f"it may belong to the break in {', '.join(unexplained)}")
        found = self._found[key]
        px = {**evidence.agreed_px, **evidence.marks}
        return explain_cash(money, found.ours, evidence.books, px, evidence.accruals, evidence.agreed_accruals)

    def _answer(self, cause: BreakCause, why: str, proposal: AnyBooking | None, *keys: str) -> None:
        for key in keys:
            self._answers[key] = Explained(cause=cause, why=why, proposal=proposal)

    def _claim_cash(
        self, currency: Currency, amount: Decimal, cause: BreakCause, why: str, proposal: AnyBooking | None
    ) -> None:
        # cash within a little of what the cause moves belongs to it: fees and a cent of rounding aside
        gap = self._gaps.get(cash_in(currency))
        if gap is not None and abs(gap - amount) <= max(Decimal(5), abs(amount) / 1000):
            self._answer(cause, why, proposal, cash_in(currency))


def _ratio(ours: Decimal, theirs: Decimal) -> tuple[int, int] | None:
    if not ours or not theirs or ours * theirs < 0:
        return None
    new, old = (Fraction(theirs) / Fraction(ours)).as_integer_ratio()
    return (new, old) if new != old and max(new, old) <= SPLITS_MAX else None
