"""``ibfloor gateway fault ...`` and ``ibfloor gateway book``: break a running simulated gateway, read its book."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ibfloor.cli.exit_codes import ExitCode
from ibfloor.cli.options import JsonOption, examples
from ibfloor.cli.output import Column, print_json, print_table
from ibfloor.model.errors import ConfigError

if TYPE_CHECKING:
    from ibfloor.sim.faults import Fault, FaultRow

PortOption = Annotated[
    int | None, typer.Option("--port", help="The running gateway's port; not needed where only one runs.")
]
_FAULT_COLUMNS = (
    Column("name", "fault"),
    Column("do", "does"),
    Column("on", "at"),
    Column("seen", "seen", "number"),
    Column("fired", "happened", "number"),
    Column("is_spent", "spent"),
)
_PRESET_COLUMNS = (Column("preset", "preset"), Column("line", "what goes wrong"))

fault = typer.Typer(
    name="fault", help="Make a running simulated gateway fail.", no_args_is_help=True, rich_markup_mode=None
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(fault)
    app.command(
        epilog=examples(
            'ibfloor gateway happen \'{"kind": "deposit", "currency": "USD", "amount": 5000}\'',
            'ibfloor gateway happen \'{"kind": "dividend", "symbol": "KO", "amount": 0.28}\'',
            'ibfloor gateway happen \'{"kind": "split", "symbol": "AAPL", "ratio": 7}\' --port 4002',
        )
    )(happen)
    app.command(
        epilog=examples(
            "ibfloor gateway book",
            "ibfloor gateway book --json > before.json",
            "ibfloor gateway book --compare before.json",
        )
    )(book)


@fault.command(epilog=examples("ibfloor gateway fault presets"))
def presets(as_json: JsonOption = False) -> None:
    """List the named faults."""
    from ibfloor.sim.faults.presets import PRESETS

    rows: list[dict[str, object]] = [{"preset": name, "line": preset.line} for name, preset in PRESETS.items()]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, _PRESET_COLUMNS, empty="")


@fault.command(name="list", epilog=examples("ibfloor gateway fault list", "ibfloor gateway fault list --json"))
def list_faults(port: PortOption = None, as_json: JsonOption = False) -> None:
    """List the faults of a running gateway, and how often each has happened."""
    from ibfloor.sim.gateway.console import ask_console

    _print_rows(ask_console(_path(port), "list").rows, as_json)


@fault.command(
    epilog=examples(
        "ibfloor gateway fault inject outage",
        "ibfloor gateway fault inject half-open --client 3",
        "ibfloor gateway fault inject faults.toml --port 4002",
        'ibfloor gateway fault inject \'{"name": "x", "what": {"do": "notice", "code": 2108, "text": "idle"}}\'',
    )
)
def inject(
    what: Annotated[str, typer.Argument(help="Presets with commas between, a .toml file, or one fault as JSON.")],
    client: Annotated[
        list[int] | None, typer.Option("--client", metavar="ID", help="Hit this client alone; give it again for more.")
    ] = None,
    port: PortOption = None,
    as_json: JsonOption = False,
) -> None:
    """Arm faults at a running gateway, now."""
    from ibfloor.sim.faults.plan import aimed_at
    from ibfloor.sim.gateway.console import ask_console

    faults = [aimed_at(one, tuple(client)) if client else one for one in _faults(what)]
    _print_rows(ask_console(_path(port), "inject", faults=faults).rows, as_json)


@fault.command(epilog=examples("ibfloor gateway fault clear outage"))
def clear(
    name: Annotated[str, typer.Argument(help="The fault's name, as in the list.")],
    port: PortOption = None,
    as_json: JsonOption = False,
) -> None:
    """Disarm a fault, and end what it goes on doing."""
    from ibfloor.sim.gateway.console import ask_console

    _print_rows(ask_console(_path(port), "clear", name=name).rows, as_json)


def happen(
    what: Annotated[
        str, typer.Argument(help="One event as JSON: a deposit, dividend, interest, exercise or split, as in --events.")
    ],
    port: PortOption = None,
) -> None:
    """Have something happen to the accounts of a running gateway, now.

    A split changes positions alone: the prices of a running market stay. With --events they move too.
    """
    from ibfloor.sim.gateway.console import ask_console
    from ibfloor.sim.gateway.happenings import read_happening

    event = read_happening(what)
    ask_console(_path(port), "happen", events=[event])
    typer.echo(f"it happened: {what}")


def book(
    port: PortOption = None,
    as_json: JsonOption = False,
    compare: Annotated[
        list[Path] | None,
        typer.Option("--compare", metavar="FILE", help="A dump to compare with the running one's; twice: two dumps."),
    ] = None,
) -> None:
    """Show the simulated broker's own book: orders, executions, positions, cash, what clients were told.

    With --compare it names every difference instead, and exits with 1 when there is one.
    """
    from ibfloor.sim.gateway.console import ask_console

    if compare:
        _compare(compare, port, as_json)
        return
    answer = ask_console(_path(port), "book")
    if as_json:
        typer.echo(bytes(answer.book))
        return
    _print_book(bytes(answer.book))


def _print_book(dump: bytes) -> None:
    import msgspec

    from ibfloor.sim.gateway.book import BookReport, book_hash

    report = msgspec.json.decode(dump, type=BookReport)
    for account in report.accounts:
        cash = ", ".join(f"{amount} {name}" for name, amount in account.cash.items())
        typer.echo(f"account {account.account}, cash {cash}")
        for position in account.positions:
            typer.echo(f"position {position.symbol} {position.qty} at {position.avg_cost}")
    typer.echo(
        f"{len(report.orders)} orders, {len(report.executions)} executions, {len(report.refusals)} refusals, "
        f"{len(report.sent)} messages about orders; hash {book_hash(report)[:16]}"
    )


def _compare(files: list[Path], port: int | None, as_json: bool) -> None:
    import msgspec

    from ibfloor.sim.gateway.book import BookReport
    from ibfloor.sim.gateway.book_compare import differences, read_book
    from ibfloor.sim.gateway.console import ask_console

    if len(files) > 2:
        raise ConfigError(f"--compare is given {len(files)} times: give one dump, or two")
    books = [read_book(file) for file in files]
    if len(books) == 1:
        books.append(msgspec.json.decode(ask_console(_path(port), "book").book, type=BookReport))
    found = differences(*books)
    if as_json:
        print_json(found)
    else:
        typer.echo("\n".join(found) or "the books are equal")
    if found:
        raise typer.Exit(ExitCode.FAILED)


def _path(port: int | None) -> Path:
    from ibfloor.sim.gateway.console import console_path, running_consoles

    if port is not None:
        return console_path(port)
    running = running_consoles()
    if len(running) > 1:
        ports = ", ".join(path.stem.removeprefix("gateway-") for path in running)
        raise ConfigError(f"several gateways run here: give --port with one of {ports}")
    return running[0] if running else console_path(4002)


def _faults(what: str) -> tuple[Fault, ...]:
    from ibfloor.sim.faults import read_fault
    from ibfloor.sim.faults.presets import plan_of

    return (read_fault(what.encode()),) if what.lstrip().startswith("{") else plan_of(what).faults


def _print_rows(rows: list[FaultRow], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    import msgspec

    print_table([msgspec.structs.asdict(row) for row in rows], _FAULT_COLUMNS, empty="no faults")
