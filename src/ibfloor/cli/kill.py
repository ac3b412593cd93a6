"""``ibfloor kill``, ``ibfloor unkill`` and ``ibfloor officer``: the kill switches, from outside."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ibfloor.cli.calls import actor, carry_out, new_command_id
from ibfloor.cli.exit_codes import ExitCode
from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, examples, home_of
from ibfloor.cli.passphrase import StdinOption, asked, officers
from ibfloor.model.command import FlattenKilled, Kill, Unkill
from ibfloor.model.errors import ConfigError, ConnectivityError, LedgerError

if TYPE_CHECKING:
    from ibfloor.model.kill import KillPlace

ReasonArgument = Annotated[str, typer.Argument(metavar="REASON", help="Why; it stands in the audit trail.")]
StrategyOption = Annotated[str, typer.Option("--strategy", metavar="NAME", help="This strategy alone.")]
InstrumentOption = Annotated[
    str, typer.Option("--instrument", metavar="SYMBOL", help="This instrument alone: a symbol, or IB's contract id.")
]

CONFIRM_TIMEOUT_S = 25.0
SCOPED_TIMEOUT_S = 4.0
FLATTEN_TIMEOUT_S = 60.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog=examples("ibfloor kill", "ibfloor kill --strategy pairs", 'ibfloor kill "runaway orders" --flatten')
    )(kill)
    app.command(
        epilog=examples(
            'ibfloor unkill "checked with the broker, books agree"', "ibfloor unkill mended --instrument SPY"
        )
    )(unkill)
    app.command(epilog=examples("ibfloor officer", "ibfloor officer --home floor-home"))(officer)


def kill(
    reason: ReasonArgument = "from the command line",
    strategy: StrategyOption = "",
    instrument: InstrumentOption = "",
    flatten: Annotated[
        bool, typer.Option("--flatten", help="Then close positions too; asks once more when orders are gone.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm --flatten beforehand.")] = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Stop trading now: block new orders, cancel the working ones, and stay shut until unkill.

    Without an option it is the whole account's: latched on disk first, so that a floor that runs sees it
    even when its socket is dead, and one that starts later stays shut. The switch of one strategy or
    instrument is written to disk when no floor answers. The exit code is 3 when no floor confirmed the cancels.
    """
    place, folder = _place(strategy, instrument), home_of(config, home)
    on_disk = _latch(folder, place, reason) if place.is_account else ""
    command = Kill(command_id=new_command_id(), actor=actor(), reason=reason, scope=place.scope, target=place.target)
    try:
        carry_out(folder, command, timeout_s=CONFIRM_TIMEOUT_S)
    except ConnectivityError as error:
        if place.scope == "strategy" and home is None:
            _require_name(config, strategy)
        typer.echo(on_disk or _latch(folder, place, reason))
        typer.echo(f"NOT confirmed: {error}. Check the working orders at the broker.", err=True)
        raise typer.Exit(ExitCode.NO_PEER) from None
    if flatten and not yes and not sys.stdin.isatty():
        raise ConfigError("positions are kept: there is no terminal to confirm --flatten at. Add --yes to close them")
    if flatten and (yes or typer.confirm(f"No order works. Close the positions of {place} now?")):
        closing = FlattenKilled(command_id=new_command_id(), actor=actor(), scope=place.scope, target=place.target)
        carry_out(folder, closing, timeout_s=FLATTEN_TIMEOUT_S)


def unkill(
    reason: ReasonArgument,
    strategy: StrategyOption = "",
    instrument: InstrumentOption = "",
    from_stdin: StdinOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Open a kill switch again; denied while books and account differ.

    Where a risk officer is named, it asks for their passphrase. Other latched switches stay latched.
    """
    place, folder = _place(strategy, instrument), home_of(config, home)
    command = Unkill(
        command_id=new_command_id(),
        actor=actor(),
        reason=reason,
        scope=place.scope,
        target=place.target,
        passphrase=officers(folder, from_stdin),
    )
    carry_out(folder, command)


def officer(from_stdin: StdinOption = False, config: ConfigOption = CONFIG_DEFAULT, home: HomeOption = None) -> None:
    """Name the risk officer: set the passphrase that opens kill switches, raises limits and enables strategies.

    Only its scrypt hash is kept, in a file of mode 0600 in the floor's home. To change it the old one is
    asked for; from standard input the old one comes first, the new one on the next line.
    """
    from ibfloor.manager.risk_officer import officer_path, save, verify
    from ibfloor.ops.home import make_home

    folder = home_of(config, home)
    make_home(folder, "[floor] home")
    path = officer_path(folder)
    if path.exists() and not verify(path, asked("Passphrase as it is: ", from_stdin)):
        raise ConfigError("that is not the passphrase: nothing was changed")
    new = asked("New passphrase: ", from_stdin)
    if not from_stdin and asked("Once more: ", from_stdin) != new:
        raise ConfigError("the two differ: nothing was changed")
    save(path, new)
    typer.echo(f"the risk officer's passphrase is set ({path}); no kill switch opens and no limit rises without it")


def _place(strategy: str, instrument: str) -> KillPlace:
    from ibfloor.model.kill import ACCOUNT, checked_place

    if strategy and instrument:
        raise ConfigError("one kill switch at a time: name a strategy or an instrument")
    if strategy:
        return checked_place("strategy", strategy)
    return checked_place("instrument", instrument) if instrument else ACCOUNT


def _require_name(config: Path, strategy: str) -> None:
    # With no floor to ask, the file says which there are; one that cannot be read stops no kill.
    from ibfloor.config import load_settings

    try:
        names = [each.name for each in load_settings(config).strategies]
    except ConfigError:
        return
    if strategy not in names:
        raise ConfigError(f"{config} has no strategy {strategy!r}: nothing is latched. There are: {', '.join(names)}")


def _latch(home: Path, place: KillPlace, reason: str) -> str:
    from ibfloor.ledger.latch import KillLatches

    latches = KillLatches(home)
    try:
        state = latches.latch(place, actor(), reason)
    except LedgerError as error:  # a full disk must not keep the command from the floor
        return f"NOT latched on disk: {error}"
    return f"latched on disk ({latches.path(place)}) by {state.actor}: {state.reason}"
