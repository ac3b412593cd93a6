"""A record as lines of text and as fields for programs: what the journal gives, and what the libraries add."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, tzinfo

import msgspec

from ibfloor.model.ids import StrategyId
from ibfloor.portfolio.chronicle import Chronicle
from ibfloor.portfolio.figures import Figure
from ibfloor.portfolio.returns import worst_drawdown
from ibfloor.portfolio.statement import StatementError
from ibfloor.portfolio.track import Track, tracks
from ibfloor.reports.layout import Cell, money
from ibfloor.reports.ratios import NoRatios, Ratios, money_weighted, over_the_time, ratios
from ibfloor.reports.words import for_people
from ibfloor.reports.writing import NoStatement


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One book's performance."""

    track: Track
    time_weighted: Figure
    max_drawdown: Figure
    """From daily returns; as a share of the peak, never positive."""
    money_weighted: Figure
    """A year; not known without the extra, the reason says how to get it."""
    money_weighted_total: Figure
    ratios: Ratios | None
    ratios_text: str = ""
    """Why there are none."""


def records(story: Chronicle, tz: tzinfo, *, since: str = "", until: str = "") -> dict[StrategyId, Record]:
    """Return every book's performance and the account's; raise ``NoStatement`` where there is none yet."""
    try:
        found = tracks(story, tz, since=since, until=until)
    except StatementError as error:
        raise NoStatement(str(error)) from None
    except ValueError:
        raise NoStatement(f"{since or until} is no day: write one as 2026-03-31") from None
    return {name: _record(track) for name, track in found.items()}


def _record(track: Track) -> Record:
    try:
        rate, numbers = money_weighted(track.stretches), ratios(track.days)
    except NoRatios as error:
        rate, numbers = Figure(None, str(error)), str(error)
    return Record(
        track=track,
        time_weighted=track.time_weighted,
        max_drawdown=worst_drawdown(day.growth for day in track.days),
        money_weighted=rate,
        money_weighted_total=over_the_time(rate, track.stretches),
        ratios=numbers if isinstance(numbers, Ratios) else None,
        ratios_text=numbers if isinstance(numbers, str) else "",
    )


def lines(record: Record, tz: tzinfo) -> Iterator[tuple[str, str]]:
    """Yield a record as titles and texts."""
    track, costs = record.track, record.track.costs
    base = track.base
    yield "from", for_people(Cell(track.start_ns, "time"), tz)
    yield "to", for_people(Cell(track.end_ns, "time"), tz)
    yield "opening equity", _money(track.bridge.opening, base)
    yield "closing equity", _money(track.bridge.closing, base)
    yield "came in, net", _money(track.bridge.steps.flows, base)
    yield "result", _money(track.bridge.result, base, "gain")
    yield "measured on", "allocated capital" if track.is_on_capital else "its own equity"
    yield "time-weighted return", percent(record.time_weighted)
    yield "money-weighted return", percent(record.money_weighted_total)
    yield "money-weighted, a year", percent(record.money_weighted)
    yield "worst drawdown", percent(record.max_drawdown)
    if record.ratios is None:
        yield "ratios", record.ratios_text
    else:
        yield from _ratio_lines(record.ratios)
    yield "executions", str(costs.executions)
    yield "traded value", _money(costs.traded, base)
    yield "turnover", _number(track.turnover, "times what was at work")
    yield "fees", _money(costs.fees, base)
    yield "fees of traded value", _number(costs.fees_bps, "bps")
    yield "fees per share", _number(costs.fee_per_share, base, places=4)
    yield "slippage", _money(costs.slippage, base)
    missing = f" ({costs.without_arrival} executions have no arrival price)" if costs.without_arrival else ""
    yield "slippage of traded value", _number(costs.slippage_bps, "bps") + missing


def _ratio_lines(found: Ratios) -> Iterator[tuple[str, str]]:
    yield "days", str(found.days)
    shares = {"return, a year": found.annual_return, "volatility, a year": found.volatility}
    yield from ((title, _share(value)) for title, value in shares.items())
    plain = {"Sharpe ratio": found.sharpe, "Sortino ratio": found.sortino, "Calmar ratio": found.calmar}
    yield from ((title, "—" if value is None else f"{value:,.2f}") for title, value in plain.items())
    shares = {"best day": found.best_day, "worst day": found.worst_day, "days with a gain": found.positive_days}
    yield from ((title, _share(value)) for title, value in shares.items())


def percent(figure: Figure) -> str:
    """Return a share as percent; a dash with the reason where it is not known."""
    if figure.value is None:
        return f"— ({figure.why})"
    return _share(float(figure.value))


def _share(value: float | None) -> str:
    return (
        "—"
        if value is None
        else f"{round(value * 100, 2) + 0.0:+,.2f} %".replace("+0.00", "0.00").replace("-", "\N{MINUS SIGN}")
    )


def _money(figure: Figure, base: str, kind: str = "money") -> str:
    cell = money(figure, kind)
    return f"— ({cell.why})" if cell.value is None else f"{for_people(cell, UTC)} {base}"


def _number(figure: Figure, unit: str, *, places: int = 2) -> str:
    return f"— ({figure.why})" if figure.value is None else f"{figure.value:,.{places}f} {unit}"
