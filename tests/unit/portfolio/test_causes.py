"""What a difference between books and account is taken for, and what is too thin to be taken for anything."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ibfloor.model.booking import Adjust, BookCash, BreakCause, ExpirePosition, SplitPosition
from ibfloor.model.entry import EntryKind
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.money import USD, Money
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.causes import Evidence, explain
from ibfloor.portfolio.reconciliation import Difference

D = Decimal
SPY = InstrumentId(756733)
POSITION, CASH = f"position:{SPY}", "cash:USD"


@pytest.fixture
def books(facts: Any) -> Books:
    """300 SPY at 160, and a million less what they cost."""
    made = Books()
    for fact in (facts.defined(facts.instrument()), facts.cash("1000000"), facts.filled(300, "160"), facts.fee("1")):
        made.apply(fact)
    return made


def gap(key: str, ours: str, theirs: str) -> Difference:
    return Difference(key=key, ours=D(ours), theirs=D(theirs), text=key)


def evidence(books: Books, **more: Any) -> Evidence:
    known: dict[str, Any] = {"marks": {SPY: D("160")}, "agreed_px": {SPY: D("160")}, **more}
    return Evidence(books=books, today="20131007", day_start_ns=0, **known)


def test_a_ratio_alone_is_no_split(books: Books) -> None:
    found = [gap(POSITION, "300", "600")]
    assert explain(found, evidence(books, costs={SPY: D(160)}))[POSITION].cause is BreakCause.UNKNOWN
    near_one = [gap(POSITION, "300", "350")]  # 7 for 6
    assert explain(near_one, evidence(books))[POSITION].cause is BreakCause.UNKNOWN
    for more in ({"marks": {SPY: D("79.10")}}, {"costs": {SPY: D("80.01")}}):
        told = explain(found, evidence(books, **more))[POSITION]
        assert told.proposal == SplitPosition(instrument_id=SPY, new=2, old=1)


def test_a_split_whose_entry_was_undone_is_told_by_the_cost_in_the_books(books: Books) -> None:
    after = {
        "costs": {SPY: D("80.01")},
        "agreed_costs": {SPY: D("80.01")},
        "agreed_px": {SPY: D(79)},
        "marks": {SPY: D(79)},
    }
    told = explain([gap(POSITION, "300", "600")], evidence(books, **after))[POSITION]
    assert told.proposal == SplitPosition(instrument_id=SPY, new=2, old=1)


@pytest.mark.parametrize(("theirs", "new", "old"), [("450", 3, 2), ("100", 1, 3), ("30", 1, 10)])
def test_splits_of_every_ratio_are_told_by_a_cost_that_stayed(books: Books, theirs: str, new: int, old: int) -> None:
    cost = {SPY: (D(160) * old / new).quantize(D("0.00000001"))}
    told = explain([gap(POSITION, "300", theirs)], evidence(books, costs=cost))[POSITION]
    assert told.proposal == SplitPosition(instrument_id=SPY, new=new, old=old)


def test_a_trade_is_told_by_the_cash_that_moved_with_it_and_not_far_from_the_market(books: Books) -> None:
    near = [gap(POSITION, "300", "250"), gap(CASH, "951999", "959999")]
    told = explain(near, evidence(books))
    assert told[POSITION].proposal == Adjust(instrument_id=SPY, qty=D(-50), px=D(160), cash=Money(D(8000), USD))
    assert {each.cause for each in told.values()} == {BreakCause.MISSED_EXECUTION}
    far = [gap(POSITION, "300", "250"), gap(CASH, "951999", "954999")]
    assert {each.cause for each in explain(far, evidence(books)).values()} == {BreakCause.UNKNOWN}


def test_an_order_that_filled_more_than_was_told_is_somebodys(books: Books, facts: Any) -> None:
    for ref, cause in (("", BreakCause.MANUAL_TRADE), ("sma:7", BreakCause.MISSED_EXECUTION)):
        order = facts.listed(ref=ref, cum_qty=20, perm_id=99)
        told = explain([gap(POSITION, "300", "320")], evidence(books, orders=(order,)))[POSITION]
        assert told.cause is cause
        assert told.proposal is None, "at which price, nobody knows yet"


@pytest.mark.parametrize(
    ("amount", "cause"),
    [
        ("10000", BreakCause.DEPOSIT),
        ("-2500", BreakCause.WITHDRAWAL),
        ("252", BreakCause.DIVIDEND),  # 0.84 each
        ("-252", BreakCause.INTEREST),  # who is long is paid, and pays nothing
        ("409.89", BreakCause.INTEREST),
        ("300", BreakCause.DIVIDEND),
        ("1500", BreakCause.UNKNOWN),  # 5.00 each, or a deposit
        ("123456.78", BreakCause.UNKNOWN),
    ],
)
def test_cash_by_itself_is_taken_for_something_by_its_size(books: Books, amount: str, cause: BreakCause) -> None:
    told = explain([gap(CASH, "951999", str(D("951999") + D(amount)))], evidence(books))[CASH]
    assert told.cause is cause
    if cause is not BreakCause.UNKNOWN:
        assert isinstance(told.proposal, BookCash)
        assert (told.proposal.kind, told.proposal.amount) == (EntryKind(cause), Money(D(amount), USD))
        assert told.why


def test_what_had_accrued_and_fell_by_the_amount_is_no_guess(books: Books) -> None:
    told = explain(
        [gap(CASH, "951999", "952299")],
        evidence(
            books, agreed_accruals={("AccruedCash", USD): D("310.50")}, accruals={("AccruedCash", USD): D("10.50")}
        ),
    )[CASH]
    assert told.cause is BreakCause.INTEREST
    assert "310.50" in told.why


def test_fees_on_their_way_are_no_charge(facts: Any) -> None:
    books = Books()
    for fact in (facts.cash("1000"), facts.filled(1, "10")):
        books.apply(fact)
    told = explain([gap(CASH, "990", "989")], evidence(books))[CASH]
    assert (told.cause, told.proposal) == (BreakCause.FEE, None)


def test_cash_beside_an_unexplained_position_is_left_to_the_person(books: Books) -> None:
    told = explain([gap(POSITION, "300", "307"), gap(CASH, "951999", "951800")], evidence(books))
    assert told[CASH].cause is BreakCause.UNKNOWN
    assert "SPY" in told[CASH].why


def test_a_contract_past_its_last_day_that_nobody_holds_has_expired(facts: Any) -> None:
    option = facts.instrument(SecurityType.OPTION, "SPY", multiplier="100")
    dated = msgspec.structs.replace(option, contract=msgspec.structs.replace(option.contract, expiry="20131004"))
    books = Books()
    for fact in (facts.defined(dated), facts.cash("1000"), facts.filled(2, "3", multiplier="100")):
        books.apply(fact)
    key = f"position:{dated.instrument_id}"
    told = explain([gap(key, "2", "0"), gap(CASH, "400", "1100")], evidence(books))
    assert told[key].proposal == ExpirePosition(instrument_id=dated.instrument_id, px=D("3.5"))
    assert told[CASH].cause is BreakCause.EXPIRY
    still = msgspec.structs.replace(dated, contract=msgspec.structs.replace(dated.contract, expiry="20131018"))
    books.apply(facts.defined(still))
    assert explain([gap(key, "2", "0")], evidence(books))[key].cause is BreakCause.UNKNOWN
