"""``ibfloor strategy ...``: start, stop, pause, resume and add strategies on a running floor, and set their capital."""

from __future__ import annotations

import tomllib
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from ibfloor.cli.calls import actor, carry_out, new_command_id
from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, examples, home_of
from ibfloor.cli.passphrase import StdinOption, officers
from ibfloor.model.capital import CapitalBasis, CapitalRule, problem_of
from ibfloor.model.command import (
    AddStrategy,
    EnableStrategy,
    PauseStrategy,
    ResumeStrategy,
    SetCapital,
    StartStrategy,
    StopStrategy,
)
from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import StrategyId

app = typer.Typer(
    name="strategy",
    help="Start, stop, pause, resume, enable or add a strategy, or set its capital.",
    epilog=examples("ibfloor strategy pause sma-spy", "ibfloor strategy resume sma-spy"),
    no_args_is_help=True,
    rich_markup_mode=None,
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The strategy's name, as in floor.toml.")]


@app.command(epilog=examples("ibfloor strategy start sma-spy"))
def start(name: NameArgument, config: ConfigOption = CONFIG_DEFAULT, home: HomeOption = None) -> None:
    """Start a strategy that is stopped or failed."""
    _give(StartStrategy, name, config, home)


@app.command(epilog=examples("ibfloor strategy stop sma-spy"))
def stop(name: NameArgument, config: ConfigOption = CONFIG_DEFAULT, home: HomeOption = None) -> None:
    """Stop a strategy; its stop policy says what becomes of its orders and position."""
    _give(StopStrategy, name, config, home)


@app.command(epilog=examples("ibfloor strategy pause sma-spy"))
def pause(name: NameArgument, config: ConfigOption = CONFIG_DEFAULT, home: HomeOption = None) -> None:
    """Refuse a strategy's new orders; its data and its book go on."""
    _give(PauseStrategy, name, config, home)


@app.command(epilog=examples("ibfloor strategy resume sma-spy"))
def resume(name: NameArgument, config: ConfigOption = CONFIG_DEFAULT, home: HomeOption = None) -> None:
    """Let a paused strategy trade again."""
    _give(ResumeStrategy, name, config, home)


@app.command(epilog=examples("ibfloor strategy enable sma-spy 'the signal was mended'"))
def enable(
    name: NameArgument,
    reason: Annotated[str, typer.Argument(metavar="REASON", help="Why; it stands in the journal.")],
    from_stdin: StdinOption = False,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Let a strategy trade again that a guard has disabled or left only the way out; losses count from here.

    Where a risk officer is named, and for real money always, it takes their passphrase.
    """
    folder = home_of(config, home)
    command = EnableStrategy(
        command_id=new_command_id(),
        actor=actor(),
        strategy=StrategyId(name),
        reason=reason,
        passphrase=officers(folder, from_stdin),
    )
    carry_out(folder, command)


@app.command(
    epilog=examples(
        "ibfloor strategy add sma-qqq strategies/sma_cross.py -p symbol=QQQ -p qty=10",
        "ibfloor strategy add sma-iwm strategies/sma_cross.py --class SmaCross -p symbol=IWM --no-start",
    )
)
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A new name, and the name of its book for good.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The Python file with the strategy.")],
    class_name: Annotated[str, typer.Option("--class", help="The class in that file, where there are several.")] = "",
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="KEY=VALUE", help="A parameter; may be repeated.")
    ] = None,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Whether it starts at once.")] = True,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Load one more strategy while the floor runs; write it into floor.toml too if it is to stay."""
    if not file.is_file():
        raise ConfigError(f"there is no strategy file {file}: mend the path")
    command = AddStrategy(
        command_id=new_command_id(),
        actor=actor(),
        strategy=StrategyId(name),
        file=str(file.absolute()),
        class_name=class_name,
        params=parse_params(param or []),
        start=start,
    )
    carry_out(home_of(config, home), command)


@app.command(
    epilog=examples(
        "ibfloor strategy capital sma-spy --weight 0.2 --band-min 0.18 --band-max 0.25",
        "ibfloor strategy capital orb --fixed 25000",
        "ibfloor strategy capital pairs --volatility 2 --weight 0.15 --band-max 0.3",
    )
)
def capital(
    name: NameArgument,
    fixed: Annotated[
        str | None, typer.Option("--fixed", metavar="AMOUNT", help="An amount in account currency.")
    ] = None,
    weight: Annotated[
        str | None, typer.Option("--weight", metavar="SHARE", help="A share of net liquidation: 0.2 is a fifth.")
    ] = None,
    volatility: Annotated[
        str | None,
        typer.Option("--volatility", metavar="PCT", help="What it shall add to the account's volatility, a year."),
    ] = None,
    band_min: Annotated[str | None, typer.Option("--band-min", metavar="SHARE", help="As in floor.toml.")] = None,
    band_max: Annotated[str | None, typer.Option("--band-max", metavar="SHARE", help="As in floor.toml.")] = None,
    config: ConfigOption = CONFIG_DEFAULT,
    home: HomeOption = None,
) -> None:
    """Give a strategy another rule for its capital; it counts at once, until floor.toml's own rule changes.

    Without options it shows the rule as it stands.
    """
    if all(each is None for each in (fixed, weight, volatility, band_min, band_max)):
        from ibfloor.cli.capital_rule import capital_lines

        for line in capital_lines(StrategyId(name), config, home):
            typer.echo(line)
        return
    basis = CapitalBasis.FIXED if fixed else CapitalBasis.VOLATILITY if volatility else CapitalBasis.WEIGHT
    rule = CapitalRule(
        basis=basis,
        amount=_number("--fixed", fixed),
        weight=_number("--weight", weight),
        volatility_pct=_number("--volatility", volatility),
        band_min=_number("--band-min", band_min),
        band_max=_number("--band-max", band_max),
    )
    if problem := problem_of(rule):
        raise ConfigError(problem)
    command = SetCapital(command_id=new_command_id(), actor=actor(), strategy=StrategyId(name), rule=rule)
    carry_out(home_of(config, home), command)


def _number(option: str, text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ConfigError(f"{option} {text}: write a number, for example 0.2")
    return number


def _give(
    kind: type[StartStrategy | StopStrategy | PauseStrategy | ResumeStrategy],
    name: str,
    config: Path,
    home: Path | None,
) -> None:
    carry_out(home_of(config, home), kind(command_id=new_command_id(), actor=actor(), strategy=StrategyId(name)))


def parse_params(texts: list[str]) -> dict[str, object]:
    """Return ``KEY=VALUE`` texts as parameters: numbers, true, false and lists as in TOML, else text."""
    params: dict[str, object] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise ConfigError(f"--param {text}: write it as KEY=VALUE, for example --param qty=50")
        try:
            params[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            params[key] = value
    return params
