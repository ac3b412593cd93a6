"""``ibfloor equity``: a stored equity curve."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from ibfloor.cli.days import checked_day
from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, JsonOption, config_of, examples, home_of
from ibfloor.cli.output import Column, Row, print_json, print_table
from ibfloor.model.ids import StrategyId
from ibfloor.reports.days import DAY_ZONE

COLUMNS = (
    Column("ts_ns", "Time (UTC)", "time"),
    Column("equity", "equity", "money"),
    Column("realised", "realised", "gain", spare=1),
    Column("unrealised", "open", "gain", spare=1),
    Column("fees", "fees", "money", spare=2),
    Column("income", "income", "gain", spare=3),
    Column("flows", "came in", "gain", spare=2),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("ibfloor equity", "ibfloor equity --strategy sma-spy --since 2026-03-02 --json"))(
        equity
    )


def equity(
    strategy: Annotated[str, typer.Option("--strategy", metavar="NAME", help="Whose curve.")] = "ACCOUNT",
    since: Annotated[
        str | None, typer.Option("--since", metavar="YYYY-MM-DD", help="From this day on, in New York.")
    ] = None,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an equity curve as the recorder stored it, a point a minute while books move; a floor may run meanwhile.

    The curve is a copy: a store that is lost is filled again from the journal when the recorder next starts.
    """
    from ibfloor.data.arctic_store import open_store
    from ibfloor.data.equity_table import EquityTable
    from ibfloor.data.store import StoreError
    from ibfloor.portfolio.chronicle import day_bounds

    checked_day("--since", since)
    place = home_of(config, home)
    folder = place / "market"
    if (file := config_of(config, home)).is_file():
        from ibfloor.config import load_settings

        folder = load_settings(file, home=home).recorder.path
    start_ns = day_bounds(since, DAY_ZONE)[0] if since else 0
    if not (folder / "_arctic_cfg").exists():
        raise StoreError(f"there is no market store in {folder}: the recorder makes one when it first runs")
    curves = EquityTable(open_store(folder), folder)
    if StrategyId(strategy) not in curves.books():
        raise StoreError(f"no curve of {strategy} is stored; there are: {', '.join(curves.books()) or 'none yet'}")
    table = curves.read(StrategyId(strategy), start_ns, 2**62)
    names = tuple(column.field for column in COLUMNS)
    rows: list[Row] = [
        {name: _known(value) for name, value in zip(names, values, strict=True)}
        for values in zip(*(table[name].tolist() for name in names), strict=True)
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS, empty="no points in that time")


def _known(value: float) -> object:
    return None if math.isnan(value) else value
