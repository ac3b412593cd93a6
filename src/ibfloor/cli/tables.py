"""``ibfloor strategies | orders | fills | positions``: the floor's rows, as they are now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, JsonOption, examples, home_of
from ibfloor.cli.output import Column, Row, print_json, print_table
from ibfloor.model.errors import FloorError
from ibfloor.model.ids import UNASSIGNED

STRATEGIES = (
    Column("name", "Strategy"),
    Column("state", "State"),
    Column("positions", "Positions", "words"),
    Column("pnl", "P&L", "gain"),
    Column("fees", "Fees", "money", spare=2),
    Column("orders", "Orders", "number"),
    Column("orders_working", "Working", "number", spare=3),
    Column("fills", "Fills", "number"),
    Column("rejected", "Rejected", "number", spare=4),
    Column("restarts", "Restarts", "number", spare=5),
    Column("reason", "Reason", "words", spare=1),
)
ORDERS = (
    Column("cl_ord_id", "Order"),
    Column("symbol", "Symbol"),
    Column("side", "Side"),
    Column("ord_type", "Type", spare=3),
    Column("order_qty", "Qty", "number"),
    Column("cum_qty", "Filled", "number"),
    Column("avg_px", "Average", "price"),
    Column("limit_px", "Limit", "price"),
    Column("stop_px", "Stop", "price"),
    Column("status", "Status"),
    Column("ts_submitted_ns", "Submitted (UTC)", "time", spare=4),
    Column("text", "Text", "words", spare=2),
)
FILLS = (
    Column("ts_ns", "Time (UTC)", "time"),
    Column("strategy", "Strategy", spare=1),
    Column("symbol", "Symbol"),
    Column("side", "Side"),
    Column("last_qty", "Qty", "number"),
    Column("last_px", "Price", "price"),
    Column("fee", "Fee", "money"),
    Column("cl_ord_id", "Order"),
    Column("exec_id", "Execution", spare=2),
)
POSITIONS = (
    Column("strategy", "Strategy"),
    Column("symbol", "Symbol"),
    Column("qty", "Qty", "number"),
    Column("avg_px", "Average", "price"),
    Column("mark_px", "Mark", "price"),
    Column("unrealised_pnl", "Unrealised", "gain"),
    Column("realised_pnl", "Realised", "gain"),
    Column("currency", "Currency", spare=1),
)
Topics = dict[str, dict[str, object]]
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
    rows = _rows(_topics(config, home), "strategies")
    _show(sorted(rows, key=_by("name")), STRATEGIES, as_json, "no strategies")


def orders(
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
    strategy: StrategyFilter = "",
    working: Annotated[bool, typer.Option("--working", "-w", help="Show orders that can still fill only.")] = False,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """List orders, oldest first."""
    topics = _topics(config, home)
    rows = [row for row in _of(strategy, topics, "orders") if not working or row.get("status") not in DONE]
    _show(_newest(rows, "ts_submitted_ns", limit), ORDERS, as_json, "no orders")
    _say_what_is_older(topics, "orders", "orders_total", len(rows), limit)


def fills(
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
    strategy: StrategyFilter = "",
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """List fills, oldest first."""
    topics = _topics(config, home)
    rows = _of(strategy, topics, "fills")
    _show(_newest(rows, "ts_ns", limit), FILLS, as_json, "no fills")
    _say_what_is_older(topics, "fills", "fills", len(rows), limit)


def positions(
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
    strategy: StrategyFilter = "",
    as_json: JsonOption = False,
) -> None:
    """List positions of every strategy's book, and of UNASSIGNED: what no strategy owns."""
    rows = _of(strategy, _topics(config, home), "positions")
    _show(sorted(rows, key=_by("strategy", "symbol")), POSITIONS, as_json, "no positions")


def _topics(config: Path, home: Path | None) -> Topics:
    from ibfloor.control.once import fetch_snapshot

    return fetch_snapshot(home_of(config, home)).rows


def _rows(topics: Topics, topic: str) -> list[Row]:
    return [row for row in topics.get(topic, {}).values() if isinstance(row, dict)]


def _of(strategy: str, topics: Topics, topic: str) -> list[Row]:
    rows = _rows(topics, topic)
    if not strategy:
        return rows
    found = [row for row in rows if row.get("strategy") == strategy]
    # A book outlives its strategy: rows that name one that is no longer loaded are found too.
    if not found and strategy not in {*topics.get("strategies", {}), UNASSIGNED}:
        there = ", ".join(sorted(topics.get("strategies", {}))) or "none"
        raise FloorError(f"there is no strategy {strategy}; on the floor are: {there}")
    return found


def _say_what_is_older(topics: Topics, topic: str, count: str, matching: int, limit: int) -> None:
    held = len(_rows(topics, topic))
    total = next((int(str(row.get(count) or 0)) for row in _rows(topics, "floor")), 0)
    if total > held:
        typer.echo(f"looked at the newest {held:,} of {total:,} {topic}; the ledger has all", err=True)
    if matching > limit:
        typer.echo(f"newest {limit:,} of {matching:,} {topic}; -n {matching} shows them", err=True)


def _newest(rows: list[Row], field: str, limit: int) -> list[Row]:
    return sorted(rows, key=lambda row: int(str(row.get(field) or 0)))[-limit:]


def _by(*fields: str) -> Callable[[Row], tuple[str, ...]]:
    return lambda row: tuple(str(row.get(field)) for field in fields)


def _show(rows: list[Row], columns: tuple[Column, ...], as_json: bool, empty: str) -> None:
    if as_json:
        print_json(rows)
    else:
        print_table(rows, columns, empty=empty)
