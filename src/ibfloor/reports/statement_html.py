"""A statement as one HTML file that needs nothing else: no script, no font, no address. It prints well."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, tzinfo
from decimal import Decimal
from html import escape

from ibfloor.portfolio.figures import Figure, to_cents
from ibfloor.portfolio.statement import Statement
from ibfloor.portfolio.worth import ACCOUNT
from ibfloor.reports.layout import Cell, Table, tables, unknown
from ibfloor.reports.statement_css import CSS
from ibfloor.reports.words import for_people

_HUNDRED = Figure(Decimal(100))


def statement_html(statement: Statement, tz: tzinfo, *, floor: str = "") -> str:
    """Return the statement as a whole HTML document; times are in ``tz``."""
    title = f"{_owner(statement)} · {statement.day}"
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)}</title><style>{CSS}</style></head><body><main>",
            *_head(statement, tz, floor),
            *_notices(statement),
            *(_table(table, tz) for table in tables(statement) if table.rows or table.empty),
            *_foot(statement, tz),
            "</main></body></html>\n",
        )
    )


def _owner(statement: Statement) -> str:
    return "Whole account" if statement.owner == ACCOUNT else statement.owner


def _head(statement: Statement, tz: tzinfo, floor: str) -> Iterator[str]:
    bridge = statement.bridge
    day = date.fromisoformat(statement.day)
    yield f'<header><p class="kicker">{escape(floor or "ibfloor")} · daily statement</p>'
    yield f"<h1>{escape(_owner(statement))}</h1>"
    yield f'<p class="day"><time datetime="{statement.day}">{day:%A, %d %B %Y}</time></p></header>'
    share = bridge.result.over(bridge.opening, "no opening equity").times(_HUNDRED)
    yield '<section class="figures">'
    yield _big("Closing equity", bridge.closing, statement.base, tz)
    yield _big("Result of the day", bridge.result, statement.base, tz, is_gain=True)
    percent = "" if share.value is None else f"{for_people(Cell(to_cents(share.value), 'gain'), tz)} %"
    yield _plain("of the opening equity", percent or "—", "" if share.value is not None else share.why)
    yield _plain("Executions", str(len(statement.executions)), "")
    yield "</section>"


def _big(title: str, figure: Figure, unit: str, tz: tzinfo, *, is_gain: bool = False) -> str:
    cell = Cell(None, "money", figure.why)
    if figure.value is not None:
        cell = Cell(to_cents(figure.value), "gain" if is_gain else "money")
    tone = _tone(cell) if is_gain else ""
    why = f'<span class="why">{escape(cell.why)}</span>' if cell.value is None else ""
    unit_text = f' <span class="unit">{escape(unit)}</span>' if cell.value is not None else ""
    return f'<div><p class="label">{title}</p><p class="big {tone}">{for_people(cell, tz)}{unit_text}</p>{why}</div>'


def _plain(title: str, text: str, why: str) -> str:
    reason = f'<span class="why">{escape(why)}</span>' if why else ""
    return f'<div><p class="label">{title}</p><p class="big">{escape(text)}</p>{reason}</div>'


def _notices(statement: Statement) -> Iterator[str]:
    reasons = unknown(statement)
    if reasons:
        yield _notice("Not known", "Figures that need these are shown as —, and so are their sums:", reasons)
    if statement.breaks:
        texts = tuple(each.text for each in statement.breaks)
        yield _notice("Books and account differ", "These breaks were open when the day ended:", texts)
    if statement.fees_pending:
        yield _notice(
            "Fees to come", f"The broker has not told the fee of {statement.fees_pending} executions yet.", ()
        )


def _notice(title: str, text: str, points: tuple[str, ...]) -> str:
    items = "".join(f"<li>{escape(point)}</li>" for point in points)
    return f"<aside><h2>{title}</h2><p>{text}</p>{f'<ul>{items}</ul>' if items else ''}</aside>"


def _table(table: Table, tz: tzinfo) -> str:
    if not table.rows:
        return f'<section><h2>{escape(table.title)}</h2><p class="empty">{escape(table.empty)}</p></section>'
    heads = "".join(
        f'<th scope="col"{_classes("number" * each.is_number, "spare" * each.is_spare)}>{escape(each.title)}</th>'
        for each in table.columns
    )
    rows = "".join(_row(table, index, row, tz) for index, row in enumerate(table.rows))
    narrow = _classes("narrow" * (len(table.columns) <= 2))
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<section><h2>{escape(table.title)}</h2><div class="scroll"><table{narrow}><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{note}</section>"
    )


def _row(table: Table, index: int, row: tuple[Cell, ...], tz: tzinfo) -> str:
    kinds = _classes("strong" * (index in table.strong), "lot" * any(cell.kind == "lot" for cell in row))
    cells = []
    for place, (cell, column) in enumerate(zip(row, table.columns, strict=True)):
        tag = 'th scope="row"' if place == 0 else "td"
        classes = _classes(
            "number" * column.is_number, "spare" * column.is_spare, _tone(cell), "wide" * (cell.kind == "wide")
        )
        why = f' title="{escape(cell.why)}"' if cell.value is None and cell.why else ""
        cells.append(f"<{tag}{classes}{why}>{escape(for_people(cell, tz))}</{tag[:2]}>")
    return f"<tr{kinds}>{''.join(cells)}</tr>"


def _tone(cell: Cell) -> str:
    if cell.value is None:
        return "unknown"
    if cell.kind not in ("gain", "cost") or not isinstance(cell.value, Decimal):
        return ""
    good = cell.value if cell.kind == "gain" else -cell.value
    return "gain" if good > 0 else "loss" if good < 0 else "zero"


def _classes(*names: str) -> str:
    present = " ".join(name for name in names if name)
    return f' class="{present}"' if present else ""


def _foot(statement: Statement, tz: tzinfo) -> Iterator[str]:
    taken = for_people(Cell(statement.marked_ns, "time"), tz) if statement.marked_ns else "never"
    yield (
        f"<footer><p>Times are of {escape(str(tz))}. Prices and rates were taken last at {taken}. "
        "Every amount is exact; what is shown is rounded to cents so that the columns add up. "
        "Amounts in other currencies count at the closing rate; what their opening balance gained by the rate alone "
        "stands as its own line.</p></footer>"
    )
