"""Booking what the API no longer tells: what a Flex report has and the ledger does not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from ibfloor.execution.order_table import OrderTable
from ibfloor.ledger.flex import FlexReport, FlexTrade
from ibfloor.ledger.flex_entries import FlexBookings
from ibfloor.ledger.fold import fold_facts
from ibfloor.ledger.journal import JournalWriter
from ibfloor.ledger.lock import FloorLock
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.replay import Recovered, recover
from ibfloor.ledger.store import LedgerStore
from ibfloor.model.entry import BookEntry
from ibfloor.model.errors import ConfigError
from ibfloor.model.fact import AnyFact, CashMoved, FeeReported, InstrumentDefined, OrderFilled, PositionMoved
from ibfloor.model.ids import UNASSIGNED, AccountId, ClientOrderId, ExecId, InstrumentId, exec_root, owner_of
from ibfloor.model.instrument import Contract, Instrument, SecurityType
from ibfloor.model.money import Currency, Money
from ibfloor.model.order import Side
from ibfloor.portfolio.books import Books
from ibfloor.portfolio.reconciliation import OPENING


class ImportPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What an import books, and what it leaves alone."""

    fills: tuple[OrderFilled, ...]
    canceled: tuple[OrderFilled, ...]
    """Executions that were taken back: their newest revision is of nothing."""
    entries: tuple[BookEntry, ...]
    """Money without a trade, and options that ended without a market."""
    facts: tuple[AnyFact, ...]
    """All that is journaled: the fills, their fees, and what they trade."""
    known: int
    """Executions and bookings that the ledger has already."""
    before_opening: int
    """Executions and bookings older than the ledger: the opening balance holds them."""
    unread: tuple[str, ...]
    """What is not booked, and why; it comes up as a break, for a person to resolve."""
    differences: tuple[str, ...]
    """Where the report's positions are not what the books hold after the import."""


def import_report(
    home: Path, report: FlexReport, now_ns: int, *, account: str = "", is_dry_run: bool = False
) -> ImportPlan:
    """Book the executions that are missing, each once however often it is asked; return what was done.

    The home's floor must not run. Raises ``ConfigError`` for a report of another account, or while a
    floor holds the home; ``LedgerError`` when the ledger is damaged.
    """
    paths = LedgerPaths(home)
    with FloorLock(paths.lock):
        with recover(home) as recovered:
            plan = _Planner(recovered, account).plan(report, now_ns)
            first = recovered.next_seq
        if plan.facts and not is_dry_run:
            with JournalWriter(paths.facts_journal, "power") as journal:
                for seq, fact in enumerate(plan.facts, start=first):
                    journal.append(fact, seq)
            with LedgerStore(paths.database) as store:
                fold_facts(store, paths, is_live=False)
    return plan


class _Planner:
    def __init__(self, recovered: Recovered, account: str) -> None:
        self._orders, self._books = OrderTable(), Books()
        self._accounts = {account} if account else set()
        self._instruments: set[InstrumentId] = set()
        self._fills: dict[str, OrderFilled] = {}
        self._opened_ns: int | None = None
        for _, fact in recovered.facts():
            self._take(fact)
            if isinstance(fact, OrderFilled) and fact.account and not account:
                self._accounts.add(fact.account)
            elif isinstance(fact, CashMoved | PositionMoved) and fact.reason == OPENING:
                self._opened_ns = min(fact.ts_event_ns, self._opened_ns or fact.ts_event_ns)

    def plan(self, report: FlexReport, now_ns: int) -> ImportPlan:
        self._check_accounts(report)
        if self._opened_ns is None:
            raise ConfigError(
                "the ledger has no opening balance yet: let the floor run once against this account first"
            )
        fills: list[OrderFilled] = []
        facts: list[AnyFact] = []
        known = before = 0
        for trade in sorted(report.trades, key=lambda each: (each.ts_ns, each.exec_id)):
            fill = self._fill(trade, now_ns)
            if not self._orders.is_news(fill):
                known += 1
            elif trade.ts_ns <= self._opened_ns:
                before += 1
            else:
                fills.append(fill)
                for fact in self._facts(trade, fill, now_ns):
                    self._take(fact)
                    facts.append(fact)
        unread = list(report.unread)
        undone = [self._cancel(each, now_ns, unread) for each in report.cancels]
        canceled = [each for each in undone if each is not None and self._orders.is_news(each)]
        known += sum(each is not None for each in undone) - len(canceled)
        for fill in canceled:
            nothing = Money(Decimal(0), fill.currency)
            fee = FeeReported(ts_event_ns=fill.ts_event_ns, ts_init_ns=now_ns, exec_id=fill.exec_id, fee=nothing)
            facts += self._applied(fill, fee)
        for trade in report.endings:
            if trade.con_id not in self._instruments:
                facts += self._applied(
                    InstrumentDefined(ts_event_ns=now_ns, ts_init_ns=now_ns, instrument=_instrument(trade))
                )
        bookings = FlexBookings(report, self._books, self._opened_ns, now_ns)
        entries = []
        for entry in bookings.entries():
            entries.append(entry)
            facts += self._applied(entry)
        return ImportPlan(
            fills=tuple(fills),
            canceled=tuple(canceled),
            entries=tuple(entries),
            facts=tuple(facts),
            known=known + bookings.known,
            before_opening=before + bookings.before_opening,
            unread=(*unread, *bookings.unread),
            differences=tuple(
                f"{each.symbol}: the report has {each.qty:f}, the books {ours:f}"
                for each in report.positions
                if (ours := self._books.position_total(InstrumentId(each.con_id))) != each.qty
            ),
        )

    def _applied(self, *facts: AnyFact) -> tuple[AnyFact, ...]:
        for fact in facts:
            self._take(fact)
        return facts

    def _cancel(self, trade: FlexTrade, now_ns: int, unread: list[str]) -> OrderFilled | None:
        what = f"canceled trade of {trade.qty:f} {trade.symbol} at {trade.px:f}"
        undoes = [fill for fill in self._fills.values() if _undoes(trade, fill)]
        if len(undoes) != 1:
            unread.append(f"{what}: {len(undoes) or 'no'} executions are like it, so none was taken back")
            return None
        root, revision = exec_root(undoes[0].exec_id)
        if undoes[0].last_qty:
            revision += 1
        return msgspec.structs.replace(
            undoes[0], ts_init_ns=now_ns, exec_id=ExecId(f"{root}.{revision:02}"), last_qty=Decimal(0)
        )

    def _check_accounts(self, report: FlexReport) -> None:
        if not self._accounts:
            raise ConfigError("the ledger has no execution that names its account: say which one with --account")
        foreign = sorted(set(report.accounts) - self._accounts)
        if foreign or not report.accounts:
            theirs, ours = ", ".join(foreign) or "no account", ", ".join(sorted(self._accounts))
            raise ConfigError(f"the report is of {theirs}, the ledger of {ours}: nothing was booked")

    def _take(self, fact: AnyFact) -> None:
        self._orders.apply(fact)
        self._books.apply(fact)
        if isinstance(fact, OrderFilled):
            self._fills[exec_root(fact.exec_id)[0]] = fact
        if isinstance(fact, InstrumentDefined):
            self._instruments.add(fact.instrument.instrument_id)

    def _fill(self, trade: FlexTrade, now_ns: int) -> OrderFilled:
        owner = owner_of(trade.order_ref)
        order = self._orders.get(ClientOrderId(trade.order_ref)) or self._orders.by_perm_id(trade.perm_id)
        if owner is None and order is not None:
            owner = order.request.strategy
        return OrderFilled(
            ts_event_ns=trade.ts_ns,
            ts_init_ns=now_ns,
            exec_id=ExecId(trade.exec_id),
            cl_ord_id=None if order is None else order.cl_ord_id,
            strategy=owner or UNASSIGNED,
            instrument_id=InstrumentId(trade.con_id),
            side=Side.BUY if trade.is_buy else Side.SELL,
            last_qty=trade.qty,
            last_px=trade.px,
            currency=Currency(trade.currency),
            multiplier=trade.multiplier,
            perm_id=trade.perm_id,
            account=AccountId(trade.account),
            order_ref=trade.order_ref,
        )

    def _facts(self, trade: FlexTrade, fill: OrderFilled, now_ns: int) -> list[AnyFact]:
        facts: list[AnyFact] = []
        if fill.instrument_id not in self._instruments:
            facts.append(InstrumentDefined(ts_event_ns=now_ns, ts_init_ns=now_ns, instrument=_instrument(trade)))
        facts.append(fill)
        fee = FeeReported(
            ts_event_ns=trade.ts_ns,
            ts_init_ns=now_ns,
            exec_id=fill.exec_id,
            fee=Money(trade.fee, Currency(trade.fee_currency)),
        )
        return [*facts, fee] if self._orders.is_news(fee) else facts


def _undoes(cancel: FlexTrade, fill: OrderFilled) -> bool:
    if cancel.exec_id:
        return exec_root(ExecId(cancel.exec_id))[0] == exec_root(fill.exec_id)[0]
    is_same = (fill.instrument_id, fill.last_px) == (cancel.con_id, cancel.px)
    return is_same and fill.last_qty in (cancel.qty, Decimal(0)) and fill.ts_event_ns <= cancel.ts_ns


def _instrument(trade: FlexTrade) -> Instrument:
    try:
        security_type = SecurityType(trade.security_type)
    except ValueError:
        raise ConfigError(
            f"execution {trade.exec_id}: {trade.security_type!r} is no kind of security we know"
        ) from None
    derived = security_type in (SecurityType.FUTURE, SecurityType.OPTION, SecurityType.FUTURE_OPTION)
    symbol = trade.underlying if derived and trade.underlying else trade.symbol
    if security_type is SecurityType.FOREX:
        symbol = trade.symbol.partition(".")[0]
    contract = Contract(
        security_type=security_type,
        symbol=symbol,
        currency=Currency(trade.currency),
        expiry=trade.expiry if derived else "",
        strike=Decimal(trade.strike) if trade.right and trade.strike else None,
        right=trade.right if derived else "",
        multiplier=f"{trade.multiplier:f}" if derived else "",
    )
    return Instrument(
        instrument_id=InstrumentId(trade.con_id),
        contract=contract,
        local_symbol=trade.symbol,
        currency=Currency(trade.currency),
        multiplier=trade.multiplier,
    )
