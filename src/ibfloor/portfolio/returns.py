"""Returns over stretches of time between which money came or went: time-weighted, by day, and money-weighted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from decimal import Decimal

import msgspec

from ibfloor.portfolio.chronicle import day_of
from ibfloor.portfolio.figures import ZERO, Figure, as_one_reason, total

NO_BASE = "no capital is allocated to it and its equity is not above zero: a return has no base"
_ONE = Decimal(1)


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which money came only at its very beginning. Amounts in one currency."""

    start_ns: int
    end_ns: int
    base: Figure
    """What was at work: what there was before, and what came in."""
    inflow: Figure
    pnl: Figure

    @property
    def growth(self) -> Figure:
        """Return the result over the base; not known where there is no base above zero."""
        if self.pnl == ZERO and self.base == ZERO:
            return ZERO  # nothing was there, and nothing happened
        return self.pnl.over(self.base, NO_BASE)

    @property
    def end(self) -> Figure:
        """Return what there was when the stretch ended."""
        return self.base + self.pnl


class DayReturn(msgspec.Struct, frozen=True, kw_only=True):
    """One day: its stretches chained."""

    day: str
    base: Figure
    """What was at work when the day began."""
    inflow: Figure
    pnl: Figure
    growth: Figure


def time_weighted(stretches: Iterable[Stretch]) -> Figure:
    """Return the chained growth: what one unit of money became that was there all the time, less one."""
    return chained(each.growth for each in stretches)


def chained(growths: Iterable[Figure]) -> Figure:
    """Return the growth over several times, one after the other."""
    product, reasons = _ONE, []
    for growth in growths:
        if growth.value is None:
            reasons.append(growth.why)
        else:
            product *= _ONE + growth.value
    return Figure(None, as_one_reason(reasons)) if reasons else Figure(product - _ONE)


def by_day(stretches: Sequence[Stretch], tz: tzinfo) -> tuple[DayReturn, ...]:
    """Return the days in which stretches ended, each with the growth of its own stretches."""
    days: dict[str, list[Stretch]] = {}
    for each in stretches:
        days.setdefault(day_of(each.end_ns - 1, tz), []).append(each)
    return tuple(
        DayReturn(
            day=day,
            base=parts[0].base,
            inflow=total(part.inflow for part in parts),
            pnl=total(part.pnl for part in parts),
            growth=time_weighted(parts),
        )
        for day, parts in days.items()
    )


def investor_flows(stretches: Sequence[Stretch]) -> list[tuple[int, Figure]]:
    """Return what an investor paid (negative) and got back at the end, for a money-weighted return."""
    if not stretches:
        return []
    flows = [(stretches[0].start_ns, -stretches[0].base)]
    flows += [(each.start_ns, -each.inflow) for each in stretches[1:] if each.inflow != ZERO]
    return [*flows, (stretches[-1].end_ns, stretches[-1].end)]


def worst_drawdown(growths: Iterable[Figure]) -> Figure:
    """Return the deepest fall from a peak as a share of the peak, never positive."""
    level = peak = _ONE
    worst = Decimal(0)
    for growth in growths:
        if growth.value is None:
            return growth
        level *= _ONE + growth.value
        peak = max(peak, level)
        worst = min(worst, level / peak - _ONE)
    return Figure(worst)
