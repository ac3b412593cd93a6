"""A hash of books: equal books, equal digest, however they came about."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from decimal import Decimal

from ibfloor.portfolio.book import Amounts, Book


def digest_of(books: Iterable[Book]) -> str:
    """Return the hash of books, in the order given; every amount counts to its last digit."""
    lines = [line for book in books for line in _lines(book)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _lines(book: Book) -> list[str]:
    lines = [f"{book.strategy} fills {book.fills}"] if book.fills else []
    for position in book.positions.values():
        figures = " ".join(_plain(amount) for amount in (position.qty, position.cost, position.realised, position.paid))
        lines.append(f"{book.strategy} {position.instrument_id} {position.currency} {figures}")
        lines += [f"{lot.opened_ns} {_plain(lot.qty)} {_plain(lot.cost)} {lot.source}" for lot in position.lots]
    named: list[tuple[str, Amounts]] = [
        ("cash", book.cash),
        ("realised", book.realised),
        ("fees", book.fees),
        ("flows", book.flows),
        ("exchanged", book.exchanged),
        *sorted(book.income.items()),
    ]
    for name, amounts in named:
        lines += [
            f"{book.strategy} {name} {currency} {_plain(amount)}"
            for currency, amount in sorted(amounts.items())
            if amount
        ]
    return lines


def _plain(amount: Decimal) -> str:
    return str(amount.normalize()) if amount else "0"
