"""Property: what the tables write, real clients read as the same values, in every version they speak."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from ib_async.decoder import Decoder
from ib_async.wrapper import Wrapper

from ibfloor.sim.gateway.codec.kinds import BOOL, COUNT, INT, TEXT, Values
from ibfloor.sim.gateway.codec.responses import RESPONSES
from ibfloor.sim.gateway.codec.table import Block, Field, Item, Rows, Table
from ibfloor.sim.gateway.wire import split_fields

pytestmark = pytest.mark.slow

ECHO = Path(__file__).with_name("echo.py")
_CODE = runpy.run_path(str(ECHO))
plain, collect, names_of = _CODE["plain"], _CODE["collect"], _CODE["names_of"]
ROUNDS = 6
VERSIONS = (157, 176, 178, 187, 200)
"""The versions that differ for some client; a build reads all up to its newest."""
_UNSET = {None, "", 0, "0", "2147483647", "1.7976931348623157e+308", 2147483647, 1.7976931348623157e308, "None"}

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "account": ("acctNumber", "accountName", "accountID"),
    "accounts": ("accountsList",),
    "ask": ("askPrice", "priceAsk"),
    "ask_size": ("sizeAsk",),
    "attributes": ("tickAttrib",),
    "bid": ("bidPrice", "priceBid"),
    "bid_size": ("sizeBid",),
    "bit": ("bitNumber",),
    "brand": ("whiteBrandingId",),
    "client_id": ("apiClientId",),
    "code": ("errorCode", "familyCodeStr"),
    "combo_legs_text": ("comboLegsDescrip",),
    "commission": ("commissionAndFees",),
    "commission_currency": ("commissionAndFeesCurrency",),
    "conditions": ("specialConditions",),
    "count": ("barCount",),
    "daily": ("dailyPnL",),
    "day": ("refDate",),
    "delta_neutral_contract": ("conId",),
    "delta_neutral_delta": ("delta",),
    "delta_neutral_px": ("price",),
    "end": ("endDateTime",),
    "exchange": ("exch",),
    "exec_exchange": ("exchange",),
    "expiry": ("lastTradeDateOrContractMonth", "expirations"),
    "filled_qty": ("filledQuantity",),
    "implied_volatility": ("impliedVol",),
    "key": ("tag",),
    "legs": ("legsStr",),
    "letter": ("exchangeLetter",),
    "listing_exchange": ("listingExch",),
    "market_cap_price": ("mktCapPrice",),
    "max_commission": ("maxCommissionAndFees",),
    "mid": ("midPoint",),
    "min_commission": ("minCommissionAndFees",),
    "model": ("modelCode",),
    "order_id": ("apiOrderId", "reqId"),
    "perm_id": ("reqId",),
    "position": ("pos", "posSize"),
    "px": ("optPrice",),
    "reason_id": ("id",),
    "realized": ("realizedPnL",),
    "reject_json": ("advancedOrderRejectJson",),
    "req_id": ("requestId", "tickerId"),
    "rule_id": ("marketRuleId",),
    "sec_type": ("derivativeSecTypes",),
    "service": ("serviceDataType",),
    "shown": ("displayName",),
    "size": ("count",),
    "soft_dollar_name": ("name",),
    "soft_dollar_shown": ("displayName",),
    "soft_dollar_value": ("val",),
    "start": ("startDateTime",),
    "strike": ("strikes",),
    "suggested_size": ("suggestedSizeIncrement",),
    "text": ("errorString", "description"),
    "time": ("headTimestamp", "timeStamp"),
    "time_ms": ("errorTime", "timeInMillis"),
    "time_s": ("time",),
    "time_zone": ("timeZoneId",),
    "total_qty": ("totalQuantity",),
    "type": ("tickType", "marketDataType", "marketDataId"),
    "under_con_id": ("underlyingConId",),
    "under_px": ("undPrice",),
    "unrealized": ("unrealizedPnL",),
    "value": ("val", "price", "percent", "time"),
    "wap": ("average",),
    "yield_date": ("yieldRedemptionDate",),
}
"""What clients call a field, where it is not what the table calls it."""
UNTOLD: dict[str, set[str]] = {
    "contract_details": {"md_size_multiplier"},  # ib_async drops it
    "open_order": {
        *("kind", "conjunction", "continuous_update", "has_delta_neutral", "shares_allocation", "use_price_mgmt_algo"),
        *("e_trade_only", "firm_quote_only", "nbbo_price_cap", "fa_profile"),  # newer builds have dropped them
    },
    "completed_order": {"fa_profile", "kind", "conjunction", "continuous_update", "has_delta_neutral"},
    "exec_details": {"time"},  # ib_async makes a datetime of it
    "historical_ticks": {"reserved", "is_done", "time_s"},
    "historical_ticks_bid_ask": {"mask", "is_done", "time_s"},
    "historical_ticks_last": {"mask", "is_done", "time_s"},
    "market_depth_l2": {"is_smart"},
    "tick_by_tick": {"mask", "kind"},
    "tick_price": {"attributes", "size"},  # the official client tells the size by another call, if at all
}
"""Fields that some client reads and drops, or turns into something else."""
UNKNOWN = {
    "9.81.1.post1": {"historical_data_end", "historical_schedule", "user_info", "current_time_millis"},
    "10.19.4": {"historical_data_end", "current_time_millis"},
}
"""Messages that are newer than a build."""
UNKNOWN_TO_IB_ASYNC = {"historical_data_end", "current_time_millis"}


def whole_values(items: Sequence[Item], random: Random) -> dict[str, Any]:
    """Return values for every field there may be, of the kind that every build can read."""
    values: dict[str, Any] = {}
    for item in items:
        if isinstance(item, Rows):
            values[item.name] = [whole_values(item.items, random) for _ in range(random.randrange(1, 3))]
        elif isinstance(item, Block):
            if item.when(values):
                values.update(whole_values(item.items, random))
        elif not item.constant:
            values.setdefault(item.name, _value(item, random))
    return values


def _value(field: Field, random: Random) -> Any:
    if field.name == "kind":
        return random.choice([1, 3, 4] if field.kind is COUNT else ["Last"])
    if field.name in ("time", "date", "completed_time"):
        return f"20131007 {random.randrange(10, 24)}:00:00 US/Eastern"
    if field.name in ("expiry", "last_trade_date"):
        return f"201312{random.randrange(10, 28)}"
    if field.name == "yield_date":
        return str(random.randrange(20130101, 20131231))
    if field.name.endswith("time_s"):
        return random.randrange(10**9, 2 * 10**9)
    if field.kind is TEXT:
        return "".join(random.choices("ABCDEFGHJKLM", k=7))
    if field.kind is BOOL:
        return random.random() < 0.5
    if field.kind in (INT, COUNT):
        return random.randrange(1, 2**30)
    return Decimal(random.randrange(1, 2**30))


def written(items: Sequence[Item], values: Values, version: int) -> Iterator[tuple[str, Any]]:
    """Yield name and value of every field on the wire in a version, rows one after another."""
    for item in items:
        if not item.since <= version <= item.until:
            continue
        if isinstance(item, Field):
            if not item.constant:
                yield item.name, values[item.name]
        elif isinstance(item, Rows):
            for row in values[item.name]:  # type: ignore[union-attr]
                yield from written(item.items, row, version)  # type: ignore[arg-type]
        elif item.when(values):
            yield from written(item.items, values, version)


def is_same(told: Any, got: Any) -> bool:
    if told is None:
        return got in _UNSET
    if isinstance(told, bool | int | Decimal) and str(got) not in ("", "None"):
        if str(got) in ("True", "False"):
            got = str(got) == "True"
        try:
            return abs(float(told) - float(got)) < 1e-6
        except ValueError:
            return False
    return str(told) == str(got)


def lost(table: Table, values: dict[str, Any], version: int, heard: dict[str, list[Any]]) -> list[str]:
    """Return the fields whose values a client did not read as they were written."""
    missing = []
    rest = {name: list(found) for name, found in heard.items()}
    pairs = dict.fromkeys(written(table.items, values, version))  # a field may stand twice in an order
    for name, value in pairs:
        if name in UNTOLD.get(table.name, ()):
            continue
        names = [plain(one) for one in (name, *OTHER_NAMES.get(name, ()))]
        for known in names:
            hit = next((n for n, got in enumerate(rest.get(known, ())) if is_same(value, got)), None)
            if hit is not None:
                del rest[known][hit]
                break
        else:
            missing.append(f"{name}={value!r}: {[rest[one] for one in names if one in rest]}")
    return missing


class Ear:
    """Stands where ib_async's wrapper stands; keeps what its methods are called with."""

    class _Ib:
        TimezoneTWS = ""

    def __init__(self) -> None:
        self.ib = self._Ib()
        self.defaultTimezone = UTC
        self.heard: dict[str, list[Any]] = {}
        self.calls = 0

    def __getattr__(self, name: str) -> Callable[..., None]:
        names = names_of(getattr(Wrapper, name))

        def keep(*args: object) -> None:
            self.calls += 1
            collect(self.heard, names, args)

        return keep


@pytest.mark.parametrize("table", RESPONSES.values(), ids=lambda table: table.name)
def test_ib_async_reads_every_message_as_it_was_written(table: Table) -> None:
    for seed in range(ROUNDS):
        for version in (157, 176, 178):
            values = whole_values(table.items, Random(seed))
            ear: Any = Ear()
            decoder: Any = Decoder(ear, version)
            assert (table.message_id in decoder.handlers) is (table.name not in UNKNOWN_TO_IB_ASYNC)
            if table.name in UNKNOWN_TO_IB_ASYNC:
                continue
            decoder.handlers[table.message_id](split_fields(table.layout(version).encode(values)[4:]))
            assert lost(table, values, version, ear.heard) == [], f"version {version}, seed {seed}"
            assert ear.calls, f"version {version}, seed {seed}: nobody heard of it"


def test_an_official_client_reads_every_message_as_it_was_written(
    build: str, version_of: dict[str, int], judge_env: Callable[[str], dict[str, str]]
) -> None:
    cases = [
        (table, version, whole_values(table.items, Random(seed)))
        for version in VERSIONS
        if version <= version_of[build]
        for table in RESPONSES.values()
        for seed in range(ROUNDS)
    ]
    lines = [
        json.dumps({"version": version, "fields": split_fields(table.layout(version).encode(values)[4:])})
        for table, version, values in cases
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(ECHO)],
        input="\n".join(lines),
        env=judge_env(build),
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    flaws: dict[str, Any] = {}
    read = {
        (table.name, version) for (table, version, _), answer in zip(cases, answers, strict=True) if answer.get("calls")
    }
    known = [table.name for table in RESPONSES.values() if table.name not in UNKNOWN.get(build, ())]
    assert read == {(name, version) for name in known for version in VERSIONS if version <= version_of[build]}
    for (table, version, values), answer in zip(cases, answers, strict=True):
        if table.name in UNKNOWN.get(build, ()):
            continue
        flaw = answer.get("error") or lost(table, values, version, answer["heard"])
        if flaw:
            flaws.setdefault(f"{table.name} at {version}", flaw)
    assert flaws == {}
