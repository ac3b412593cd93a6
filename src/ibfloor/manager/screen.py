"""Screen: turns the floor's state into rows, several times a second. Called on the queue's thread.

Rows of orders and fills are made when facts touch them; what moves with the market is made anew
each time. The main loop puts the rows into the ``ViewDiffer``, which sends only what changed.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import msgspec

from ibfloor.manager.account_board import AccountBoard
from ibfloor.manager.desk import DeskNow
from ibfloor.manager.floor_state import Applied, FloorState
from ibfloor.manager.portfolio_manager import PortfolioManager
from ibfloor.manager.rows import (
    book_row,
    break_row,
    cents,
    entry_row,
    fill_row,
    holdings_by_symbol,
    not_known,
    order_row,
    position_row,
    rate_row,
    session_row,
)
from ibfloor.model.entry import BookEntry
from ibfloor.model.fact import BreakCleared, FeeReported, OrderFilled, OrderRefused
from ibfloor.model.ids import ClientOrderId, StrategyId, exec_root
from ibfloor.model.moment import Clock
from ibfloor.model.money import Currency
from ibfloor.model.order import Order, OrdStatus
from ibfloor.model.view import AccountView, EquityView, StrategyView
from ibfloor.portfolio.fx import RateNow
from ibfloor.portfolio.performance import Performance
from ibfloor.portfolio.valuation import Valuation

KEEP = {"orders": 400, "entries": 200, "fills": 400, "log": 300, "equity": 900}
"""How many rows of a topic are shown; orders that work come on top. The ledger has the rest."""
CURVE_EVERY_S = 1.0
SPARK_POINTS = 60

Rows = list[tuple[str, str, msgspec.Struct | None]]
"""(topic, key, row), ``None`` for a row that went."""


class Screen:
    """The rows' maker. Owner: the queue's thread, which also observes facts for it."""

    def __init__(self, state: FloorState, portfolio: PortfolioManager, account: AccountBoard, clock: Clock) -> None:
        self._state = state
        self._portfolio = portfolio
        self._account = account
        self._clock = clock
        # Of what was before, only what is shown: rows of everything would be the peak of a floor's memory.
        newest = deque((order.cl_ord_id for order in state.orders), KEEP["orders"])
        self._orders: set[ClientOrderId] = {*newest, *(order.cl_ord_id for order in state.orders.working())}
        self._fills: set[str] = set(deque(state.fills, KEEP["fills"]))
        self._entries: set[str] = set(deque((entry.entry_id for entry in state.books.entries), KEEP["entries"]))
        self._refused: deque[OrderRefused] = deque(maxlen=100)
        self._gone: list[tuple[str, str]] = []
        self._positions_shown: set[str] = set()
        self._rates_shown: set[str] = set()
        self._sparks: dict[StrategyId, deque[float]] = {}
        self._curve_due_ns = 0
        self._curve_points = 0

    def observe(self, applied: Applied) -> None:
        """Note which rows a fact touches."""
        match applied.fact:
            case OrderFilled() | FeeReported():
                self._fills.add(exec_root(applied.fact.exec_id)[0])
            case OrderRefused():
                self._refused.append(applied.fact)
            case BookEntry():
                self._entries |= {applied.fact.entry_id, applied.fact.reverses} - {""}
            case BreakCleared():
                self._gone.append(("breaks", applied.fact.key))
        if applied.order is not None:
            self._orders.add(applied.order.cl_ord_id)

    def rows(self, desks: tuple[DeskNow, ...]) -> Rows:
        """Return every row that may have changed since the last call."""
        state = self._state
        rows: Rows = [(topic, key, None) for topic, key in self._gone]
        self._gone.clear()
        rows += self._touched()
        rows += [("sessions", name, session_row(state, fact)) for name, fact in state.sessions.items()]
        rows += [("breaks", key, break_row(state, fact)) for key, fact in state.breaks.items()]
        valuations, account = self._portfolio.value_books({desk.name for desk in desks})
        rows += self._position_rows(valuations)
        rows += [("books", name, book_row(state, state.books.book(name), each)) for name, each in valuations.items()]
        is_curve_due = self._is_curve_due()
        rows += [
            ("strategies", desk.name, self._strategy_row(desk, valuations[desk.name], is_curve_due)) for desk in desks
        ]
        rates = self._portfolio.rates_now()
        rows += self._rate_rows(rates, account.base)
        rows += self._account_rows(account, rates, is_curve_due)
        return rows

    def _touched(self) -> Rows:
        state = self._state
        orders = [state.orders.get(order_id) for order_id in self._orders]
        rows: Rows = [("orders", order.cl_ord_id, order_row(state, order)) for order in orders if order is not None]
        for fact in self._refused:
            refused = Order(
                request=fact.request,
                status=OrdStatus.REJECTED,
                client_id=-1,
                order_id=0,
                text=str(fact.reason),
                ts_submitted_ns=fact.ts_event_ns,
                ts_updated_ns=fact.ts_event_ns,
            )
            rows.append(("orders", refused.cl_ord_id, order_row(state, refused)))
        fills = [state.fills[root] for root in self._fills if root in state.fills]
        fills.sort(key=lambda fill: fill.ts_event_ns)
        rows += [("fills", exec_root(fill.exec_id)[0], fill_row(state, fill)) for fill in fills]
        rows.sort(key=lambda row: getattr(row[2], "ts_submitted_ns", 0))
        entries = [entry for each in self._entries if (entry := state.books.entries.get(each)) is not None]
        entries.sort(key=lambda entry: entry.ts_event_ns)
        rows += [("entries", entry.entry_id, entry_row(state, entry)) for entry in entries]
        self._entries.clear()
        self._orders.clear()
        self._refused.clear()
        self._fills.clear()
        return rows

    def _position_rows(self, valuations: dict[StrategyId, Valuation]) -> Rows:
        rows: Rows = []
        for name, valuation in valuations.items():
            for each in valuation.positions:
                key = f"{name}/{each.position.instrument_id}"
                rows.append(("positions", key, position_row(self._state, name, each)))
        shown = {key for _, key, _ in rows}
        rows += [("positions", key, None) for key in self._positions_shown - shown]
        self._positions_shown = shown
        return rows

    def _strategy_row(self, desk: DeskNow, valuation: Valuation, is_curve_due: bool) -> StrategyView:
        state = self._state
        record = state.record(desk.name)
        spark = self._sparks.setdefault(desk.name, deque(maxlen=SPARK_POINTS))
        pnl = valuation.pnl
        if is_curve_due and pnl is not None:
            spark.append(float(pnl))
        holdings = holdings_by_symbol(state, valuation)
        return StrategyView(
            name=desk.name,
            class_name=desk.class_name,
            state=desk.state,
            reason=desk.reason,
            symbols=desk.symbols or tuple(holdings),
            positions=holdings,
            realised_pnl=cents(valuation.realised),
            unrealised_pnl=cents(valuation.unrealised),
            pnl=cents(pnl),
            fees=cents(valuation.fees),
            not_known=not_known(state, valuation),
            orders=record.orders,
            orders_working=sum(order.request.strategy == desk.name for order in state.orders.working()),
            fills=record.fills,
            rejected=record.rejected,
            restarts=desk.restarts,
            capital=None if (capital := state.capital.get(desk.name)) is None else capital.amount,
            client_id=desk.client_id,
            loop_lag_ms=round(desk.loop_lag_ms, 1),
            spark=tuple(spark),
        )

    def _rate_rows(self, rates: list[RateNow], base: Currency) -> Rows:
        rows: Rows = [("rates", rate.currency, rate_row(rate, base)) for rate in rates]
        shown = {key for _, key, _ in rows}
        rows += [("rates", key, None) for key in self._rates_shown - shown]
        self._rates_shown = shown
        return rows

    def _account_rows(self, account: Valuation, rates: list[RateNow], is_curve_due: bool) -> Rows:
        curve, state = self._portfolio.performance, self._state
        view = AccountView(
            account=self._account.account,
            base_currency=account.base,
            net_liquidation=cents(account.equity),
            broker_net_liquidation=self._account.amount("NetLiquidation"),
            day_pnl=None if curve is None or account.equity is None else cents(curve.day_pnl),
            unrealised_pnl=cents(account.unrealised),
            realised_pnl=cents(account.realised),
            fees=cents(account.fees),
            cash={currency: amount.quantize(Decimal("0.01")) for currency, amount in state.books.cash_total().items()},
            gross_exposure=cents(account.gross_exposure),
            net_exposure=cents(account.net_exposure),
            drawdown_pct=None if curve is None else curve.drawdown_pct.quantize(Decimal("0.001")),
            excess_liquidity=self._account.amount("ExcessLiquidity"),
            books_equal_account=None if state.reconciled is None else not state.breaks,
            ts_reconciled_ns=state.reconciled.ts_event_ns if state.reconciled else 0,
            not_known=not_known(state, account, [rate.problem for rate in rates if rate.problem]),
        )
        rows: Rows = [("account", view.account or "account", view)]
        if is_curve_due and curve is not None and account.gross_exposure is not None:
            self._curve_points += 1
            rows.append(("equity", str(self._curve_points), self._point(account, curve)))
        return rows

    def _point(self, account: Valuation, curve: Performance) -> EquityView:
        return EquityView(
            ts_ns=self._clock.now_ns(),
            net_liquidation=float(curve.equity),
            drawdown_pct=float(curve.drawdown_pct),
            gross_exposure=float(account.gross_exposure or 0),
            net_exposure=float(account.net_exposure or 0),
        )

    def _is_curve_due(self) -> bool:
        now_ns = self._clock.now_ns()
        if now_ns < self._curve_due_ns:
            return False
        self._curve_due_ns = now_ns + int(CURVE_EVERY_S * 1e9 * self._clock.speed)
        return True
