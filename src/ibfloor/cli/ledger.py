"""``ibfloor ledger ...``: look after the journal and the ledger it folds into."""

from __future__ import annotations

import typer

from ibfloor.cli.exit_codes import ExitCode
from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, JsonOption, examples, home_of
from ibfloor.cli.output import print_json

app = typer.Typer(
    name="ledger",
    help="Check the journal and the ledger.",
    epilog=examples("ibfloor ledger verify"),
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def ledger() -> None:
    """Keep ``verify`` a command of its own name, though it is the only one."""


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
        for problem in report.problems:
            typer.echo(f"PROBLEM {problem}")
        typer.echo("the ledger is sound" if report.is_sound else "the ledger is NOT sound: keep a copy of the home")
    if not report.is_sound:
        raise typer.Exit(ExitCode.FAILED)
