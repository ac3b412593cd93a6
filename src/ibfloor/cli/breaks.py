"""``ibfloor breaks``: where books and account differ, why, and what would end it."""

from __future__ import annotations

import typer

from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, JsonOption, examples, home_of
from ibfloor.cli.output import Row, cell, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("ibfloor breaks", "ibfloor breaks --json"))(breaks)


def breaks(config: ConfigOption = CONFIG_DEFAULT, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show where books and account differ, what it most likely comes from, and what would end it.

    An instrument with a break takes no entries; exits pass. A person ends a break with `ibfloor book`.
    """
    from ibfloor.control.once import fetch_snapshot

    rows = [
        row for row in fetch_snapshot(home_of(config, home)).rows.get("breaks", {}).values() if isinstance(row, dict)
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        for line in break_lines(row):
            typer.echo(line)
    if not rows:
        typer.echo("no breaks: books and account agree")


def break_lines(row: Row) -> list[str]:
    """Return a break in words."""
    cause = str(row.get("cause")).lower().replace("_", " ")
    lines = [
        f"{row.get('key')}  {row.get('text')}",
        f"  since  {cell(row.get('ts_ns'), 'time')} UTC",
        f"  cause  {cause}" + (f": {row['why']}" if row.get("why") else ""),
    ]
    if row.get("proposal"):
        lines.append(f'  end it with  ibfloor book resolve {row.get("key")} --reason "..."')
    else:
        lines.append(
            "  no booking suggests itself: see ibfloor book --help; for a Flex report, ibfloor ledger import-flex"
        )
    return lines
