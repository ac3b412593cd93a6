"""Whatever clients, market and calendar do: cash and positions follow from executions, fees and moves."""

from __future__ import annotations

import random
import struct
from collections import defaultdict
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pytest

from ibfloor.model.ids import AccountId, InstrumentId
from ibfloor.model.instrument import Instrument, SecurityType
from ibfloor.model.moment import NS_PER_MINUTE, NS_PER_S
from ibfloor.model.money import USD, Currency
from ibfloor.sim.account import SimAccount
from ibfloor.sim.account.book import VARIATION
from ibfloor.sim.gateway.book import book_hash
from ibfloor.sim.gateway.clock import SimClock, market_start_ns
from ibfloor.sim.gateway.codec import requests as ask
from ibfloor.sim.gateway.codec.kinds import Scalar
from ibfloor.sim.gateway.codec.orders import PLACE_ORDER
from ibfloor.sim.gateway.codec.table import Table
from ibfloor.sim.gateway.gateway import Gateway
from ibfloor.sim.gateway.happenings import AccountEvent, Deposit, Dividend, Exercise, Interest, Split
from ibfloor.sim.gateway.marks import mark_of, rates_of
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.gateway.wire import PREAMBLE
from ibfloor.sim.market.generated import GeneratedMarket
from ibfloor.sim.market.listing import WORLD, read_listing
from ibfloor.sim.market.securities import Security, SecurityMaster

EUR = Currency("EUR")
START = Decimal(5_000_000)
CENT = Decimal("0.01")
DAY, LAST_DAY = date(2026, 11, 23), date(2026, 11, 27)  # options end on the second, at 13:00
NAMES = (
    "SPY", "AAPL", "KO", "BAC", "ESZ6", "ESH7", "VXMZ6", "EUR.USD", "GBP.USD", "RY@TSE", "USD.CAD",
    "AAPL  261127C00180000", "AAPL  261127P00185000", "SPY   261127P00445000",
)  # fmt: skip
ORDER_TYPES = ("MKT", "LMT", "STP", "STP LMT", "TRAIL")


def events(day: date) -> tuple[AccountEvent, ...]:
    return (
        Dividend(at=f"{day} 09:36", symbol="KO", amount=Decimal("0.485")),
        Interest(at=f"{day} 09:37", currency=USD, percent=Decimal("4.83"), days=3),
        Interest(at=f"{day} 09:38", currency=EUR, percent=Decimal("2.9"), days=3),
        Split(at=f"{day} 09:40", symbol="BAC", ratio=Decimal(3)),
        Exercise(at=f"{day} 09:44", symbol="AAPL  261127C00180000", qty=Decimal(2)),
        Exercise(at=f"{day} 09:45", symbol="AAPL  261127P00185000", qty=Decimal(-2)),
        Deposit(at=f"{day} 09:46", currency=EUR, amount=Decimal("-1234.56")),
    )


class Client:
    """A connection without a socket: bytes in, and whatever comes out is forgotten."""

    def __init__(self, gateway: Gateway, client_id: int) -> None:
        self.next_id = 1
        self.told = 0
        self._gateway = gateway
        self._session = Session(gateway, self._take, lambda: None)
        hello = b"v157..178"
        self._session.receive(PREAMBLE + struct.pack(">I", len(hello)) + hello)
        self.send(ask.START_API, client_id=client_id)

    def send(self, request: Table, **values: Scalar) -> None:
        self._session.receive(request.layout(178).encode(values))
        self._gateway.flush()

    def _take(self, data: bytes) -> None:
        self.told += len(data)


class RandomSession:
    """Two accounts, three clients, and a day in which everybody does as a seed says."""

    def __init__(self, seed: int, day: date) -> None:
        self._random = random.Random(seed)
        start_ns = market_start_ns(day, "09:31")
        market = GeneratedMarket(seed, start_ns, NAMES, listing=read_listing(WORLD, DAY))
        known = set(market.instrument_ids)
        market.master = SecurityMaster(tuple(one for one in market.master if one.instrument_id in known))
        self.accounts = [
            SimAccount(AccountId(f"DU{n}"), {USD: START, EUR: START}, base_currency=base, session=f"{n:08x}")
            for n, base in ((1, USD), (2, EUR))
        ]
        clock = SimClock(start_ns, is_stepped=True)
        self.gateway = Gateway(market, self.accounts[0], clock, events=events(day))
        self.gateway.broker.add_account(self.accounts[1])
        self._securities = list(market.master)
        self._clients = [Client(self.gateway, n) for n in (1, 2, 3)]
        self._placed: list[tuple[Client, int]] = []

        self._asked: dict[tuple[Client, int], dict[str, Scalar]] = {}

    def marks(self) -> dict[InstrumentId, Decimal]:
        """Return what everything is worth now."""
        market = self.gateway.market
        found = {one.instrument_id: mark_of(market, one.instrument_id) for one in self._securities}
        return {instrument_id: px for instrument_id, px in found.items() if px is not None}

    def digest(self) -> str:
        """Return the book's digest, with what the second account holds."""
        second = [(one.instrument.instrument_id, one.qty, one.avg_cost) for one in self.accounts[1].positions]
        return book_hash(self.gateway.book.report(self.gateway.broker)) + repr((second, self.accounts[1].executions))

    def run(self, actions: int) -> None:
        """Do so many things: place, change, cancel, let time pass."""
        for _ in range(actions):
            what = self._random.random()
            if what < 0.55:
                self._place(None)
            elif what < 0.65 and self._placed:
                self._place(self._random.choice(self._placed))
            elif what < 0.75 and self._placed:
                client, order_id = self._random.choice(self._placed)
                client.send(ask.CANCEL_ORDER, order_id=order_id)
            else:
                self.gateway.advance(self._random.randrange(1, 40 * NS_PER_S))
        self.gateway.advance(NS_PER_MINUTE)

    def _place(self, old: tuple[Client, int] | None) -> None:
        rng = self._random
        if old is None:
            client, security = rng.choice(self._clients), rng.choice(self._securities)
            order_id, client.next_id = client.next_id, client.next_id + 1
            self._placed.append((client, order_id))
            self._asked[client, order_id] = self._order(security)
        else:
            client, order_id = old
            self._asked[old] = {**self._asked[old], "total_qty": Decimal(rng.randrange(1, 20))}
        client.send(PLACE_ORDER, order_id=order_id, **self._asked[client, order_id])

    def _order(self, security: Security) -> dict[str, Scalar]:
        rng = self._random
        kind = security.instrument.contract.security_type
        mark = mark_of(self.gateway.market, security.instrument_id)
        assert mark is not None
        tick = security.tick_at(mark)
        lot = security.instrument.lot_size
        unit = {SecurityType.STOCK: 20, SecurityType.FOREX: 25_000}.get(kind, 1)
        px = max(tick, (mark / tick).quantize(Decimal(1)) * tick + rng.randrange(-6, 7) * tick)
        order_type = rng.choice(ORDER_TYPES)
        return {
            "con_id": int(security.instrument_id),
            "exchange": security.instrument.exchange,
            "action": rng.choice(("BUY", "SELL")),
            "total_qty": max(lot, rng.randrange(1, 20) * unit // lot * lot),
            "order_type": order_type,
            "lmt_price": px if "LMT" in order_type else None,
            "aux_price": None if order_type in ("MKT", "LMT") else (3 * tick if order_type == "TRAIL" else px),
            "tif": rng.choice(("DAY", "GTC", "IOC")) if order_type in ("MKT", "LMT") else "DAY",
            "transmit": True,
            "account": rng.choice(self.accounts).account,
        }


def reckoned(account: SimAccount) -> tuple[dict[Currency, Decimal], dict[InstrumentId, Decimal]]:
    """Return cash and holdings as executions and moves alone say; futures at what they cost."""
    cash: defaultdict[Currency, Decimal] = defaultdict(Decimal, {USD: START, EUR: START})
    held: defaultdict[InstrumentId, Decimal] = defaultdict(Decimal)

    def take(instrument: Instrument, qty: Decimal, px: Decimal) -> None:
        held[instrument.instrument_id] += qty
        cash[instrument.currency] -= qty * px * instrument.multiplier
        if instrument.contract.security_type is SecurityType.FOREX:
            cash[Currency(instrument.contract.symbol)] += qty

    for execution in account.executions:
        take(execution.instrument, execution.side.sign * execution.qty, execution.px)
        cash[execution.currency] -= execution.commission
    for move in account.moves:
        if move.instrument is not None:
            take(move.instrument, move.qty, move.px)
        if move.kind != VARIATION:
            cash[move.currency] += move.amount
    return cash, held


def check(account: SimAccount, session: RandomSession) -> None:
    cash, held = reckoned(account)
    assert {one.instrument.instrument_id: one.qty for one in account.positions} == held
    owed: defaultdict[Currency, Decimal] = defaultdict(Decimal)
    for one in account.positions:
        if one.instrument.contract.security_type is SecurityType.FUTURE:
            # a future's cost is no cash: what it has gained and was paid is
            owed[one.instrument.currency] += one.entry_value + one.settled
    for currency, amount in account.cash.items():
        assert (amount - owed[currency]).quantize(CENT) == cash[currency].quantize(CENT), currency
    equity = equity_of(account, session, cash, held)
    (told,) = (
        value
        for key, value, _ in account.values(session.marks(), rates_of(session.gateway.market, account.base_currency))
        if key == "NetLiquidation"
    )
    assert Decimal(told) == equity


def equity_of(
    account: SimAccount, session: RandomSession, cash: dict[Currency, Decimal], held: dict[InstrumentId, Decimal]
) -> Decimal:
    """Return what an account is worth by the executions, in its base currency."""
    rates, marks = rates_of(session.gateway.market, account.base_currency), session.marks()
    worth = sum((amount * rates[currency] for currency, amount in cash.items()), Decimal(0))
    for one in session.gateway.market.master:
        if one.instrument.contract.security_type is not SecurityType.FOREX:
            qty = held.get(one.instrument_id, Decimal(0))
            if qty:
                value = qty * marks[one.instrument_id] * one.instrument.multiplier
                worth += value * rates[one.instrument.currency]
    return worth.quantize(CENT, rounding=ROUND_HALF_UP)


def session_of(seed: int, actions: int, day: date = DAY, hours_after: int = 0) -> RandomSession:
    session = RandomSession(seed, day)
    session.run(actions)
    for _ in range(hours_after):
        session.gateway.advance(60 * NS_PER_MINUTE)
    return session


def check_twice(seed: int, actions: int, day: date, hours_after: int, moves: set[str]) -> None:
    first, second = (session_of(seed, actions, day, hours_after) for _ in range(2))
    assert {move.kind for account in first.accounts for move in account.moves} >= moves
    assert sum(len(account.executions) for account in first.accounts) > actions / 5
    kinds = {execution.instrument.contract.security_type for each in first.accounts for execution in each.executions}
    assert kinds >= {SecurityType.STOCK, SecurityType.FUTURE, SecurityType.FOREX, SecurityType.OPTION}
    for account in first.accounts:
        check(account, first)
    assert first.digest() == second.digest()


def test_a_short_session_reconciles_to_the_cent_and_repeats() -> None:
    check_twice(7, 300, DAY, 0, {"dividend", "interest", "split", "deposit"})
    assert session_of(8, 50).digest() != session_of(9, 50).digest()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_long_session_reconciles_to_the_cent_and_repeats(seed: int) -> None:
    check_twice(seed, 5000, LAST_DAY, 8, {"interest", "split", "exercise", "expiry", VARIATION})
