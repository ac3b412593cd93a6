"""Dated events of a simulation, read from a TOML file: to the tape, and to the accounts.

    [[event]]
    kind = "halt"                 # gap, locked, crossed: see sim.market.plan
    symbol = "AAPL"
    at = "2013-10-09 10:05"       # New York time
    minutes = 5

    [[event]]
    kind = "dividend"             # split, interest, exercise, deposit
    symbol = "KO"
    at = "2013-10-10 09:00"
    amount = "0.28"

A split moves the tape too: every price from then on is divided by the ratio, and bars of before are
told in new shares. Options on the stock keep their strikes.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from ibfloor.model.errors import ConfigError
from ibfloor.model.moment import NS_PER_S
from ibfloor.model.money import Currency
from ibfloor.sim.faults import Fault, When
from ibfloor.sim.faults import actions as do
from ibfloor.sim.market.plan import MarketEvent, MarketEventKind, event_time_ns


class _Dated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    at: str
    """``2013-10-09 10:05``, New York time."""

    @property
    def at_ns(self) -> int:
        """Return when it is due; raise ``ConfigError`` for a time that is none."""
        return event_time_ns(self.at)


class Dividend(_Dated, frozen=True, kw_only=True, tag="dividend"):
    """Cash for every share held, from every share short."""

    symbol: str
    amount: Decimal


class Split(_Dated, frozen=True, kw_only=True, tag="split"):
    """So many shares for one; below 1 it is a reverse split."""

    symbol: str
    ratio: Decimal


class Interest(_Dated, frozen=True, kw_only=True, tag="interest"):
    """Interest on a currency's cash, long or short."""

    currency: Currency
    percent: Decimal
    days: int = 1


class Exercise(_Dated, frozen=True, kw_only=True, tag="exercise"):
    """Exercise of held options, assignment of written ones (``qty`` below 0); capped at what is held."""

    symbol: str
    qty: Decimal


class Deposit(_Dated, frozen=True, kw_only=True, tag="deposit"):
    """Cash from outside, or out of the account."""

    currency: Currency
    amount: Decimal


AccountEvent = Dividend | Split | Interest | Exercise | Deposit


class Happenings(msgspec.Struct, frozen=True):
    """What a file says will happen."""

    market: tuple[MarketEvent, ...] = ()
    accounts: tuple[AccountEvent, ...] = ()


def read_happenings(path: Path) -> Happenings:
    """Return what a file says; raise ``ConfigError`` with the file and the key."""
    try:
        text = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the events in {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if text.keys() - {"event"} or not isinstance(text.get("event", []), list):
        raise ConfigError(f"{path}: {', '.join(text)}: an events file has tables [[event]] alone")
    events = [_event(path, n, entry) for n, entry in enumerate(text.get("event", []))]
    accounts = [event for event in events if not isinstance(event, MarketEvent)]
    return Happenings(
        (*(event for event in events if isinstance(event, MarketEvent)), *_gaps(accounts)),
        tuple(sorted(accounts, key=lambda event: event.at_ns)),
    )


def halts_of(events: Sequence[MarketEvent], now_ns: int) -> tuple[Fault, ...]:
    """Return what tells clients of the dated halts that are still to come, and keeps orders from trading."""
    due = [event for event in events if event.kind is MarketEventKind.HALT and event.start_ns >= now_ns]
    return tuple(
        Fault(
            name=f"halt {event.symbol} {event.at}",
            what=do.Halt(symbol=event.symbol, for_s=event.minutes * 60.0),
            when=When(market_s=(event.start_ns - now_ns) / NS_PER_S),
        )
        for event in due
    )


def read_happening(text: str) -> AccountEvent:
    """Return one event of the accounts from JSON, for a gateway that runs; its time is now.

    Raises ``ConfigError`` for one that makes no sense.
    """
    try:
        fields = msgspec.json.decode(text, type=dict[str, Any])
        event: AccountEvent = msgspec.convert({"at": "", **fields}, AccountEvent, strict=False)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{text}: {error}") from error
    if flaw := _flaw(event):
        raise ConfigError(f"{text}: {flaw}")
    return event


def _event(path: Path, n: int, entry: Any) -> MarketEvent | AccountEvent:
    kind = entry.get("kind") if isinstance(entry, dict) else None
    wanted: Any = MarketEvent if kind in set(MarketEventKind) else AccountEvent
    try:
        event: MarketEvent | AccountEvent = msgspec.convert(entry, wanted)
        event_time_ns(event.at)
        flaw = event.flaw() if isinstance(event, MarketEvent) else _flaw(event)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: event[{n}]: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: event[{n}]: {error}") from None
    if flaw:
        raise ConfigError(f"{path}: event[{n}]: {flaw}")
    return event


def _flaw(event: AccountEvent) -> str:
    match event:
        case Split() if event.ratio <= 0:
            return f"ratio is {event.ratio}: take a number above zero"
        case Interest() if event.days < 1:
            return f"days is {event.days}: take 1 or more"
        case Exercise() if not event.qty:
            return "qty is 0: above zero exercises, below zero assigns"
        case _:
            return ""


def _gaps(events: list[AccountEvent]) -> Iterator[MarketEvent]:
    for event in events:
        if isinstance(event, Split):
            percent = float((1 / event.ratio - 1) * 100)
            yield MarketEvent(
                kind=MarketEventKind.GAP,
                symbol=event.symbol,
                at=event.at,
                percent=percent,
                split_ratio=float(event.ratio),
            )
