"""A book's record over a time: its stretches between flows, what brought the result, and what trading cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from itertools import pairwise

import msgspec

from ibfloor.model.ids import StrategyId
from ibfloor.model.instrument import SecurityType
from ibfloor.model.money import Currency
from ibfloor.portfolio.book import Book
from ibfloor.portfolio.chronicle import BooksThen, Chronicle, books_at, day_bounds, flow_times
from ibfloor.portfolio.executions import Execution, executions_of
from ibfloor.portfolio.figures import ZERO, Figure, total
from ibfloor.portfolio.pricing import prices_at
from ibfloor.portfolio.returns import DayReturn, Stretch, by_day, time_weighted
from ibfloor.portfolio.statement import StatedInstrument, StatementError, stated_instruments
from ibfloor.portfolio.statement_bridge import Bridge, base_bridge, currency_bridges
from ibfloor.portfolio.worth import ACCOUNT, Prices, merged, worth_of

_BPS = Figure(Decimal(10_000))
_SHARES = {SecurityType.STOCK, SecurityType.FUND}


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What trading cost; amounts in the base currency at the closing rate."""

    executions: int
    traded: Figure
    fees: Figure
    fees_bps: Figure
    """Of the traded value."""
    fee_per_share: Figure
    """Of stocks and funds alone, in the base currency."""
    slippage: Figure
    """Against the arrival price, of the executions that have one; a gain is negative."""
    slippage_bps: Figure
    without_arrival: int
    """Executions of which nobody knows what the market stood at."""


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """One book, or the account, from one valuation to a later one."""

    owner: StrategyId
    base: Currency
    start_ns: int
    end_ns: int
    is_on_capital: bool
    """Whether returns are measured on allocated capital; else on the book's own equity."""
    stretches: tuple[Stretch, ...]
    days: tuple[DayReturn, ...]
    bridge: Bridge
    instruments: tuple[StatedInstrument, ...]
    costs: Costs
    turnover: Figure
    """Traded value over what was at work on average."""

    @property
    def time_weighted(self) -> Figure:
        """Return the time-weighted return over all of it."""
        return time_weighted(self.stretches)


class _Cut(msgspec.Struct):
    ts_ns: int
    prices: Prices
    books: BooksThen


def tracks(story: Chronicle, tz: tzinfo, *, since: str = "", until: str = "") -> dict[StrategyId, Track]:
    """Return the record of every book and of ``ACCOUNT`` between two days, both included; all of it by default.

    Raises ``StatementError`` when there are not two valuations in that time.
    """
    start_ns = day_bounds(since, tz)[0] if since else 0
    end_ns = day_bounds(until, tz)[1] if until else 2**62
    cuts = _cuts(story, start_ns, end_ns)
    if len(cuts) < 2:
        raise StatementError("the books were not valued twice in that time: there is no return yet")
    executions = executions_of(story, cuts[0].ts_ns, cuts[-1].ts_ns)
    names = sorted({name for cut in cuts for name in cut.books.books})
    maker = _Maker(story, cuts, executions, tz)
    made = {name: maker.make(name, {name}, [_of(cut, name) for cut in cuts]) for name in names}
    whole = [merged(ACCOUNT, cut.books.books.values()) for cut in cuts]
    made[ACCOUNT] = maker.make(ACCOUNT, set(names), whole)
    return made


def _cuts(story: Chronicle, start_ns: int, end_ns: int) -> list[_Cut]:
    before = story.marks_at(start_ns)
    marks = [
        fact for fact in (before, *story.marks) if fact and (fact is before or start_ns <= fact.ts_event_ns < end_ns)
    ]
    if not marks:
        return []
    first_ns, last_ns = marks[0].ts_event_ns + 1, marks[-1].ts_event_ns + 1
    times = {fact.ts_event_ns + 1 for fact in marks} | set(flow_times(story, first_ns + 1, last_ns))
    times |= {fact.ts_event_ns for fact in story.capital if first_ns < fact.ts_event_ns < last_ns}
    ordered = sorted(times)
    base = marks[-1].base
    return [
        _Cut(ts_ns, prices_at(story, ts_ns, base), books)
        for ts_ns, books in zip(ordered, books_at(story, ordered), strict=True)
    ]


class _Maker:
    def __init__(self, story: Chronicle, cuts: Sequence[_Cut], executions: Iterable[Execution], tz: tzinfo) -> None:
        self._story = story
        self._cuts = cuts
        self._executions = tuple(executions)
        self._tz = tz

    def make(self, owner: StrategyId, names: set[StrategyId], books: Sequence[Book]) -> Track:
        cuts = self._cuts
        first, last = cuts[0], cuts[-1]
        executions = tuple(each for each in self._executions if each.strategy in names)
        capital = {fact.ts_event_ns: fact.amount for fact in self._story.capital if fact.strategy == owner}
        stretches = _stretches(cuts, books, capital)
        currencies = currency_bridges(books[0], books[-1], first.prices, last.prices, books[-1].cash)
        costs = _costs(executions, last.prices, self._story)
        days = by_day(stretches, self._tz)
        average = total(each.base for each in days).times(Figure(Decimal(1) / len(days)))
        return Track(
            owner=owner,
            base=last.prices.base,
            start_ns=first.ts_ns,
            end_ns=last.ts_ns,
            is_on_capital=bool(capital),
            stretches=tuple(stretches),
            days=days,
            bridge=base_bridge(currencies, first.prices, last.prices),
            instruments=tuple(stated_instruments(books[0], books[-1], first.prices, last.prices, executions)),
            costs=costs,
            turnover=costs.traded.over(average, "nothing was at work"),
        )


def _of(cut: _Cut, name: StrategyId) -> Book:
    return cut.books.books.get(name) or Book(strategy=name)


def _stretches(cuts: Sequence[_Cut], books: Sequence[Book], capital: Mapping[int, Decimal]) -> list[Stretch]:
    equities = [worth_of(book, cut.prices).in_base(cut.prices) for cut, book in zip(cuts, books, strict=True)]
    at_work = _latest(capital, cuts[0].ts_ns)
    pot: Figure | None = None if at_work is None else Figure(at_work)
    stretches = []
    for index, (cut, after) in enumerate(pairwise(cuts)):
        flow = _flow(books[index], books[index + 1], cut.prices)
        pnl = equities[index + 1] - equities[index] - flow
        if cut.ts_ns in capital and index:
            set_to = Figure(capital[cut.ts_ns])
            base, inflow = set_to, set_to - (pot if pot is not None else ZERO)
        elif pot is not None:
            base, inflow = pot, ZERO
        else:
            base, inflow = equities[index] + flow, flow
        if pot is not None or (cut.ts_ns in capital and index):
            pot = base + pnl
        stretches.append(Stretch(start_ns=cut.ts_ns, end_ns=after.ts_ns, base=base, inflow=inflow, pnl=pnl))
    return stretches


def _latest(capital: Mapping[int, Decimal], ts_ns: int) -> Decimal | None:
    known = [when for when in capital if when <= ts_ns]
    return capital[max(known)] if known else None


def _flow(before: Book, after: Book, prices: Prices) -> Figure:
    currencies = {*before.flows, *after.flows}
    zero = Decimal(0)
    moved = {key: Figure(after.flows.get(key, zero) - before.flows.get(key, zero)) for key in currencies}
    return prices.sum_in_base(moved)


def _costs(executions: Sequence[Execution], prices: Prices, story: Chronicle) -> Costs:
    traded = total(prices.in_base(Figure(each.value), each.currency) for each in executions)
    fees = total(_fee(each, prices) for each in executions)
    in_shares = [each for each in executions if _is_share(each, story)]
    shares = sum((each.qty for each in in_shares), Decimal(0))
    told = [each for each in executions if each.arrival is not None]
    slippage = total(prices.in_base(each.slippage, each.currency) for each in told)
    measured = total(prices.in_base(Figure(each.value), each.currency) for each in told)
    return Costs(
        executions=len(executions),
        traded=traded,
        fees=fees,
        fees_bps=fees.times(_BPS).over(traded, "nothing was traded"),
        fee_per_share=total(_fee(each, prices) for each in in_shares).over(Figure(shares), "no shares were traded"),
        slippage=slippage,
        slippage_bps=slippage.times(_BPS).over(measured, "nothing was traded with a known arrival price"),
        without_arrival=len(executions) - len(told),
    )


def _fee(each: Execution, prices: Prices) -> Figure:
    return ZERO if each.fee is None else prices.in_base(Figure(each.fee.amount), each.fee.currency)


def _is_share(each: Execution, story: Chronicle) -> bool:
    instrument = story.instruments.get(each.instrument_id)
    return instrument is not None and instrument.contract.security_type in _SHARES
