"""``ibfloor performance``: returns, ratios and the cost of trading, from the journal."""

from __future__ import annotations

from typing import Annotated

import typer

from ibfloor.cli.days import checked_day
from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, JsonOption, examples, home_of
from ibfloor.cli.output import print_json
from ibfloor.cli.report_options import reporting


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "ibfloor performance",
            "ibfloor performance --strategy sma-spy --since 2026-03-02",
            "ibfloor performance --since 2026-01-01 --until 2026-03-31 --json",
        )
    )(performance)


def performance(
    strategy: Annotated[
        str | None, typer.Option("--strategy", metavar="NAME", help="One book, or ACCOUNT; else the account.")
    ] = None,
    since: Annotated[str, typer.Option("--since", metavar="YYYY-MM-DD", help="First day, in New York.")] = "",
    until: Annotated[str, typer.Option("--until", metavar="YYYY-MM-DD", help="Last day, in New York.")] = "",
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show returns, ratios, results by instrument and what trading cost; a floor may run meanwhile.

    Time-weighted returns leave deposits out; money-weighted ones weigh by what was there. A strategy with allocated
    capital is measured on it. Sharpe and its like, and money-weighted returns, need the extra ibfloor[reports].
    """
    from ibfloor.reports.performance import lines, records
    from ibfloor.reports.writing import NoStatement, read_chronicle

    checked_day("--since", since)
    checked_day("--until", until)
    place, terms = home_of(config, home), reporting(config, home)
    found = records(read_chronicle(place, terms.tz, terms.lots), terms.tz, since=since, until=until)
    if strategy is not None and strategy not in found:
        raise NoStatement(f"there is no book {strategy}: there are {', '.join(found)}")
    name, record = next(each for each in found.items() if each[0] == (strategy or "ACCOUNT"))
    if as_json:
        print_json({name: record})
        return
    typer.echo(name)
    for title, text in lines(record, terms.tz):
        typer.echo(f"  {title:26}{text}")
    if record.track.instruments:
        typer.echo("  results by instrument")
    for each in sorted(record.track.instruments, key=lambda one: -(one.in_base.value or 0)):
        text = f"— ({each.in_base.why})" if each.in_base.value is None else f"{each.in_base.value:+,.2f}"
        typer.echo(f"    {each.name:24}{text:>16} {record.track.base}")
