"""``ibfloor status``: the whole floor in a few lines."""

from __future__ import annotations

import typer

from ibfloor.cli.options import CONFIG_DEFAULT, ConfigOption, HomeOption, JsonOption, examples, home_of
from ibfloor.cli.output import MISSING, Row, cell, print_json, time_text

Rows = dict[str, dict[str, object]]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("ibfloor status", "ibfloor status --json --home ./floor-home"))(status)


def status(config: ConfigOption = CONFIG_DEFAULT, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show the floor's state: gate, kill switch, account, sessions, breaks, strategies in trouble."""
    from ibfloor.control.once import fetch_snapshot

    rows = fetch_snapshot(home_of(config, home)).rows
    if as_json:
        topics = ("floor", "account", "kills", "sessions", "breaks")
        print_json({topic: list(rows.get(topic, {}).values()) for topic in topics})
    else:
        for line in status_lines(rows):
            typer.echo(line)


def status_lines(rows: Rows) -> list[str]:
    """Return the floor's state as lines of text, from the rows of a snapshot."""
    kills = [_kill_line(row) for row in _of(rows, "kills") if row.get("scope") != "account"]
    lines = [line for row in _of(rows, "floor") for line in _floor_lines(row, kills)]
    lines += [_account_line(row) for row in _of(rows, "account")]
    lines += [_session_line(row) for row in _of(rows, "sessions")]
    lines += [_rate_line(row) for row in _of(rows, "rates")]
    lines += [f"BREAK     {_break(row)}" for row in _of(rows, "breaks")] or ["breaks    none"]
    lines += [f"strategy  {_trouble(row)}" for row in _of(rows, "strategies") if row.get("reason")]
    return lines


def _of(rows: Rows, topic: str) -> list[Row]:
    return [row for row in rows.get(topic, {}).values() if isinstance(row, dict)]


def _floor_lines(row: Row, kills: list[str]) -> list[str]:
    speed = row.get("speed")
    pace = "" if speed in (1, 1.0, None) else f" at {speed:g}x" if isinstance(speed, float) else f" at {speed}x"
    kill = f"LATCHED: {row.get('kill_reason')}" if row.get("kill_latched") else ""
    gate = "open" if row.get("gate_open") else f"SHUT: {row.get('gate_reason')}"
    return [
        f"floor     {row.get('name')} ({row.get('mode')}), version {row.get('version')}, "
        f"market time {time_text(row.get('ts_ns'))} UTC{pace}",
        *([f"kill      {kill}", *kills] if kill else kills or ["kill      open"]),
        f"gate      {gate}",
        f"trading   {row.get('strategies_running')}/{row.get('strategies_total')} strategies, "
        f"{row.get('orders_working')} working orders of {row.get('orders_total')}, {row.get('fills')} fills, "
        f"{row.get('rejected')} rejected, {row.get('orders_unknown')} unknown, {row.get('breaks')} breaks",
    ]


def _kill_line(row: Row) -> str:
    return f"kill      LATCHED for {row.get('scope')} {row.get('target')}: {row.get('reason')} ({row.get('phase')})"


def _account_line(row: Row) -> str:
    match row.get("books_equal_account"):
        case None:
            equal = "not reconciled yet"
        case False:
            equal = "BOOKS DIFFER FROM THE ACCOUNT"
        case _:
            equal = "books equal the account"
    worth = cell(row.get("net_liquidation"), "money")
    day = cell(row.get("day_pnl"), "gain")
    return f"account   {row.get('account') or MISSING}: {worth} {row.get('base_currency')}, day {day}; {equal}"


def _rate_line(row: Row) -> str:
    if row.get("problem"):
        return f"RATE      {row['problem']}: what needs it is not known"
    told = f"{row.get('source')}, {time_text(row.get('ts_ns'))} UTC"
    return f"rate      1 {row.get('currency')} = {row.get('rate')} {row.get('base')} ({told})"


def _break(row: Row) -> str:
    cause = str(row.get("cause") or "UNKNOWN").lower().replace("_", " ")
    return f"{row.get('text')} (cause: {cause}; see ibfloor breaks)"


def _session_line(row: Row) -> str:
    detail = f" ({row['detail']})" if row.get("detail") else ""
    return f"session   {row.get('session')} (client {row.get('client_id')}): {row.get('state')}{detail}"


def _trouble(row: Row) -> str:
    return f"{row.get('name')} is {row.get('state')}: {row.get('reason')}"
