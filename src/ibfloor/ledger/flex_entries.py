"""From a Flex report to book entries: money without a trade, and options that ended without a market."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from ibfloor.ledger.flex import FlexCash, FlexReport, FlexTrade
from ibfloor.model.booking import AnyBooking, BookCash, ExerciseOption, ExpirePosition, Share
from ibfloor.model.entry import NO_INSTRUMENT, BookEntry, CashLeg, EntryKind
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.moment import NS_PER_S
from ibfloor.model.money import Currency, Money
from ibfloor.portfolio.actions import ActionError, Header, allocated, quantities_at
from ibfloor.portfolio.booking import entry_of
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.entry_check import check_entry

ACTOR = "flex import"
EXPIRED, EXERCISED, ASSIGNED = "Ep", "Ex", "A"
NEAR_NS = 7 * 24 * 3600 * NS_PER_S
"""A booking of the same by hand may have been made on another day."""
_CASH_KINDS = {
    "dividends": EntryKind.DIVIDEND,
    "payment in lieu of dividends": EntryKind.DIVIDEND,
    "withholding tax": EntryKind.CHARGE,
    "871(m) withholding": EntryKind.CHARGE,
    "broker interest paid": EntryKind.INTEREST,
    "broker interest received": EntryKind.INTEREST,
    "bond interest paid": EntryKind.INTEREST,
    "bond interest received": EntryKind.INTEREST,
    "borrow fees": EntryKind.BORROW,
    "broker fees": EntryKind.CHARGE,
    "other fees": EntryKind.CHARGE,
    "advisor fees": EntryKind.CHARGE,
    "commission adjustments": EntryKind.CHARGE,
    "price adjustments": EntryKind.CHARGE,
}
"""IB's words for what moved cash. Deposits and withdrawals are one word: the sign tells."""


class Due(msgspec.Struct, frozen=True):
    """One booking of a report, before the books were asked what it comes to."""

    entry_id: str
    ts_ns: int
    order: int
    booking: AnyBooking
    text: str


class FlexBookings:
    """Works out a report's entries against books, one after the other; the caller applies each."""

    def __init__(self, report: FlexReport, books: Books, opened_ns: int, now_ns: int) -> None:
        self._report = report
        self._books = books
        self._opened_ns = opened_ns
        self._now_ns = now_ns
        self.known = 0
        self.before_opening = 0
        self.unread: list[str] = []

    def entries(self) -> Iterator[BookEntry]:
        """Yield what is to be booked, oldest first; each must be applied before the next is asked for."""
        due = [*self._cash(), *self._endings()]
        for each in sorted(due, key=lambda each: (each.ts_ns, each.order, each.entry_id)):
            if self._books.entries.get(each.entry_id) is not None:
                self.known += 1
            elif each.ts_ns <= self._opened_ns:
                self.before_opening += 1
            elif (entry := self._entry(each)) is not None:
                yield entry

    def _entry(self, due: Due) -> BookEntry | None:
        head = Header(
            entry_id=due.entry_id, ts_event_ns=due.ts_ns, ts_init_ns=self._now_ns, actor=ACTOR, reason=due.text
        )
        try:
            entry = entry_of(due.booking, self._books, head)
        except ActionError as error:
            self.unread.append(f"{due.text}: {error}")
            return None
        refusal = check_entry(entry, self._books) or self._told_by_hand(entry)
        if refusal:
            self.unread.append(f"{due.text}: {refusal}")
            return None
        return entry

    def _told_by_hand(self, entry: BookEntry) -> str:
        for other in self._books.entries:
            is_near = abs(other.ts_event_ns - entry.ts_event_ns) < NEAR_NS and other.kind is entry.kind
            counts = not other.reverses and self._books.entries.reversed_by(other.entry_id) is None
            if is_near and counts and other.actor != ACTOR and _is_alike(other, entry):
                return f"booked already by {other.actor}, as entry {other.entry_id}: undo that one if it is another"
        return ""

    def _cash(self) -> Iterator[Due]:
        for each in self._report.cash:
            kind = _CASH_KINDS.get(each.kind.lower())
            if kind is None and "deposit" in each.kind.lower():
                kind = EntryKind.DEPOSIT if each.amount > 0 else EntryKind.WITHDRAWAL
            what = f"{each.amount} {each.currency} {each.kind}: {each.description}"
            if kind is None or not each.transaction_id or each.ts_ns is None:
                missing = "no kind of booking" if kind is None else "transactionID and dateTime are needed"
                self.unread.append(f"{what} ({missing})")
            elif each.amount:
                money = Money(each.amount, Currency(each.currency))
                held = self._held(each, each.ts_ns)
                shares = tuple(
                    Share(strategy=name, amount=part.amount)
                    for name, part in (allocated(money, held) if held else {}).items()
                )
                paid_by = InstrumentId(each.con_id) if held else NO_INSTRUMENT
                booking = BookCash(kind=kind, amount=money, shares=shares, instrument_id=paid_by)
                yield Due(f"flex:{each.transaction_id}", each.ts_ns, 0, booking, what)

    def _held(self, cash: FlexCash, ts_ns: int) -> dict[StrategyId, Decimal]:
        # Who held it when it was due gets it, whoever holds it when it is paid. Nobody: it is UNASSIGNED's.
        at_ns = ts_ns if cash.ex_ns is None else cash.ex_ns
        held = quantities_at(self._books, InstrumentId(cash.con_id), at_ns) if cash.con_id else {}
        return held if sum(held.values(), Decimal(0)) else {}

    def _endings(self) -> Iterator[Due]:
        stocks = [each for each in self._report.endings if not each.right]
        for option in self._report.endings:
            if not option.right:
                continue
            what = f"{option.qty:f} {option.symbol} {'/'.join(option.codes)}"
            entry_id, codes = f"flex:{option.trade_id}", set(option.codes)
            option_id = InstrumentId(option.con_id)
            under = next((each for each in stocks if _delivers(each, option)), None)
            if not option.trade_id:
                self.unread.append(f"{what}: tradeID is needed")
            elif under is not None and codes & {EXERCISED, ASSIGNED}:
                stocks.remove(under)
                turned = ExerciseOption(
                    instrument_id=option_id, under_id=InstrumentId(under.con_id), contracts=option.qty
                )
                yield Due(entry_id, option.ts_ns, 1, turned, what)
            elif EXPIRED in codes:
                yield Due(entry_id, option.ts_ns, 2, ExpirePosition(instrument_id=option_id, px=option.px), what)
            else:
                self.unread.append(f"{what}: the trade of its underlying is not in the report")
        self.unread += [f"{each.qty:f} {each.symbol} {'/'.join(each.codes)}: without its option" for each in stocks]


def _delivers(stock: FlexTrade, option: FlexTrade) -> bool:
    same = set(stock.codes) & set(option.codes) & {EXERCISED, ASSIGNED}
    is_under = stock.symbol == option.underlying or stock.con_id == option.underlying_con_id
    return bool(same) and is_under and stock.qty == option.qty * option.multiplier / stock.multiplier


def _is_alike(one: BookEntry, other: BookEntry) -> bool:
    if other.instruments:
        return bool(one.instruments & other.instruments)
    return _cash_of(one) == _cash_of(other)


def _cash_of(entry: BookEntry) -> dict[Currency, Money]:
    total: dict[Currency, Money] = {}
    for leg in entry.legs:
        if isinstance(leg, CashLeg):
            before = total.get(leg.amount.currency)
            total[leg.amount.currency] = leg.amount if before is None else before + leg.amount
    return total
