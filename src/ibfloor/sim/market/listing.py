"""Securities beside the default list, read from a TOML file: ``world.toml`` shows the form.

Names in ``follows`` and ``underlying``: a symbol of the default list, or of the file a local symbol
(``GBP.USD``), a stock as ``SAP@IBIS``, an index by its symbol.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import msgspec

from ibfloor.model.errors import ConfigError
from ibfloor.sim.market.builders import forex_of, futures_of, index_of, option_of, stock_of
from ibfloor.sim.market.entries import Motion, OptionsEntry, SecuritiesFile
from ibfloor.sim.market.expiries import EXPIRIES, option_days
from ibfloor.sim.market.profiles import PROFILES
from ibfloor.sim.market.rules import RULES
from ibfloor.sim.market.securities import STOCKS, Security, SecurityMaster
from ibfloor.sim.market.sessions import SESSIONS

WORLD = Path(__file__).with_name("world.toml")
"""The list that comes with the simulator: venues, futures, options, currencies, indices."""
_MOVING = ("stock", "future", "forex", "index")
_NUMBERS = (
    ("future", "tick"), ("future", "multiplier"), ("forex", "tick"), ("index", "tick"), ("options", "step"),
)  # fmt: skip


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A security and how it moves; an option has its chain's entry and its underlying's name."""

    name: str
    security: Security
    motion: Motion
    chain: OptionsEntry | None = None


class Listing(msgspec.Struct, frozen=True):
    """What a file lists, in its order."""

    listed: tuple[Listed, ...] = ()

    def master_with(self, master: SecurityMaster) -> SecurityMaster:
        """Return a master that knows these too; raise ``ConfigError`` when two have one contract id."""
        known = {security.instrument_id: security.name for security in master}
        for one in self.listed:
            con_id = one.security.instrument_id
            if con_id in known:
                raise ConfigError(f"{one.name} and {known[con_id]} have the same con_id {con_id}: give another one")
            known[con_id] = one.name
        return SecurityMaster((*master, *(one.security for one in self.listed)))


def read_listing(path: Path, market_day: date) -> Listing:
    """Return what a file lists on a market day; raise ``ConfigError`` with the file and the key."""
    path = WORLD if str(path) == "world" else path
    try:
        entries = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), SecuritiesFile)
    except OSError as error:
        raise ConfigError(f"cannot read the securities in {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is no TOML file: {error}") from error
    except msgspec.ValidationError as error:
        tables = ", ".join(f"[[{name}]]" for name in SecuritiesFile.__struct_fields__)
        tables = f"; it has the tables {tables}" if "unknown field" in str(error) and "at `" not in str(error) else ""
        raise ConfigError(f"{path}: {error}{tables}") from error
    for where, flaw in _flaws(entries):
        raise ConfigError(f"{path}: {where}: {flaw}")
    plain = list(_plain(entries, market_day))
    known = {one.name: one.security for one in plain} | {one.symbol: one for one in STOCKS}
    for where, flaw in _bad_names(entries, set(known)):
        raise ConfigError(f"{path}: {where}: {flaw}")
    options = [one for chain in entries.options for one in _chain(chain, known[chain.underlying], market_day)]
    return Listing((*plain, *options))


def _plain(entries: SecuritiesFile, day: date) -> Iterator[Listed]:
    for stock in entries.stock:
        yield Listed(name=f"{stock.symbol}@{stock.exchange}", security=stock_of(stock), motion=stock)
    for pair in entries.forex:
        yield Listed(name=pair.pair, security=forex_of(pair), motion=pair)
    for index in entries.index:
        yield Listed(name=index.symbol, security=index_of(index), motion=index)
    indices = {index.symbol: index_of(index).instrument_id for index in entries.index}
    for future in entries.future:
        for n, security in enumerate(futures_of(future, day, indices)):
            moves = {name: beta * future.far_beta**n for name, beta in (future.follows or {}).items()}
            yield Listed(name=security.name, security=security, motion=msgspec.structs.replace(future, follows=moves))


def _chain(entry: OptionsEntry, underlying: Security, day: date) -> Iterator[Listed]:
    motion = Motion(px=1.0, quote_qty=20, volume=200, quotes_per_minute=8, prints_per_minute=1)
    for last_day in option_days(day, entry.weeks, entry.months):
        for security in option_of(entry, underlying, last_day):
            yield Listed(name=security.name, security=security, motion=motion, chain=entry)


def _flaws(entries: SecuritiesFile) -> Iterator[tuple[str, str]]:
    for kind in _MOVING:
        for n, one in enumerate(getattr(entries, kind)):
            if not one.px > 0:
                yield f"{kind}[{n}].px", f"{one.px:g} is not above zero"
            if one.own_bp < 0 or one.volume < 0 or one.quote_qty < 1 or one.quotes_per_minute < 4:
                yield (
                    f"{kind}[{n}]",
                    "own_bp and volume cannot be negative, quote_qty is at least 1, quotes_per_minute 4",
                )
            if getattr(one, "session", "forex") not in SESSIONS:
                yield f"{kind}[{n}].session", f"{one.session!r} is not known: take one of {', '.join(SESSIONS)}"
    for kind in ("stock", "options"):
        for n, one in enumerate(getattr(entries, kind)):
            if one.rule not in RULES:
                yield f"{kind}[{n}].rule", f"{one.rule!r} is not known: take one of {', '.join(RULES)}"
    for kind, key in _NUMBERS:
        for n, one in enumerate(getattr(entries, kind)):
            if not _is_positive(getattr(one, key)):
                yield f"{kind}[{n}].{key}", f'{getattr(one, key)!r} is not a number above zero, written as "0.25"'
    for n, future in enumerate(entries.future):
        if future.expires not in EXPIRIES:
            yield f"future[{n}].expires", f"{future.expires!r} is not known: take one of {', '.join(EXPIRIES)}"
    for n, pair in enumerate(entries.forex):
        base, _, quote = pair.pair.partition(".")
        if not (len(base) == len(quote) == 3 and pair.pair.isupper()):
            yield f"forex[{n}].pair", f"{pair.pair!r} is not a pair such as USD.JPY"


def _bad_names(entries: SecuritiesFile, known: set[str]) -> Iterator[tuple[str, str]]:
    for kind in _MOVING:
        for n, one in enumerate(getattr(entries, kind)):
            for name in one.follows or {}:
                if name not in known | PROFILES.keys():
                    yield f"{kind}[{n}].follows", f"{name!r} is neither in the default list nor in this file"
    for n, chain in enumerate(entries.options):
        if chain.underlying not in known:
            yield f"options[{n}].underlying", f"{chain.underlying!r} is neither a default stock nor in this file"
    follows = {
        (f"{one.symbol}@{one.exchange}" if kind == "stock" else getattr(one, "pair", "") or one.symbol): one.follows
        for kind in ("stock", "forex", "index")
        for one in getattr(entries, kind)
    }
    for name in follows:
        if _reaches(name, name, follows, set()):
            yield "follows", f"{name!r} follows itself"


def _reaches(name: str, wanted: str, follows: dict[str, dict[str, float] | None], seen: set[str]) -> bool:
    for other in follows.get(name) or {}:
        if other == wanted:
            return True
        if other not in seen and _reaches(other, wanted, follows, seen | {other}):
            return True
    return False


def _is_positive(text: str) -> bool:
    return text.replace(".", "", 1).isascii() and text.replace(".", "", 1).isdigit() and float(text) > 0


def market_day_of(text: str) -> date:
    """Return a day written as ``YYYYMMDD``."""
    return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
