"""Write docs/cli.md and docs/configuration.md from the code itself; a tidy test compares them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"
WIDTH = 100
CLI_HEAD = """\
# The command line

Written by `scripts/reference.py` from the commands; change those, then run it again.

Every command that talks to a floor finds it by the home folder that `floor.toml` names (`--config`), or by `--home`.

Times in tables are in UTC: on a terminal the heading says so, in a pipe every time ends with `Z`, and `--json` keeps
nanoseconds since 1970. Days, and the times of `performance` and of statements, are New York's.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed, denied, or a check found problems |
| 2 | wrong usage or configuration; the message names file, line or option, and the mend. \
Also a gateway that is absent when `run` starts |
| 3 | no running floor answers, or the gateway was lost for good while a floor ran |
| 130 | stopped by Ctrl-C before there was anything to end in good order |
"""
CONFIGURATION_HEAD = """\
# floor.toml

Written by `scripts/reference.py` from the settings; change those, then run it again.

`ibfloor init` writes a first file, `ibfloor run` reads it once at start. A mistake ends the start with a message that
names file, line and key. Nothing else is read: no hidden files, no defaults for port, limits or account.

- Money and quantities are exact: `0.1` is one tenth. A limit that should not hold is written as `"off"`.
- `IBFLOOR_<SECTION>__<KEY>` in the environment overrides a key of a section, for example `IBFLOOR_GATEWAY__PORT=7497`.
  Strategies, and paper or live, are chosen in the file alone.
- Market seconds are those of the floor's clock; against a real gateway they are wall seconds
  ([ADR 0006](adr/0006-one-clock.md)).
"""
PURPOSES = {
    "floor": "The floor as a whole.",
    "gateway": "Where IB Gateway or TWS listens, and who we are to it.",
    "ibc": "How IBC starts IB Gateway, where `launcher` above says so ([how to](ibc.md)).",
    "clock": "Whose time is market time.",
    "risk": "What may be traded at most ([every rule](risk.md)). The most specific limit wins: that of the instrument, "
    'of its class, of the strategy, then the one here; `"off"` in a table switches a limit of `[risk]` off there.',
    "recorder": "The process that stores market data.",
    "web": "The process that serves the pages. They are served on loopback; from elsewhere, use a tunnel.",
    "restart": "What happens to a strategy that raises.",
    "stop": "How long each step of a stop may take.",
    "crossing": "Whether strategies may trade with each other inside the floor ([how](crossing.md)).",
    "books": "How books are valued, and when they are compared with the account.",
    "kill": "What the kill switches may do ([how they work](kill.md)).",
    "watchdog": "A process and an IB session of its own that act when the floor dies ([how](kill.md)).",
    "alarm": "Who is told of what cannot wait.",
    "orphans": "Working orders whose strategy does not come up with the floor.",
    "strategy": "One strategy; the table may be repeated. `[strategy.risk]` below it replaces limits of `[risk]`.",
}


def commands() -> Iterator[tuple[str, Any, Any]]:
    """Yield every command: its words after ``ibfloor``, itself, and a context it can be asked for help in."""
    from typer.main import get_command

    from ibfloor.cli.entry import app

    root: Any = get_command(app)
    yield from _leaves(root, root.make_context("ibfloor", [], resilient_parsing=True, terminal_width=WIDTH))


def cli_page() -> str:
    """Return the page's text."""
    parts = [CLI_HEAD]
    for name, command, context in commands():
        parts.append(f"## ibfloor {name}\n\n```\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def _leaves(group: Any, parent: Any) -> Iterator[tuple[str, Any, Any]]:
    for name, command in group.commands.items():
        context = command.make_context(name, [], parent=parent, resilient_parsing=True, terminal_width=WIDTH)
        if getattr(command, "invoke_without_command", False):
            yield name, command, context
        if hasattr(command, "commands"):
            yield from ((f"{name} {inner}", leaf, its) for inner, leaf, its in _leaves(command, context))
        else:
            yield name, command, context


def configuration_page() -> str:
    """Return the page's text."""
    from ibfloor.config.loading import section_models

    parts = [CONFIGURATION_HEAD]
    for section, model in section_models().items():
        name = f"[[{section}]]" if section == "strategy" else f"[{section}]"
        rows = [_row(field.alias or key, field) for key, field in model.model_fields.items()]
        table = "\n".join(["| key | default | meaning |", "|---|---|---|", *rows])
        parts.append(f"## `{name}`\n\n{PURPOSES[section]}\n\n{table}\n")
        if section == "risk":
            parts.append(_risk_tables())
        if section == "strategy":
            parts.append(_capital_table())
    return "\n".join(parts)


def _risk_tables() -> str:
    from ibfloor.config.risk import AccountRisk, InstrumentRisk

    rows = [_row(key, field) for key, field in AccountRisk.model_fields.items()]
    table = "\n".join(["| key | default | meaning |", "|---|---|---|", *rows])
    keys = ", ".join(f"`{key}`" for key in InstrumentRisk.model_fields)
    return (
        "### `[risk.account]`\n\nWhat all strategies together may do at most, beside `max_gross_exposure`.\n\n"
        f"{table}\n\n"
        '### `[risk.strategy.NAME]`, `[risk.class.FUT]`, `[risk.instrument."ESZ6"]`\n\n'
        "A strategy's table takes every key of `[risk]` but `max_gross_exposure`. Those of classes and instruments "
        f"take: {keys}.\n"
    )


def _capital_table() -> str:
    from ibfloor.config.capital import CapitalSection

    rows = [_row(key, field) for key, field in CapitalSection.model_fields.items()]
    table = "\n".join(["| key | default | meaning |", "|---|---|---|", *rows])
    return (
        "### `[strategy.capital]`\n\nHow much capital the strategy gets: it sees it as `self.capital`, "
        f"`self.qty_for()` sizes by it, and its returns are measured on it.\n\n{table}\n"
    )


def _row(key: str, field: Any) -> str:
    return f"| `{key}` | {_default(field)} | {field.description} |"


def _default(field: Any) -> str:
    if field.is_required():
        return "must be given"
    from ibfloor.config.risk import AccountRisk

    value = field.get_default(call_default_factory=True)
    match value:
        case Decimal():
            return f"`{value:f}`"
        case None | "" | {}:
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"`{value:g}`"
        case str() | Path():
            return f'`"{value}"`'
        case AccountRisk():
            return "see below"
        case _:
            return "those of `[risk]`"


if __name__ == "__main__":
    (DOCS / "cli.md").write_text(cli_page(), encoding="utf-8")
    (DOCS / "configuration.md").write_text(configuration_page(), encoding="utf-8")
