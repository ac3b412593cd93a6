"""``ibfloor limits ...``: what may be traded at most, shown and changed while the floor runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from ibfloor.cli.calls import actor, carry_out, new_command_id
from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, JsonOption, examples, home_of
from ibfloor.cli.output import Column, Row, print_json, print_table, some_of
from ibfloor.cli.passphrase import StdinOption, officers
from ibfloor.model.command import ChangeLimits, ConfirmOrder, ResetLimits
from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import ClientOrderId

app = typer.Typer(
    name="limits",
    help="Show, change and reset risk limits, and confirm one large order.",
    epilog=examples("ibfloor limits show", "ibfloor limits set strategy.sma-spy max_order_qty=50"),
    no_args_is_help=True,
    rich_markup_mode=None,
)
LIMITS = (
    Column("scope", "Scope"),
    Column("limit", "Limit"),
    Column("value", "Value"),
    Column("in_file", "In floor.toml", spare=1),
    Column("is_changed", "Changed", spare=2),
    Column("rule", "Rule", spare=3),
)
ScopeArgument = Annotated[
    str, typer.Argument(metavar="SCOPE", help="risk, account, strategy.NAME, class.FUT or instrument.ESZ6.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it stands in the journal.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Confirm a change that lets more pass than now.")]


@app.command(epilog=examples("ibfloor limits show", "ibfloor limits show strategy.sma-spy --json"))
def show(
    scope: Annotated[str, typer.Argument(metavar="[SCOPE]", help="Show this scope only, as strategy.sma-spy.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Show limits that are off, too.")] = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the limits that hold now; the most specific wins: instrument, class, strategy, then risk."""
    from ibfloor.control.once import fetch_snapshot

    topics = fetch_snapshot(home_of(config, home)).rows
    found = topics.get("limits", {}).values()
    rows: list[Row] = [row for row in found if isinstance(row, dict) and scope in ("", row.get("scope"))]
    if scope and not rows:
        _check_scope(scope, topics)
    if not every:
        rows = [row for row in rows if row.get("value") != "off" or row.get("is_changed")]
    if as_json:
        print_json(rows)
    else:
        shown: list[Row] = [{**row, "is_changed": "yes" if row.get("is_changed") else ""} for row in rows]
        print_table(shown, LIMITS, empty=f"no limits of {scope} of its own" if scope else "no limits")


@app.command(
    "set",
    epilog=examples(
        "ibfloor limits set account max_gross_exposure=400000",
        "ibfloor limits set instrument.ESZ6 max_position_qty=4 --yes --reason 'roll week'",
        "ibfloor limits set strategy.sma-spy restricted=true",
    ),
)
def set_(
    scope: ScopeArgument,
    values: Annotated[list[str], typer.Argument(metavar="LIMIT=VALUE...", help='"off" switches a limit off.')],
    reason: ReasonOption = "",
    yes: YesOption = False,
    from_stdin: StdinOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Change limits for the very next order, until they are reset; restarts keep the change.

    What tightens never waits. What lets more pass than now is shown first, and done with --yes; where a risk
    officer is named, and for real money always, it takes their passphrase.
    """
    folder = home_of(config, home)
    command = ChangeLimits(
        command_id=new_command_id(),
        actor=actor(),
        scope=scope,
        limits=dict(_pair(text) for text in values),
        reason=reason,
        confirm=yes,
        passphrase=officers(folder, from_stdin) if yes else "",
    )
    carry_out(folder, command)


@app.command(epilog=examples("ibfloor limits reset", "ibfloor limits reset account max_gross_exposure --yes"))
def reset(
    scope: Annotated[str, typer.Argument(metavar="[SCOPE]", help="Of what; left out, of everything.")] = "",
    limits: Annotated[list[str] | None, typer.Argument(metavar="[LIMIT...]", help="Which; left out, all.")] = None,
    reason: ReasonOption = "",
    yes: YesOption = False,
    from_stdin: StdinOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Go back to what floor.toml says, as the floor read it at its start."""
    folder = home_of(config, home)
    command = ResetLimits(
        command_id=new_command_id(),
        actor=actor(),
        scope=scope,
        limits=tuple(limits or ()),
        reason=reason,
        confirm=yes,
        passphrase=officers(folder, from_stdin) if yes else "",
    )
    carry_out(folder, command)


@app.command(epilog=examples("ibfloor limits confirm sma-spy:41"))
def confirm(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="The refused order, as its refusal names it.")],
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Let a strategy send one order of a size that was refused as a fat finger, within five minutes."""
    command = ConfirmOrder(command_id=new_command_id(), actor=actor(), cl_ord_id=ClientOrderId(order))
    carry_out(home_of(config, home), command)


def _check_scope(scope: str, topics: Mapping[str, Mapping[str, object]]) -> None:
    from ibfloor.model.instrument import SecurityType

    kind, _, name = scope.partition(".")
    instruments = topics.get("instruments", {})
    symbols = [str(row.get("symbol")) for row in instruments.values() if isinstance(row, dict)]
    there = {
        "risk": [""],
        "account": [""],
        "strategy": sorted(topics.get("strategies", {})),
        "class": [each.value for each in SecurityType],
        "instrument": [*sorted(symbols), *instruments],
    }.get(kind)
    if there is None or bool(name) is not (kind not in ("risk", "account")):
        raise ConfigError(
            f"{scope!r} is no scope of limits: write risk, account, strategy.NAME, class.FUT or instrument.ESZ6"
        )
    if name not in there:
        raise ConfigError(f"{scope!r} is no scope of limits: there is no {kind} {name}; there are: {some_of(there)}")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise ConfigError(f"{text}: write it as LIMIT=VALUE, for example max_order_qty=100")
    return name, value
