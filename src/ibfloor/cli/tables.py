"""``ibfloor strategies | orders | fills | positions``: the floor's rows, as they are now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, JsonOption, examples, home_of
from ibfloor.cli.output import Column, Row, print_json, print_table

STRATEGIES = (
    Column("name", "Strategy"),
    Column("state", "State"),
    Column("positions", "Positions"),
    Column("pnl", "P&L", "money"),
    Column("fees", "Fees", "money"),
    Column("orders", "Orders", "number"),
    Column("orders_working", "Working", "number"),
    Column("fills", "Fills", "number"),
    Column("rejected", "Rejected", "number"),
    Column("restarts", "Restarts", "number"),
    Column("reason", "Reason"),
)
ORDERS = (
    Column("cl_ord_id", "Order"),
    Column("symbol", "Symbol"),
    Column("side", "Side"),
    Column("ord_type", "Type"),
    Column("order_qty", "Quantity", "number"),
    Column("cum_qty", "Filled", "number"),
    Column("avg_px", "Average", "number"),
    Column("limit_px", "Limit", "number"),
    Column("stop_px", "Stop", "number"),
    Column("status", "Status"),
    Column("ts_submitted_ns", "Submitted (UTC)", "time"),
    Column("text", "Text"),
)
FILLS = (
    Column("ts_ns", "Time (UTC)", "time"),
    Column("strategy", "Strategy"),
    Column("symbol", "Symbol"),
    Column("side", "Side"),
    Column("last_qty", "Quantity", "number"),
    Column("last_px", "Price", "number"),
    Column("fee", "Fee", "number"),
    Column("cl_ord_id", "Order"),
    Column("exec_id", "Execution"),
)
POSITIONS = (
    Column("strategy", "Strategy"),
    Column("symbol", "Symbol"),
    Column("qty", "Quantity", "number"),
    Column("avg_px", "Average", "number"),
    Column("mark_px", "Mark", "number"),
    Column("unrealised_pnl", "Unrealised", "money"),
    Column("realised_pnl", "Realised", "money"),
    Column("currency", "Currency"),
)
DONE = {"FILLED", "CANCELED", "REJECTED"}

StrategyFilter = Annotated[str, typer.Option("--strategy", "-s", help="Show this strategy's rows only.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="Show the newest N rows.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=examples("ibfloor strategies", "ibfloor strategies --json"))(strategies)
    app.command(epilog=examples("ibfloor orders --working", "ibfloor orders -s sma-spy -n 20 --json"))(orders)
    app.command(epilog=examples("ibfloor fills -n 20", "ibfloor fills -s sma-spy --json"))(fills)
    app.command(epilog=examples("ibfloor positions", "ibfloor positions -s UNASSIGNED"))(positions)


def strategies(config: ConfigOption = CONFIG_DEFAULT, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List strategies with their state, positions and profit."""
    _show(sorted(_rows(config, home, "strategies"), key=_by("name")), STRATEGIES, as_json, "no strategies")


def orders(
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
    strategy: StrategyFilter = "",
    working: Annotated[bool, typer.Option("--working", "-w", help="Show orders that can still fill only.")] = False,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """List orders, oldest first."""
    rows = [row for row in _of(strategy, _rows(config, home, "orders")) if not working or row.get("status") not in DONE]
    _show(_newest(rows, "ts_submitted_ns", limit), ORDERS, as_json, "no orders")


def fills(
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
    strategy: StrategyFilter = "",
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """List fills, oldest first."""
    rows = _of(strategy, _rows(config, home, "fills"))
    _show(_newest(rows, "ts_ns", limit), FILLS, as_json, "no fills")


def positions(
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
    strategy: StrategyFilter = "",
    as_json: JsonOption = False,
) -> None:
    """List positions of every strategy's book, and of UNASSIGNED: what no strategy owns."""
    rows = _of(strategy, _rows(config, home, "positions"))
    _show(sorted(rows, key=_by("strategy", "symbol")), POSITIONS, as_json, "no positions")


def _rows(config: Path, home: Path | None, topic: str) -> list[Row]:
    from ibfloor.control.once import fetch_snapshot

    topics = fetch_snapshot(home_of(config, home)).rows
    return [row for row in topics.get(topic, {}).values() if isinstance(row, dict)]


def _of(strategy: str, rows: list[Row]) -> list[Row]:
    return [row for row in rows if not strategy or row.get("strategy") == strategy]


def _newest(rows: list[Row], field: str, limit: int) -> list[Row]:
    return sorted(rows, key=lambda row: int(str(row.get(field) or 0)))[-limit:]


def _by(*fields: str) -> Callable[[Row], tuple[str, ...]]:
    return lambda row: tuple(str(row.get(field)) for field in fields)


def _show(rows: list[Row], columns: tuple[Column, ...], as_json: bool, empty: str) -> None:
    if as_json:
        print_json(rows)
    else:
        print_table(rows, columns, empty=empty)
