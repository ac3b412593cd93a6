"""``ibfloor ledger ...``: look after the journal and the ledger it folds into."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ibfloor.cli.exit_codes import ExitCode
from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, JsonOption, examples, home_of
from ibfloor.cli.output import print_json

app = typer.Typer(
    name="ledger",
    help="Check the journal and the ledger.",
    epilog=examples("ibfloor ledger verify", "ibfloor ledger import-flex report.xml --dry-run"),
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(epilog=examples("ibfloor ledger verify", "ibfloor ledger verify --home ./floor-home --json"))
def verify(config: ConfigOption = CONFIG_DEFAULT, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Read every fact, make the tables again from them, and compare; changes nothing.

    A floor may run meanwhile. Exit code 1 when something is wrong.
    """
    from ibfloor.ledger.verify import verify as verify_ledger

    report = verify_ledger(home_of(config, home))
    if as_json:
        print_json(report)
    else:
        typer.echo(
            f"{report.facts} facts ({report.first_seq} to {report.last_seq}), replay hash {report.replay_hash[:16]}"
        )
        typer.echo(f"{report.journal_records} records in journal files, {report.torn_bytes} torn bytes at their ends")
        for name, torn in report.torn_ends.items():
            typer.echo(
                f"  {name} ends with {torn} bytes of a record cut short, as a crash leaves it: it does not count"
            )
        for problem in report.problems:
            typer.echo(f"PROBLEM {problem}")
        typer.echo("the ledger is sound" if report.is_sound else "the ledger is NOT sound: keep a copy of the home")
    if not report.is_sound:
        raise typer.Exit(ExitCode.FAILED)


@app.command(
    "import-flex",
    epilog=examples("ibfloor ledger import-flex report.xml --dry-run", "ibfloor ledger import-flex report.xml"),
)
def import_flex(
    report: Annotated[
        Path, typer.Argument(metavar="FILE", help="An IB Flex Query report in XML.", exists=True, dir_okay=False)
    ],
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
    account: Annotated[str, typer.Option("--account", help="The ledger's account, where no execution names it.")] = "",
    zone: Annotated[
        str, typer.Option("--zone", metavar="ZONE", help="The time zone of the report.")
    ] = "America/New_York",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be booked, and book nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Book what the API does not tell, or no longer: each once, however often it is run.

    An execution goes to the strategy that its order reference names, else to UNASSIGNED; a canceled one is taken
    back. Dividends, taxes on them and options that ended go to the books that held them; other interest, fees,
    deposits and withdrawals to UNASSIGNED. The floor must not run. Look first: --dry-run.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from ibfloor.clock import FloorClock
    from ibfloor.ledger.flex import read_report
    from ibfloor.ledger.flex_import import import_report
    from ibfloor.model.errors import ConfigError

    try:
        tz = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"--zone {zone}: no such time zone; take one such as America/New_York") from None
    plan = import_report(
        home_of(config, home), read_report(report, tz), FloorClock().now_ns(), account=account, is_dry_run=dry_run
    )
    if as_json:
        print_json(plan)
        return
    for fill in plan.fills:
        typer.echo(f"  {fill.strategy:16} {fill.side} {fill.last_qty:f} at {fill.last_px:f}  {fill.exec_id}")
    done = "would be booked" if dry_run else "booked"
    typer.echo(
        f"{len(plan.fills)} executions {done}; {plan.known} are in the ledger already, "
        f"{plan.before_opening} are older than it"
    )
    for fill in plan.canceled:
        typer.echo(f"  {fill.strategy:16} taken back {fill.exec_id}")
    for entry in plan.entries:
        typer.echo(f"  {', '.join(sorted(entry.strategies)):16} {entry.kind.lower()} {entry.reason}")
    typer.echo(f"{len(plan.entries)} entries {done}, {len(plan.canceled)} executions taken back")
    for line in plan.unread:
        typer.echo(f"NOT BOOKED {line}")
    for line in plan.differences:
        typer.echo(f"DIFFERENT {line}")
