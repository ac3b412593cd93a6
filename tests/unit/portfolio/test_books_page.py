"""The worked example of docs/books.md: every number on the page is what the books make of its story."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from ibfloor.model.entry import BookEntry, EntryKind
from ibfloor.model.fact import AnyFact, FeeReported, InstrumentDefined, OrderFilled
from ibfloor.model.ids import UNASSIGNED, ClientOrderId, ExecId, InstrumentId, StrategyId
from ibfloor.model.instrument import Contract, Instrument, SecurityType
from ibfloor.model.lots import LotMethod
from ibfloor.model.marking import BooksMarked, MarkTaken, RateTaken
from ibfloor.model.money import USD, Currency, Money
from ibfloor.model.order import Side
from ibfloor.portfolio.actions import Header, cash_entry, dividend, transfer
from ibfloor.portfolio.book import Book
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.corporate import expiry, split
from ibfloor.portfolio.entry_check import check_entry
from ibfloor.portfolio.statement_bridge import base_bridge, currency_bridges
from ibfloor.portfolio.worth import ACCOUNT, Prices, merged, prices_of, worth_of

PAGE = Path(__file__).parents[3] / "docs" / "books.md"
D = Decimal
EUR = Currency("EUR")
TREND = StrategyId("trend")


def defined(number: int, kind: SecurityType, symbol: str, currency: Currency = USD, multiplier: int = 1) -> Instrument:
    return Instrument(
        instrument_id=InstrumentId(number),
        contract=Contract(security_type=kind, symbol=symbol, currency=currency),
        local_symbol=symbol,
        currency=currency,
        multiplier=D(multiplier),
    )


ACME, PUT, RHEIN, FUT = (
    defined(1, SecurityType.STOCK, "ACME"),
    defined(2, SecurityType.OPTION, "ACME P", USD, 100),
    defined(3, SecurityType.STOCK, "RHEIN", EUR),
    defined(4, SecurityType.FUTURE, "FUT", USD, 50),
)
INSTRUMENTS = {each.instrument_id: each for each in (ACME, PUT, RHEIN, FUT)}


class Teller:
    """Tells the page's story, a line at a time."""

    def __init__(self, method: LotMethod) -> None:
        self.books = Books(method)
        self._now = 0
        for instrument in INSTRUMENTS.values():
            self._take(InstrumentDefined(ts_event_ns=0, ts_init_ns=0, instrument=instrument))

    def _take(self, fact: AnyFact) -> None:
        assert self.books.apply(fact) or isinstance(fact, InstrumentDefined)

    def head(self) -> Header:
        self._now += 10
        return Header(
            entry_id=f"e{self._now}", ts_event_ns=self._now, ts_init_ns=self._now, actor="ann", reason="example"
        )

    def trade(self, owner: StrategyId, instrument: Instrument, qty: int, px: str, fee: str = "") -> None:
        self._now += 10
        exec_id = ExecId(f"x{self._now}.01")
        self._take(
            OrderFilled(
                ts_event_ns=self._now,
                ts_init_ns=self._now,
                exec_id=exec_id,
                cl_ord_id=None if owner == UNASSIGNED else ClientOrderId(f"{owner}:{self._now}"),
                strategy=owner,
                instrument_id=instrument.instrument_id,
                side=Side.BUY if qty > 0 else Side.SELL,
                last_qty=abs(D(qty)),
                last_px=D(px),
                currency=instrument.currency,
                multiplier=instrument.multiplier,
            )
        )
        if fee:
            money = Money(D(fee), instrument.currency)
            self._take(FeeReported(ts_event_ns=self._now, ts_init_ns=self._now, exec_id=exec_id, fee=money))

    def first_day(self) -> None:
        books, acme = self.books, ACME.instrument_id
        self._book(cash_entry(self.head(), EntryKind.DEPOSIT, {TREND: Money(D(50_000), USD)}))
        self._book(cash_entry(self.head(), EntryKind.DEPOSIT, {TREND: Money(D(2_000), EUR)}))
        self.trade(TREND, ACME, 100, "50", "1.00")
        self.trade(TREND, ACME, 100, "60", "1.00")
        self.trade(TREND, ACME, -150, "70", "1.50")
        self.trade(TREND, RHEIN, 10, "80", "1.00")
        self.trade(UNASSIGNED, ACME, 20, "72", "1.00")
        self._book(transfer(books, self.head(), acme, D(20), giver=UNASSIGNED, taker=TREND, px=D(74)))

    def second_day(self) -> None:
        books, acme = self.books, ACME.instrument_id
        self._book(split(books, self.head(), acme, 2, 1))
        self._book(dividend(books, self.head(), acme, D("0.25")))
        self.trade(TREND, PUT, -1, "2.00", "0.70")
        self._book(expiry(books, self.head(), PUT.instrument_id))
        self.trade(TREND, FUT, 2, "100", "2.00")
        self.trade(TREND, FUT, -1, "104", "1.00")
        self._book(cash_entry(self.head(), EntryKind.CHARGE, {TREND: Money(D("-4.50"), USD)}))

    def _book(self, entry: BookEntry) -> None:
        assert check_entry(entry, self.books) is None
        self._take(entry)


def prices(acme: str, rhein: str, fut: str, eur: str) -> Prices:
    marks = [(ACME, acme), (RHEIN, rhein), (FUT, fut)]
    fact = BooksMarked(
        ts_event_ns=1,
        ts_init_ns=1,
        base=USD,
        marks=tuple(MarkTaken(each.instrument_id, D(px), 1, "mid") for each, px in marks),
        rates=(RateTaken(EUR, D(eur), 1, "EUR.USD"),),
    )
    return prices_of(fact, USD, INSTRUMENTS)


FIRST_CLOSE = prices("75", "82", "100", "1.10")
SECOND_CLOSE = prices("38", "85", "103", "1.12")

STEPS = {
    "flows": "Came in",
    "realised": "Realised",
    "unrealised": "Change of open results",
    "dividends": "Dividends",
    "charges": "Charges",
    "fees": "Fees",
}
COLUMNS = {"`trend`": (TREND,), "`UNASSIGNED`": (UNASSIGNED,), "Account": (TREND, UNASSIGNED)}


def table(title: str) -> dict[str, dict[str, str]]:
    """Return a table of the page by its title: cells by the first column, then by heading."""
    text = PAGE.read_text(encoding="utf-8").split(f"**{title}**", 1)[1].strip()
    lines = [line for line in text.split("\n\n", 1)[0].splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head, _, *body = rows
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in body}


def number(cell: str) -> Decimal:
    return D(re.sub(r"[^0-9.\-]", "", cell.replace("\N{MINUS SIGN}", "-")) or "0")


def told() -> tuple[dict[StrategyId, Book], dict[StrategyId, Book], Teller]:
    teller = Teller(LotMethod.FIFO)
    teller.first_day()
    first = {name: teller.books.book(name) for name in (TREND, UNASSIGNED)}
    teller.second_day()
    return first, {name: teller.books.book(name) for name in (TREND, UNASSIGNED)}, teller


@pytest.mark.parametrize("day", [1, 2])
def test_every_step_on_the_page_is_what_the_books_say(day: int) -> None:
    first, second, _ = told()
    nothing = {name: Book(strategy=name) for name in first}
    before, after = (nothing, first) if day == 1 else (first, second)
    then, now = (FIRST_CLOSE, FIRST_CLOSE if day == 1 else SECOND_CLOSE)
    page = table(f"Day {day}, in USD")
    assert set(page) == {"Opening equity", *STEPS.values(), "FX effect", "Closing equity"}
    for column, names in COLUMNS.items():
        one, other = (merged(ACCOUNT, (books[name] for name in names)) for books in (before, after))
        bridge = base_bridge(currency_bridges(one, other, then, now, other.cash), then, now)
        expected = {text: getattr(bridge.steps, name).value for name, text in STEPS.items()}
        expected |= {
            "Opening equity": bridge.opening.value,
            "FX effect": bridge.fx_effect.value,
            "Closing equity": bridge.closing.value,
        }
        shown = {text: number(cells[column]) for text, cells in page.items()}
        assert shown == expected
        assert shown["Closing equity"] == sum(amount for text, amount in shown.items() if text != "Closing equity")


def test_lots_and_cash_on_the_page_are_those_of_the_books() -> None:
    _, second, teller = told()
    trend = second[TREND]
    page = table("What `trend` holds then")
    assert set(page) == {"ACME", "RHEIN", "FUT"}
    unrealised = worth_of(trend, SECOND_CLOSE).unrealised
    for instrument in (ACME, RHEIN, FUT):
        position, cells = trend.positions[instrument.instrument_id], page[instrument.contract.symbol]
        lots = "; ".join(f"{lot.qty.normalize():f} at {position.px_of(lot).normalize():f}" for lot in position.lots)
        assert cells["Lots"] == lots
        assert [number(cells[name]) for name in ("Cost", "Open result", "Realised")] == [
            position.cost,
            unrealised[instrument.instrument_id].value,
            position.realised,
        ]
    cash = table("Cash of `trend` then")
    assert {currency: number(cells["Cash"]) for currency, cells in cash.items()} == trend.cash
    assert teller.books.account_cash() == {USD: trend.cash[USD] + second[UNASSIGNED].cash[USD], EUR: trend.cash[EUR]}


def test_rule_for_lots_on_the_page_moves_results_and_keeps_their_sum() -> None:
    page = table("The same two days by each rule, `trend` in ACME")
    assert set(page) == {f"`{method}`" for method in LotMethod}
    for method in LotMethod:
        teller = Teller(method)
        teller.first_day()
        teller.second_day()
        position = teller.books.book(TREND).positions[ACME.instrument_id]
        open_result = position.unrealised(D(38))
        cells = page[f"`{method}`"]
        assert [number(cells[name]) for name in ("Realised", "Open result", "Both")] == [
            position.realised,
            open_result,
            position.realised + open_result,
        ]
        assert number(cells["Both"]) == 3340
