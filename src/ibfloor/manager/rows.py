"""Rows for the screen, made from the floor's state. Pure; called on the queue's thread."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from ibfloor.manager.floor_state import FloorState
from ibfloor.model.booking import instrument_in
from ibfloor.model.entry import BookEntry, CashLeg, Leg, PositionLeg, SettleLeg, SplitLeg
from ibfloor.model.fact import BreakFound, OrderFilled, SessionChanged
from ibfloor.model.ids import InstrumentId, StrategyId
from ibfloor.model.money import Currency
from ibfloor.model.order import Order
from ibfloor.model.view import BookView, BreakView, EntryView, FillView, OrderView, PositionView, RateView, SessionView
from ibfloor.portfolio.book import Book
from ibfloor.portfolio.fx import RateNow
from ibfloor.portfolio.valuation import PositionValue, Valuation

CENT = Decimal("0.01")


def symbol_of(state: FloorState, instrument_id: InstrumentId) -> str:
    """Return the name people use for an instrument; its key while it is not defined."""
    instrument = state.instruments.get(instrument_id)
    return instrument.local_symbol if instrument else f"#{instrument_id}"


def order_row(state: FloorState, order: Order) -> OrderView:
    """Return an order's row."""
    request = order.request
    return OrderView(
        cl_ord_id=order.cl_ord_id,
        strategy=request.strategy,
        symbol=symbol_of(state, request.instrument_id),
        side=request.side,
        ord_type=request.ord_type,
        order_qty=request.order_qty,
        cum_qty=order.cum_qty,
        avg_px=order.avg_px.quantize(Decimal("0.0001")),
        limit_px=request.limit_px,
        stop_px=request.stop_px,
        time_in_force=request.time_in_force,
        status=order.status,
        text=order.text,
        ts_submitted_ns=order.ts_submitted_ns,
        ts_updated_ns=order.ts_updated_ns,
    )


def fill_row(state: FloorState, fill: OrderFilled) -> FillView:
    """Return a fill's row; its fee is ``None`` until it is reported."""
    fee = state.books.fee_of(fill.exec_id)
    return FillView(
        exec_id=fill.exec_id,
        cl_ord_id=fill.cl_ord_id or "",
        strategy=fill.strategy,
        instrument_id=fill.instrument_id,
        symbol=symbol_of(state, fill.instrument_id),
        side=fill.side,
        last_qty=fill.last_qty,
        last_px=fill.last_px,
        fee=fee.amount if fee else None,
        ts_ns=fill.ts_event_ns,
    )


def position_row(state: FloorState, strategy: StrategyId, each: PositionValue) -> PositionView:
    """Return an open position's row."""
    position, mark = each.position, each.mark
    return PositionView(
        strategy=strategy,
        instrument_id=position.instrument_id,
        symbol=symbol_of(state, position.instrument_id),
        qty=position.qty,
        avg_px=position.avg_px.quantize(Decimal("0.0001")),
        mark_px=mark.px if mark else None,
        mark_ts_ns=mark.ts_ns if mark else 0,
        mark_source=mark.source if mark else "",
        unrealised_pnl=cents(each.unrealised),
        realised_pnl=position.realised.quantize(CENT),
        currency=position.currency,
    )


def session_row(state: FloorState, fact: SessionChanged) -> SessionView:
    """Return a broker session's row."""
    return SessionView(
        session=fact.session,
        client_id=fact.client_id,
        state=fact.state,
        detail=fact.detail,
        round_trip_ms=fact.round_trip_ms,
        reconnects=state.losses[fact.session],
    )


def break_row(state: FloorState, fact: BreakFound) -> BreakView:
    """Return a break's row."""
    instrument_id = instrument_in(fact.key)
    return BreakView(
        key=fact.key,
        ours=fact.ours,
        theirs=fact.theirs,
        text=fact.text,
        ts_ns=fact.ts_event_ns,
        symbol=fact.key.partition(":")[2] if instrument_id is None else symbol_of(state, instrument_id),
        cause=fact.cause,
        why=fact.why,
        proposal=fact.proposal,
    )


def not_known(state: FloorState, worth: Valuation, more: Iterable[str] = ()) -> str:
    """Return why figures of a book are missing; empty when none is."""
    unmarked = {symbol_of(state, each.position.instrument_id) for each in worth.positions if each.mark is None}
    problems = dict.fromkeys((*worth.problems, *more, *(f"{each} has no mark" for each in sorted(unmarked))))
    return "; ".join(problems)


def book_row(state: FloorState, book: Book, worth: Valuation) -> BookView:
    """Return a book's row."""
    return BookView(
        strategy=book.strategy,
        cash={currency: amount.quantize(CENT) for currency, amount in sorted(book.cash.items()) if amount},
        equity=cents(worth.equity),
        realised_pnl=cents(worth.realised),
        unrealised_pnl=cents(worth.unrealised),
        income=cents(worth.income),
        fees=cents(worth.fees),
        not_known=not_known(state, worth),
    )


def entry_row(state: FloorState, entry: BookEntry) -> EntryView:
    """Return a book entry's row."""
    return EntryView(
        entry_id=entry.entry_id,
        kind=entry.kind,
        ts_ns=entry.ts_event_ns,
        books=tuple(sorted(entry.strategies)),
        text="; ".join(_leg_text(state, leg) for leg in entry.legs),
        reason=entry.reason,
        actor=entry.actor,
        reverses=entry.reverses,
        reversed_by=state.books.entries.reversed_by(entry.entry_id) or "",
        break_key=entry.break_key,
    )


def _leg_text(state: FloorState, leg: Leg) -> str:
    match leg:
        case PositionLeg():
            name = symbol_of(state, leg.instrument_id)
            return f"{leg.strategy} {leg.qty.normalize():+f} {name} at {leg.px.normalize():f}"
        case CashLeg():
            return f"{leg.strategy} {leg.amount.amount:+,.2f} {leg.amount.currency}"
        case SplitLeg():
            return f"{leg.strategy} {symbol_of(state, leg.instrument_id)} {leg.new} for {leg.old}"
        case SettleLeg():
            return f"{leg.strategy} {symbol_of(state, leg.instrument_id)} settled at {leg.px:f}"


def rate_row(now: RateNow, base: Currency) -> RateView:
    """Return an exchange rate's row."""
    rate = now.rate
    return RateView(
        currency=now.currency,
        base=base,
        rate=rate.px.quantize(Decimal("0.00000001")).normalize() if rate else None,
        ts_ns=rate.ts_ns if rate else 0,
        source=rate.source if rate else "",
        problem=now.problem,
    )


def holdings_by_symbol(state: FloorState, valuation: Valuation) -> dict[str, Decimal]:
    """Return open quantities by symbol."""
    return {symbol_of(state, each.position.instrument_id): each.position.qty for each in valuation.positions}


def cents(amount: Decimal | None) -> Decimal | None:
    """Return an amount rounded for people; ``None`` stays unknown."""
    return None if amount is None else amount.quantize(CENT)
