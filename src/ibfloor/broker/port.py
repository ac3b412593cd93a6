"""The broker's door: what the floor needs of a broker, whoever answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ibfloor.execution.doors import OrderDoor
from ibfloor.model.account import AccountReported, BrokerSnapshot, ListedOrder
from ibfloor.model.fact import AnyFact, SessionState
from ibfloor.model.instrument import Contract, Instrument
from ibfloor.model.market import Bar, Halt, MarketBatch
from ibfloor.model.order import OrderRequest, Refusal

FactSink = Callable[[AnyFact], None]
"""Where facts go; safe from any thread, never blocks."""

BatchSink = Callable[[MarketBatch], None]
"""Where market data goes, called on the data session's thread, one immutable batch per packet."""


class Session(Protocol):
    """One connection to the broker under one fixed client id. Owner: one thread and its loop."""

    @property
    def client_id(self) -> int:
        """The fixed id."""

    @property
    def state(self) -> SessionState:
        """Where the connection stands now."""

    async def open(self) -> None:
        """Connect and keep connected until ``close``: reconnects with backoff by itself.

        Returns when the first connection stands; raises ``ConnectivityError`` when it cannot be
        had within the configured time, ``ConfigError`` when trying again is no use (326, not IB).
        """

    async def close(self) -> None:
        """Disconnect for good."""


class OrderSession(Session, OrderDoor, Protocol):
    """A strategy's own way to the broker; every method is called on its thread."""

    recheck: Callable[[OrderRequest], Refusal | None]
    """Asked again when an order that waited for the message budget is about to leave."""

    def sever(self) -> None:
        """Cut the connection for good, from any thread, when the owner's own hangs."""

    def raise_order_id_floor(self, used: int) -> None:
        """Never hand out an id up to ``used`` (the journal's high-water mark) again."""


class MasterSession(Session, Protocol):
    """The account's session (client id 0): sees every order, execution and position."""

    async def snapshot(self) -> BrokerSnapshot:
        """Ask for orders, completed orders, executions (after orders), positions, cash.

        Raises ``ConnectivityError`` when any part does not end in time: a timeout is not an
        empty answer.
        """

    async def open_orders(self) -> tuple[ListedOrder, ...]:
        """Ask for what works now, whoever placed it; raises ``ConnectivityError`` as ``snapshot`` does."""

    def cancel_foreign(self, client_id: int, order_id: int) -> None:
        """Cancel an order typed in by hand; raises ``ConnectivityError`` for another client's."""

    def cancel_everything(self) -> None:
        """Cancel every working order of the account (IB: ``reqGlobalCancel``)."""


class DataSession(Session, Protocol):
    """The floor's one market-data connection; every method is called on the data thread."""

    on_halted: Callable[[Instrument, Halt], None]
    """Told whether an instrument's trading is halted: at every subscription, and as it changes."""

    async def resolve(self, contract: Contract) -> Instrument:
        """Return the one instrument a contract means; raise ``BrokerRejected`` for none or many."""

    def subscribe(self, instrument: Instrument) -> None:
        """Start top-of-book and trades of an instrument; again after every reconnect, by itself."""

    def unsubscribe(self, instrument: Instrument) -> None:
        """Stop an instrument's market data."""

    def is_streaming(self, instrument: Instrument) -> bool:
        """Tell whether the market data is asked for, and was neither refused nor ended by the broker since."""

    async def history(self, instrument: Instrument, *, bar_ns: int, duration_ns: int, end_ns: int | None) -> list[Bar]:
        """Return closed bars, oldest first; raise ``BrokerRejected`` with the broker's text."""


class AccountSink(Protocol):
    """What the master session reports besides facts."""

    def __call__(self, report: AccountReported) -> None:
        """Take the newest account values."""
