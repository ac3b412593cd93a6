"""``ibfloor gateway``: a simulated IB Gateway on a port, for trials without an account."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from ibfloor.cli import gateway_console
from ibfloor.cli.options import examples
from ibfloor.model.errors import ConfigError
from ibfloor.model.money import Currency

MarketOption = Annotated[
    str,
    typer.Option(
        "--market", metavar="generated|replay|csv|parquet|store", help="A market made by a seed, or recorded days."
    ),
]
DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Folder of recorded days: Parquet, CSV, or a store.")
]
SecuritiesOption = Annotated[
    Path | None,
    typer.Option(
        "--securities",
        metavar="FILE|world",
        help="TOML file of more securities; world: foreign stocks, futures, options, currencies, indices.",
    ),
]
SpeedOption = Annotated[float, typer.Option("--speed", min=1.0, max=1000.0, help="Market seconds per wall second.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="The generated market's seed.")]
FaultsOption = Annotated[
    str,
    typer.Option(
        "--faults", metavar="PRESET|FILE", help="What goes wrong: presets with commas between, or a TOML file."
    ),
]
LimitsOption = Annotated[
    str, typer.Option("--limits", metavar="ib|off", help="Refuse what is too much, as IB does, or take it all.")
]
NightlyRestartOption = Annotated[
    str,
    typer.Option("--nightly-restart", metavar="HH:MM", help="Restart every night, New York time; empty for never."),
]
NightlyResetOption = Annotated[
    str,
    typer.Option(
        "--nightly-reset", metavar="HH:MM", help="IB resets every night: 1100, 1102, late executions; empty for never."
    ),
]
SundayResetOption = Annotated[
    float,
    typer.Option("--sunday-reset", metavar="HOURS", help="Logged out for so long from Sunday 01:00 on; 0 for never."),
]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
StartOption = Annotated[
    str, typer.Option("--start", metavar="HH:MM", help="Market time to start at, New York; empty for real time.")
]
AccountOption = Annotated[str, typer.Option("--account", help="The account's name; several with commas between.")]
BookOption = Annotated[
    Path | None,
    typer.Option("--book", metavar="FILE", help="Write the broker's own book here at the end, and on SIGUSR1."),
]


def register(app: typer.Typer) -> None:
    """Add the command and those below it."""
    group = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
    group.callback(
        epilog=examples(
            "ibfloor gateway --port 4002",
            "ibfloor gateway --port 4002 --speed 60 --start 09:26 --seed 7",
            "ibfloor gateway --port 4002 --securities world",
            "ibfloor gateway --port 4002 --market csv --data my-days",
            "ibfloor gateway --port 4002 --faults corrections,late-fees --seed 7",
        )
    )(gateway)
    gateway_console.register(group)
    app.add_typer(group, name="gateway")


def gateway(
    ctx: typer.Context,
    host: Annotated[str, typer.Option("--host", help="Loopback address to listen on.")] = "127.0.0.1",
    port: PortOption = 4002,
    market: MarketOption = "generated",
    data: DataOption = None,
    symbols: Annotated[str, typer.Option("--symbols", help="Comma-separated; empty for all it knows.")] = "",
    securities: SecuritiesOption = None,
    speed: SpeedOption = 1.0,
    seed: SeedOption = 1,
    start: StartOption = "",
    hold: Annotated[
        bool, typer.Option("--hold-until-client", help="Let market time stand until the first client connects.")
    ] = False,
    account: AccountOption = "DU1000001",
    cash: Annotated[str, typer.Option("--cash", help="Its opening balance.")] = "1000000",
    currency: Annotated[str, typer.Option("--currency", help="Its base currency.")] = "USD",
    events: Annotated[
        Path | None,
        typer.Option("--events", metavar="FILE", help="TOML file of dated events: halts, gaps, dividends, splits."),
    ] = None,
    faults: FaultsOption = "",
    nightly_restart: NightlyRestartOption = "",
    nightly_reset: NightlyResetOption = "",
    sunday_reset: SundayResetOption = 0.0,
    limits: LimitsOption = "ib",
    book: BookOption = None,
    parent_pipe: Annotated[
        bool, typer.Option("--parent-pipe", help="End when standard input ends: for a parent process.")
    ] = False,
) -> None:
    """Run a simulated IB Gateway that speaks the TWS wire protocol, until Ctrl-C."""
    if ctx.invoked_subcommand is not None:
        return
    if not re.fullmatch(r"\d+(\.\d{1,2})?", cash):
        raise ConfigError(f"--cash {cash}: write an amount such as 1000000")
    if limits not in ("ib", "off"):
        raise ConfigError(f"--limits {limits}: take 'ib' or 'off'")
    from ibfloor.sim.faults import FaultPlan
    from ibfloor.sim.faults.nights import nights_of
    from ibfloor.sim.faults.presets import plan_of
    from ibfloor.sim.gateway.limits import Limits
    from ibfloor.sim.gateway.server import GatewaySettings, run_gateway

    run_gateway(
        GatewaySettings(
            host=host,
            port=port,
            market=market,
            data=data,
            symbols=tuple(name.strip().upper() for name in symbols.split(",") if name.strip()),
            securities=securities,
            speed=speed,
            seed=seed,
            start=start or None,
            hold_until_client=hold,
            account=account,
            cash=Decimal(cash),
            base_currency=Currency(currency.upper()),
            events=events,
            faults=plan_of(faults, seed) if faults else FaultPlan(seed=seed),
            nights=nights_of(nightly_restart, nightly_reset, sunday_reset),
            limits=Limits() if limits == "ib" else None,
            console=True,
            book_path=book,
            parent_pipe=parent_pipe,
        )
    )
