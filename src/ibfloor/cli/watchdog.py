"""``ibfloor watchdog``: the dead-man watchdog, as a process of its own."""

from __future__ import annotations

import typer

from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, examples


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("ibfloor watchdog", "ibfloor watchdog --config desk/floor.toml"))(watchdog)


def watchdog(config: ConfigOption = CONFIG_DEFAULT) -> None:
    """Watch a floor from outside: cancel its orders, latch its kill switch and alarm when it dies.

    It has an IB session of its own and stays, through stops and starts of the floor, until Ctrl-C. With
    [watchdog] enabled the floor starts one by itself; under a service manager run this as its own service.
    """
    from ibfloor.config import load_settings

    settings = load_settings(config)
    from ibfloor.ops.home import make_home
    from ibfloor.ops.watchdog import run_watchdog

    make_home(settings.home, "[floor] home")
    typer.echo(f"watching {settings.home}; Ctrl-C ends the watch", err=True)
    run_watchdog(settings, stays=True)
