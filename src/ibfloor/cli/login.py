"""``ibfloor login``: a fresh way into the pages."""

from __future__ import annotations

import typer

from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, JsonOption, examples, home_of
from ibfloor.cli.output import print_json
from ibfloor.model.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("ibfloor login", "ibfloor login --json"))(login)


def login(config: ConfigOption = CONFIG_DEFAULT, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print a link that opens the running floor's pages once; an earlier link stops working."""
    from ibfloor.api.login import mint_login_token
    from ibfloor.control.once import fetch_snapshot

    folder = home_of(config, home)
    row = fetch_snapshot(folder).rows.get("floor", {}).get("floor")
    url = row.get("web_url") if isinstance(row, dict) else None
    if not url:
        raise ConfigError("this floor serves no pages: set [web] enabled = true in floor.toml, and start it again")
    link = f"{url}/login#{mint_login_token(folder)}"
    if as_json:
        print_json({"login_url": link})
    else:
        typer.echo(link)
