"""What a person may not ask of the books: each refusal names the field and what is allowed."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from ibfloor.model.booking import (
    Adjust,
    AnyBooking,
    BookCash,
    BreakLeft,
    ExpirePosition,
    MergePosition,
    Share,
    SpinOff,
    SplitPosition,
    TransferCash,
    TransferLot,
    left_text,
)
from ibfloor.model.entry import EntryKind
from ibfloor.model.fact import BreakFound
from ibfloor.model.ids import UNASSIGNED, InstrumentId, StrategyId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.money import Currency, Money
from ibfloor.portfolio.actions import ActionError, Header
from ibfloor.portfolio.booking import entry_of
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.preview import preview

D = Decimal
KO, PEP, ES, SPREAD, IWM = map(InstrumentId, (1, 2, 3, 4, 5))
SMA = StrategyId("sma")


@pytest.fixture
def books(facts: Any) -> Books:
    """UNASSIGNED holds 100 KO, 2 ES and a combination; of PEP and IWM nobody holds any."""
    books = Books()
    for key, kind, symbol in (
        (KO, SecurityType.STOCK, "KO"),
        (PEP, SecurityType.STOCK, "PEP"),
        (IWM, SecurityType.STOCK, "IWM"),
        (ES, SecurityType.FUTURE, "ES"),
        (SPREAD, SecurityType.COMBO, "SPREAD"),
    ):
        books.apply(facts.defined(facts.instrument(kind, symbol, instrument_id=key)))
    for number, key in enumerate((KO, ES, SPREAD)):
        books.apply(facts.filled(100, "60", f"{number}.01", None, ts=1_000, instrument_id=key))
    return books


def asked(booking: AnyBooking, books: Books, break_key: str = "") -> Any:
    head = Header(entry_id="e1", ts_event_ns=5_000, ts_init_ns=5_000, actor="ann", reason="test", break_key=break_key)
    return entry_of(booking, books, head)


def merger(into: InstrumentId = PEP, **more: Decimal) -> MergePosition:
    return MergePosition(instrument_id=KO, into_id=into, new=3, old=10, **more)


def deposit(amount: str, currency: str = "USD", *shares: str) -> BookCash:
    parts = tuple(Share(strategy=SMA, amount=D(each)) for each in shares)
    return BookCash(kind=EntryKind.DEPOSIT, amount=Money(D(amount), Currency(currency)), shares=parts)


def moved(key: InstrumentId, px: str) -> TransferLot:
    return TransferLot(taker=SMA, instrument_id=key, qty=D(1), px=D(px))


@pytest.mark.parametrize(
    ("booking", "why"),
    [
        (merger(cash_per_share=D(5), cash_cost_share=D(7)), "share of the cost 7 is out of bounds: it must be from 0"),
        (merger(cash_per_share=D(5), cash_cost_share=D("-0.1")), "it must be from 0 to 1"),
        (merger(cash_per_share=D(-5)), "cash for each old one -5 is out of bounds: it must be from 0"),
        (merger(KO), "a merger gives shares of another company"),
        (merger(px_in_lieu=D(-1)), "price in lieu -1 is out of bounds"),
        (SplitPosition(instrument_id=KO, new=2, old=3, px_in_lieu=D(-59)), "price in lieu -59 is out of bounds"),
        (
            SpinOff(instrument_id=KO, child_id=PEP, new=1, old=4, cost_share=D("0.1"), px_in_lieu=D(-1)),
            "price in lieu -1 is out of bounds",
        ),
        (moved(KO, "-3"), "price -3 of KO: it must be 0 or more"),
        (moved(KO, "1e9"), "price 1000000000 is out of bounds: it must be less than 100,000,000"),
        (Adjust(instrument_id=KO, qty=D(1), px=D(-3)), "price -3 of KO"),
        (ExpirePosition(instrument_id=KO), "only options and futures expire, and KO is neither"),
        (deposit("10", "XTS"), "there is no currency XTS"),
        (deposit("10", "DOLLARS"), "there is no currency DOLLARS: write its three letters"),
        (Adjust(cash=Money(D(1), Currency("XTS"))), "there is no currency XTS"),
        (TransferCash(taker=SMA, amount=Money(D(1), Currency("XTS"))), "there is no currency XTS"),
        (deposit("10.001"), "amount 10.001 is too fine: the smallest of USD is 0.01"),
        (deposit("10.5", "JPY"), "amount 10.5 is too fine: the smallest of JPY is 1"),
        (deposit("10", "USD", "4.995", "5.005"), "amount 4.995 is too fine"),
        (
            BookCash(
                kind=EntryKind.WITHDRAWAL,
                amount=Money(D(-500), Currency("USD")),
                shares=(Share(strategy=SMA, amount=D(-400)),),
            ),
            "the shares add up to 400 USD, not to 500",
        ),
        (
            BookCash(kind=EntryKind.DIVIDEND, amount=Money(D(28), Currency("USD")), instrument_id=IWM),
            "no book held IWM then: name the books it is for, each with its part (--to BOOK=AMOUNT)",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(books: Books, booking: AnyBooking, why: str) -> None:
    with pytest.raises(ActionError, match=re.escape(why)):
        asked(booking, books)


@pytest.mark.parametrize(
    "booking",
    [
        merger(cash_per_share=D(5), cash_cost_share=D("0.2")),
        moved(KO, "0"),
        moved(ES, "-37.63"),
        moved(SPREAD, "-3"),
        ExpirePosition(instrument_id=ES, px=D("-37.63")),
        deposit("10.01"),
        deposit("10.001", "KWD"),
        deposit("10", "CNH"),
    ],
)
def test_what_may_be_is_booked(books: Books, booking: AnyBooking) -> None:
    assert asked(booking, books).legs


def test_a_break_of_less_than_a_cent_more_is_booked_whole(books: Books) -> None:
    (leg,) = asked(deposit("10000.0037"), books, break_key="cash:USD").legs
    assert (leg.strategy, leg.amount.amount) == (UNASSIGNED, D("10000.0037"))


def test_what_the_account_has_is_a_currency_whatever_the_list_says(books: Books, facts: Any) -> None:
    books.apply(facts.cash("5", currency="XAU"))
    assert asked(deposit("1.5", "XAU"), books).legs


def test_a_preview_says_which_break_would_open_and_what_would_remain(books: Books) -> None:
    entry = asked(deposit("10000"), books)
    (opened,) = preview(entry, books, {}, is_equal=True)[1]
    assert left_text(opened) == "break cash:USD would open: the account has 10,000.00 USD less than the books"
    assert preview(entry, books, {})[1] == (), "books that were not compared tell nothing"
    found = BreakFound(ts_event_ns=1, ts_init_ns=1, key="cash:USD", ours=D("10000.0000000000"), theirs=D("0"), text="")
    (left,) = preview(entry, books, {"cash:USD": found}, is_equal=True)[1]
    assert left_text(left) == "break cash:USD: -20,000.00 USD of -10,000.00 USD would remain"
    ours = BreakLeft(key="position:1", before=D("100.000"), after=D("0.5000"))
    assert left_text(ours) == "break position:1: 0.5 of 100 would remain"
