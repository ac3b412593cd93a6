"""A statement as titled tables of typed cells: HTML and CSV show the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from ibfloor.model.entry import BookEntry, CashLeg, PositionLeg, SettleLeg
from ibfloor.portfolio.executions import Execution
from ibfloor.portfolio.figures import ZERO, Figure, cents_that_add_up, to_cents, total
from ibfloor.portfolio.position import Lot
from ibfloor.portfolio.statement import StatedPosition, Statement
from ibfloor.portfolio.statement_bridge import STEPS, CurrencyBridge

_ALWAYS = ("realised", "unrealised", "fees", "flows")


class Cell(msgspec.Struct, frozen=True):
    """One value: ``None`` is not known, and ``why`` says what is missing."""

    value: Decimal | int | str | None
    kind: str = "text"
    """``text``, ``wide`` (may wrap), ``money`` (cents), ``gain`` and ``cost`` (cents, signed), ``number`` and
    ``price`` (exact), ``rate``, ``time`` and ``clock`` (ns; the latter on the statement's day), ``lot`` (when it was
    opened, ns)."""
    why: str = ""


class Column(msgspec.Struct, frozen=True):
    """A table's column; ``is_spare``: left out on a narrow screen."""

    title: str
    is_number: bool = False
    is_spare: bool = False


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A titled table."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = ""
    """What stands there when there are no rows; without it such a table is left out."""
    strong: frozenset[int] = frozenset()
    """Rows that are sums."""
    note: str = ""


def tables(statement: Statement) -> Iterator[Table]:
    """Yield a statement's tables in reading order."""
    yield _summary(statement)
    yield _currencies(statement)
    yield _positions(statement)
    yield _instruments(statement)
    yield _executions(statement)
    yield _entries(statement)
    yield _breaks(statement)


def unknown(statement: Statement) -> tuple[str, ...]:
    """Return why figures of the statement are not known; empty when all are."""
    bridge = statement.bridge
    figures = [bridge.opening, *bridge.steps.figures(), bridge.fx_effect, bridge.closing]
    figures += [figure for each in statement.currencies for figure in (each.opening, each.closing)]
    figures += [each.value_in_base for each in statement.positions] + [each.in_base for each in statement.instruments]
    reasons = [reason for figure in figures if figure.value is None for reason in figure.why.split("; ")]
    return tuple(dict.fromkeys(reasons))


def money(figure: Figure, kind: str = "money") -> Cell:
    """Return a cell of an amount in cents."""
    return Cell(None, kind, figure.why) if figure.value is None else Cell(to_cents(figure.value), kind)


def number(amount: Decimal) -> Cell:
    """Return a cell of an exact number."""
    return Cell(amount, "number")


def _summary(statement: Statement) -> Table:
    bridge = statement.bridge
    lines = [(name, title, getattr(bridge.steps, name)) for name, title in STEPS.items()]
    lines.append(("fx_effect", "Currency rates moved", bridge.fx_effect))
    shown = [(name, title, figure) for name, title, figure in lines if name in _ALWAYS or figure != ZERO]
    cells = _steps_in_cents(statement, [figure for _, _, figure in shown])
    rows = [(Cell("Opening equity"), money(bridge.opening))]
    rows += [(Cell(title), cell) for (_, title, _), cell in zip(shown, cells, strict=True)]
    if bridge.unexplained.value:
        rows.append((Cell("NOT EXPLAINED: the books are wrong"), money(bridge.unexplained, "gain")))
    rows.append((Cell("Closing equity"), money(bridge.closing)))
    return Table(
        title=f"Equity in {statement.base}",
        columns=(Column(""), Column(statement.base, is_number=True)),
        rows=tuple(rows),
        strong=frozenset({0, len(rows) - 1}),
    )


def _steps_in_cents(statement: Statement, figures: list[Figure]) -> list[Cell]:
    opening, closing = statement.bridge.opening.value, statement.bridge.closing.value
    exact = [figure.value for figure in figures if figure.value is not None]
    if opening is None or closing is None or len(exact) < len(figures) or statement.bridge.unexplained.value:
        return [money(figure, "gain") for figure in figures]
    shown = cents_that_add_up(exact, to_cents(closing) - to_cents(opening))
    return [Cell(amount, "gain") for amount in shown]


def _currencies(statement: Statement) -> Table:
    titles = ("Opening", "Result", "Fees", "Income", "Flows", "Converted", "Closing", "of it cash")
    columns = (Column("Currency"), *(Column(title, is_number=True, is_spare=title in titles[1:6]) for title in titles))
    rate = (Column(f"Rate in {statement.base}", is_number=True), Column("Rate of", is_spare=True))
    return Table(
        title="By currency",
        columns=columns + rate,
        rows=tuple(_currency_row(each, statement) for each in statement.currencies),
        empty="No cash and no positions.",
    )


def _currency_row(each: CurrencyBridge, statement: Statement) -> tuple[Cell, ...]:
    steps = each.steps
    own = each.currency == statement.base
    rate = Cell(None, "number", each.rate.why) if each.rate.value is None else Cell(each.rate.value, "rate")
    return (
        Cell(each.currency),
        money(each.opening),
        money(steps.realised + steps.unrealised, "gain"),
        money(steps.fees, "gain"),
        money(total((steps.dividends, steps.interest, steps.borrow, steps.charges)), "gain"),
        money(steps.flows, "gain"),
        money(steps.exchanged, "gain"),
        money(each.closing),
        Cell(to_cents(each.cash), "money"),
        Cell("base" if own else rate.value, "text" if own else rate.kind, rate.why),
        Cell("") if own or not each.rate_ts_ns else Cell(each.rate_ts_ns, "time", each.rate_source),
    )


def _positions(statement: Statement) -> Table:
    numbers = ("Quantity", "Average price", "Cost", "Price", "Value", "Open result", f"In {statement.base}")
    columns = (
        Column("Instrument"),
        *(Column(title, is_number=True, is_spare=title in ("Average price", "Cost", "Price")) for title in numbers),
        Column("Currency", is_spare=True),
        Column("Price of", is_spare=True),
    )
    return Table(
        title="Positions at the close",
        columns=columns,
        rows=tuple(row for each in statement.positions for row in _position_rows(each)),
        empty="Nothing was held.",
    )


def _position_rows(each: StatedPosition) -> Iterator[tuple[Cell, ...]]:
    position = each.position
    mark = Cell(None, "number", each.mark.why) if each.mark.value is None else Cell(each.mark.value, "price")
    yield (
        Cell(each.name),
        number(position.qty),
        Cell(position.avg_px, "price"),
        Cell(to_cents(position.cost), "money"),
        mark,
        money(each.value),
        money(each.unrealised, "gain"),
        money(each.value_in_base),
        Cell(position.currency),
        Cell(each.mark_ts_ns, "time", each.mark_source) if each.mark_ts_ns else Cell(""),
    )
    if len(position.lots) > 1:
        yield from (_lot_row(each, lot) for lot in position.lots)


def _lot_row(each: StatedPosition, lot: Lot) -> tuple[Cell, ...]:
    position = each.position
    value = each.mark.times(Figure(lot.qty * position.multiplier))
    return (
        Cell(lot.opened_ns, "lot"),
        number(lot.qty),
        Cell(position.px_of(lot), "price"),
        Cell(to_cents(lot.cost), "money"),
        Cell(""),
        money(value),
        money(value - Figure(lot.cost), "gain"),
        Cell(""),
        Cell(""),
        Cell(""),
    )


def _instruments(statement: Statement) -> Table:
    numbers = ("Realised", "Open result moved", "Fees", "Result", f"In {statement.base}")
    columns = (
        Column("Instrument"),
        *(Column(title, is_number=True, is_spare=title not in ("Result", numbers[-1])) for title in numbers),
        Column("Currency", is_spare=True),
    )
    return Table(
        title="Results by instrument",
        columns=columns,
        rows=tuple(
            (
                Cell(each.name),
                money(each.realised, "gain"),
                money(each.unrealised, "gain"),
                money(-each.fees, "gain"),
                money(each.result, "gain"),
                money(each.in_base, "gain"),
                Cell(each.currency),
            )
            for each in statement.instruments
        ),
        empty="No instrument brought or cost anything.",
    )


def _executions(statement: Statement) -> Table:
    numbers = ("Quantity", "Price", "Value", "Fee", "Arrival price", "Slippage")
    columns = (
        Column("Time"),
        Column("Order", is_spare=True),
        Column("Instrument"),
        *(Column(title, is_number=True, is_spare=title not in numbers[:3]) for title in numbers),
        Column("Currency", is_spare=True),
    )
    names = {each.instrument_id: each.name for each in statement.instruments}
    return Table(
        title="Executions",
        columns=columns,
        rows=tuple(_execution_row(each, names.get(each.instrument_id, "")) for each in statement.executions),
        empty="Nothing was traded.",
        note="Slippage: what the price cost against the middle of the market when the order went out; "
        "a minus is a gain.",
    )


def _execution_row(each: Execution, name: str) -> tuple[Cell, ...]:
    fee = Cell(None, "money", "the broker has not told it yet") if each.fee is None else Cell(each.fee.amount, "price")
    arrival = Cell(None, "number", "no arrival price") if each.arrival is None else Cell(each.arrival.px, "price")
    return (
        Cell(each.ts_ns, "clock"),
        Cell(each.cl_ord_id or each.strategy),
        Cell(name or str(each.instrument_id)),
        number(each.qty * each.side.sign),
        Cell(each.px, "price"),
        Cell(to_cents(each.value), "money"),
        fee,
        arrival,
        money(each.slippage, "cost"),
        Cell(each.currency),
    )


def _entries(statement: Statement) -> Table:
    rows = [
        (
            each.ts_event_ns,
            Cell(each.kind.value.lower()),
            Cell(_legs_text(each), "wide"),
            Cell(each.reason, "wide"),
            each.actor,
        )
        for each in statement.entries
    ]
    rows += [
        (each.ts_ns, Cell("opening"), Cell(each.text, "wide"), Cell(each.strategy), "") for each in statement.flows
    ]
    return Table(
        title="Book entries",
        columns=(Column("Time"), Column("Kind"), Column("What"), Column("Why"), Column("By", is_spare=True)),
        rows=tuple((Cell(ts_ns, "clock"), kind, what, why, Cell(by)) for ts_ns, kind, what, why, by in rows),
    )


def _legs_text(entry: BookEntry) -> str:
    if entry.reverses:
        return f"takes back {entry.reverses}"
    return "; ".join(_leg_text(leg) for leg in entry.legs)


def _leg_text(leg: object) -> str:
    match leg:
        case PositionLeg():
            return f"{leg.strategy} {leg.qty:+f} of {leg.instrument_id} at {leg.px:f}"
        case CashLeg():
            return f"{leg.strategy} {leg.amount.amount:+,.2f} {leg.amount.currency}"
        case SettleLeg():
            return f"{leg.strategy} {leg.instrument_id} settled at {leg.px:f}"
        case _:
            return f"{getattr(leg, 'strategy', '')} {getattr(leg, 'new', 1)} for {getattr(leg, 'old', 1)}"


def _breaks(statement: Statement) -> Table:
    return Table(
        title="Open breaks of the account",
        columns=(Column("Since"), Column("What"), Column("Books", is_number=True), Column("Account", is_number=True)),
        rows=tuple(
            (Cell(each.ts_init_ns, "time"), Cell(each.text, "wide"), number(each.ours), number(each.theirs))
            for each in statement.breaks
        ),
    )
