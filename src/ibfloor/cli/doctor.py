"""``ibfloor doctor``: whether everything is in place."""

from __future__ import annotations

import typer

from ibfloor.cli.exit_codes import ExitCode
from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, JsonOption, config_of, examples
from ibfloor.cli.output import print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("ibfloor doctor", "ibfloor doctor --config desk/floor.toml --json"))(doctor)


def doctor(config: ConfigOption = CONFIG_DEFAULT, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Look at everything a floor needs, and say how to mend what is wrong; sends no orders.

    Exit code 1 when a check fails.
    """
    from ibfloor.ops.doctor import Health, examine

    checks = []
    for check in examine(config_of(config, home), home):
        checks.append(check)
        if not as_json:
            typer.echo(f"{check.health.upper():5} {check.name}: {check.text}")
            if check.mend:
                typer.echo(f"      -> {check.mend}")
    if as_json:
        print_json(checks)
    if any(check.health is Health.FAIL for check in checks):
        raise typer.Exit(ExitCode.FAILED)
