"""Two records of a gateway side by side: what differs, named row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from ibfloor.model.errors import ConfigError
from ibfloor.sim.gateway.book import BookReport

Rows = Sequence[msgspec.Struct]
_LISTS = ("incarnations", "bookings", "refusals", "sent")


def read_book(path: Path) -> BookReport:
    """Return a dumped record; raise ``ConfigError`` with the file for one that cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=BookReport)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path} is no book: {error}; `ibfloor gateway book --json` writes one") from error


def differences(one: BookReport, other: BookReport) -> list[str]:
    """Return what differs, a line for each row and field; empty for equal records."""
    found: list[str] = []
    accounts = {row.account: row for row in one.accounts}
    others = {row.account: row for row in other.accounts}
    for name in _both(accounts, others):
        mine, its = accounts.get(name), others.get(name)
        if mine is None or its is None:
            found.append(f"account {name}: {_lone(mine is not None)}")
            continue
        where = f"account {name}: "
        if mine.base_currency != its.base_currency:
            found.append(f"{where}base_currency is {mine.base_currency} here, {its.base_currency} there")
        found += _amounts(where + "opening cash", mine.opening_cash, its.opening_cash)
        found += _amounts(where + "cash", mine.cash, its.cash)
        found += _keyed(where + "position", ("con_id", "symbol"), mine.positions, its.positions)
        found += _listed(where + "moves", mine.moves, its.moves)
    found += _keyed("order", ("perm_id",), one.orders, other.orders)
    found += _keyed("execution", ("exec_id",), one.executions, other.executions)
    for kind in _LISTS:
        found += _listed(kind, getattr(one, kind), getattr(other, kind))
    return found


def _amounts(where: str, one: dict[str, Decimal], other: dict[str, Decimal]) -> Iterator[str]:
    for currency in _both(one, other):
        mine, its = one.get(currency, Decimal(0)), other.get(currency, Decimal(0))
        if mine != its:
            yield f"{where} {currency} is {mine} here, {its} there"


def _keyed(what: str, key: tuple[str, ...], one: Rows, other: Rows) -> Iterator[str]:
    mine, its = ({_key(row, key): row for row in rows} for rows in (one, other))
    for name in _both(mine, its):
        if name in mine and name in its:
            yield from (f"{what} {name}: {text}" for text in _fields(mine[name], its[name]))
        else:
            yield f"{what} {name}: {_lone(name in mine)}"


def _key(row: msgspec.Struct, key: tuple[str, ...]) -> str:
    return " ".join(str(getattr(row, name)) for name in key)


def _listed(what: str, one: Rows, other: Rows) -> Iterator[str]:
    if len(one) != len(other):
        yield f"{what}: {len(one)} here, {len(other)} there"
    for n, (mine, its) in enumerate(zip(one, other, strict=False)):
        if mine != its:  # what follows is moved along; the first one tells
            yield f"{what}[{n}]: " + "; ".join(_fields(mine, its))
            return


def _fields(one: msgspec.Struct, other: msgspec.Struct) -> Iterator[str]:
    for name in one.__struct_fields__:
        mine, its = getattr(one, name), getattr(other, name)
        if mine != its:
            yield f"{name} is {_text(mine)} here, {_text(its)} there"


def _text(value: object) -> str:
    return repr(value) if isinstance(value, str) and not value else str(value)


def _lone(is_here: bool) -> str:
    return "here alone" if is_here else "there alone"


def _both(one: Iterable[str], other: Iterable[str]) -> list[str]:
    return list(dict.fromkeys((*one, *other)))
