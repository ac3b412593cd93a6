"""How values read in reports: for people with thousands and a true minus, for programs plain."""

from __future__ import annotations

from datetime import tzinfo
from decimal import Decimal

from ibfloor.model.moment import to_datetime
from ibfloor.reports.layout import Cell

MINUS = "\N{MINUS SIGN}"
MISSING = "—"
_PRICE_DECIMALS = 6


def for_people(cell: Cell, tz: tzinfo) -> str:
    """Return a cell as text for a person."""
    match cell.value:
        case None:
            return MISSING
        case int() as ts_ns if cell.kind == "lot":
            return f"lot of {to_datetime(ts_ns, tz):%Y-%m-%d %H:%M}"
        case int() as ts_ns if cell.kind == "clock":
            return f"{to_datetime(ts_ns, tz):%H:%M:%S}"
        case int() as ts_ns:
            when = f"{to_datetime(ts_ns, tz):%Y-%m-%d %H:%M:%S}"
            return f"{when} {cell.why}".rstrip()
        case Decimal() as amount:
            return _amount(amount, cell.kind)
        case text:
            return text


def for_programs(cell: Cell, tz: tzinfo) -> str:
    """Return a cell as text for a program: what is not known is empty."""
    match cell.value:
        case None:
            return ""
        case int() as ts_ns:
            return to_datetime(ts_ns, tz).isoformat()
        case Decimal() as amount:
            return (
                f"{round(amount, 10).normalize() + 0:f}"
                if cell.kind in ("price", "rate")
                else _plain(amount, cell.kind)
            )
        case text:
            return text


def _amount(amount: Decimal, kind: str) -> str:
    match kind:
        case "money":
            text = f"{amount:,.2f}"
        case "gain" | "cost":
            text = f"{amount:+,.2f}" if amount else "0.00"
        case "rate":
            text = f"{amount:,.5f}"
        case "price":
            short = amount.quantize(Decimal(1).scaleb(-_PRICE_DECIMALS)).normalize() + 0
            text = f"{short:,.2f}" if _decimals(short) < 2 else f"{short:,f}"
        case _:
            text = f"{amount.normalize() + 0:,f}"
    return text.replace("-", MINUS)


def _plain(amount: Decimal, kind: str) -> str:
    return f"{amount.normalize() + 0:f}" if kind == "number" else f"{amount:f}"


def _decimals(amount: Decimal) -> int:
    return max(0, -int(amount.as_tuple().exponent))
