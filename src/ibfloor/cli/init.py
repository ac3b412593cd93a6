"""``ibfloor init``: a floor.toml to start from, and a first strategy."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer

from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, command_name, examples
from ibfloor.examples_dir import examples_dir
from ibfloor.model.errors import ConfigError

FIRST_STRATEGY = "sma_cross.py"
TEMPLATE = """\
# The floor's settings. Every key is explained in docs/configuration.md.

[floor]
name = "my floor"
home = "floor-home"        # journal, ledger, logs and market data
mode = "paper"             # "live" only when you mean it
# account = "DU1234567"    # needed when the login has several accounts

[gateway]
host = "{host}"
port = {port}                # IB Gateway: 4002 paper, 4001 live; TWS: 7497 paper, 7496 live

[risk]                     # of each strategy; "off" switches a limit off (docs/risk.md)
max_order_qty = 500
max_order_notional = 50_000
max_position_qty = 1_000
max_position_notional = 100_000
collar_pct = 3             # an order price may stand this far from the market
quote_age_max_s = 2        # market seconds; 30 when a simulated gateway runs 60 times faster
order_rate_per_s = 2
order_burst = 10
max_gross_exposure = 500_000   # of the whole floor
fat_finger_median = 20     # an order 20 times the usual one waits for: ibfloor limits confirm
duplicate_window_s = 1     # an entry like the one just sent is refused
repeat_entries_max = 100   # more entries a minute disable the strategy
max_open_orders = 50
max_rejects_in_a_row = 20  # then it is disabled, too
# day_loss_max = 1_000     # then it may only reduce, and is stopped

# [risk.account]           # all strategies together: losses close the kill switch
# max_leverage = 2
# day_loss_max = 5_000
# drawdown_max_pct = 10

[[strategy]]
name = "sma-spy"
file = "strategies/{strategy}"
params = {{ symbol = "SPY", qty = 10 }}
stop_policy = "cancel"     # or "keep", or "flatten"
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("ibfloor init", "ibfloor init --port 7497 --config desk/floor.toml"))(init)


def init(
    config: ConfigOption = CONFIG_DEFAULT,
    host: Annotated[str, typer.Option("--host", help="Host of IB Gateway or TWS.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Its API port.")] = 4002,
) -> None:
    """Write a floor.toml and a first strategy; nothing that exists is overwritten."""
    if config.exists():
        raise ConfigError(f"{config} exists already: name another file with --config, or move it away")
    strategy = config.parent / "strategies" / FIRST_STRATEGY
    try:
        strategy.parent.mkdir(parents=True, exist_ok=True)
        if not strategy.exists():
            shutil.copyfile(examples_dir() / FIRST_STRATEGY, strategy)
        config.write_text(TEMPLATE.format(host=host, port=port, strategy=FIRST_STRATEGY), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{error.filename or config} cannot be written ({error.strerror}): name another place with --config"
        ) from None
    where = "" if config == Path("floor.toml") else f" --config {shlex.quote(str(config))}"
    command = command_name()
    typer.echo(f"wrote {config} and {strategy}")
    typer.echo(f"next: {command} doctor{where}   (is everything in place?)")
    typer.echo(f"then: {command} run{where}      (paper trading, until Ctrl-C)")
