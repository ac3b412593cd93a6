"""Write docs/gateway-messages.md from the message tables, and from what the gateway says to each kind of order."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from ibfloor.model.ids import AccountId
from ibfloor.model.money import USD
from ibfloor.sim.account import SimAccount
from ibfloor.sim.faults.presets import PRESETS
from ibfloor.sim.gateway.clock import SimClock, market_start_ns
from ibfloor.sim.gateway.codec.kinds import Scalar, Values
from ibfloor.sim.gateway.codec.orders import PLACE_ORDER
from ibfloor.sim.gateway.codec.requests import REQUESTS
from ibfloor.sim.gateway.codec.responses import RESPONSES
from ibfloor.sim.gateway.codec.table import NEWEST, Block, Item, Rows, Table
from ibfloor.sim.gateway.gateway import Gateway
from ibfloor.sim.gateway.lab import LAB_DAY
from ibfloor.sim.gateway.refusal_desk import REFUSED, UNANSWERED
from ibfloor.sim.gateway.scripted import ScriptedMarket
from ibfloor.sim.gateway.session import Session
from ibfloor.sim.gateway.ticket_fields import BY_TYPE, CARRIED, CONTRACT, TERMS, UNDER
from ibfloor.sim.gateway.ticket_fields import REFUSED as REFUSED_FIELDS
from ibfloor.sim.gateway.wire import PREAMBLE, SERVER_VERSION_MAX, SERVER_VERSION_MIN, split_fields

PAGE = Path(__file__).resolve().parents[1] / "docs" / "gateway-messages.md"
VERSION = SERVER_VERSION_MAX
HEAD = f"""\
# What the simulated gateway speaks

Written by `scripts/gateway_reference.py` from the message tables in `src/ibfloor/sim/gateway/codec/` and from what the
gateway answers to an order of each kind; change those, then run it again. How to use it: [gateway.md](gateway.md).

A connection speaks the older of the client's newest version and {SERVER_VERSION_MAX}, at least {SERVER_VERSION_MIN}.
All of it is text; protobuf, which newer clients speak with newer servers, is never asked of them.

- **supported**: answered with what IB answers.
- **refused as IB**: answered with IB's own error, always, as for a private account without that permission.
- **silent**: IB does not answer it either.
- **absent**: the gateway does not have it; a client that asks is told so by an error.
"""
FIELDS_HEAD = """
## Fields

In order, without id and length. `158+` and `–189` name the versions that have a field. `{…}` stands only where an
earlier field asks for it, `n × (…)` is a count and that many rows, `v` a number that is always the same.
"""
ABSENT_REQUESTS = (
    (106, "cancelContractData", "newer than version 200"),
    (107, "cancelHistoricalTicks", "newer than version 200"),
    (108, "reqConfig", "newer than version 200"),
    (109, "updateConfig", "newer than version 200"),
)
ABSENT_RESPONSES = (
    (14, "news bulletin", "no bulletin is ever issued"),
    (16, "advisor data", "refused"),
    (18, "bond contract details", "no bonds are listed"),
    (47, "exchange for physical tick", "no such contracts are listed"),
    (51, "fundamental data", "refused"),
    (56, "delta neutral validation", "no such orders"),
    (65, "verify message", "refused"),
    (66, "verify completed", "refused"),
    (67, "display group list", "refused"),
    (68, "display group updated", "refused"),
    (69, "verify and authenticate", "refused"),
    (70, "verify and authenticate completed", "refused"),
    (83, "news article", "refused"),
    (84, "news tick", "no news"),
    (86, "historical news", "no news; the list ends at once"),
    (91, "reroute market data", "no contracts for difference are listed"),
    (92, "reroute market depth", "no contracts for difference are listed"),
    (103, "replace advisor data end", "refused"),
    (104, "event calendar meta data", "refused"),
    (105, "event calendar", "refused"),
)
Sent = Scalar | Sequence[Values]
_LMT: dict[str, Sent] = {"order_type": "LMT", "lmt_price": Decimal("167.50")}
_PRICE: Values = {"kind": 1, "is_more": True, "value": 480, "con_id": 265598, "exchange": "SMART"}
_HEDGE: dict[str, Sent] = {"hedge_type": "P", "hedge_param": "2", "total_qty": 0}
_LATER = "20131007 15:00:00 US/Eastern"
ORDER_TYPES: dict[str, tuple[str, dict[str, Sent]]] = {
    "MKT": ("market", {}),
    "LMT": ("limit", _LMT),
    "STP": ("stop", {"aux_price": 170}),
    "STP LMT": ("stop limit", {"aux_price": 170, "lmt_price": 171}),
    "TRAIL": ("trailing stop", {"aux_price": 1}),
    "TRAIL LIMIT": ("trailing stop limit", {"aux_price": 1, "trail_stop_price": 170, "lmt_price_offset": 1}),
    "MIT": ("market if touched", {"aux_price": 167}),
    "LIT": ("limit if touched", {"aux_price": 167, "lmt_price": 167}),
    "MTL": ("market to limit", {}),
    "MOC": ("market on close", {}),
    "LOC": ("limit on close", {"lmt_price": 167}),
    "REL": ("relative, pegged to primary", {"aux_price": Decimal("0.01"), "lmt_price": 169}),
    "PEG MKT": ("pegged to market", {"aux_price": Decimal("0.01")}),
    "PEG MID": ("pegged to midpoint", {"aux_price": Decimal("0.01")}),
    "PEG BEST": ("pegged to best", {"lmt_price": 169}),
    "PEG BENCH": ("pegged to benchmark", {}),
    "PEG STK": ("pegged to stock", {}),
    "MIDPRICE": ("midprice", {"lmt_price": 169}),
    "SNAP MKT": ("snap to market", {}),
    "SNAP MID": ("snap to midpoint", {}),
    "SNAP PRIM": ("snap to primary", {}),
    "PASSV REL": ("passive relative", {"aux_price": Decimal("0.01")}),
    "TRAIL MIT": ("trailing market if touched", {"aux_price": 1}),
    "TRAIL LIT": ("trailing limit if touched", {"aux_price": 1, "lmt_price_offset": 1}),
    "MKT PRT": ("market with protection", {}),
    "STP PRT": ("stop with protection", {"aux_price": 170}),
    "BOX TOP": ("box top", {}),
    "VOL": ("volatility", {"volatility": Decimal("0.2")}),
}
TIMES: dict[str, tuple[str, dict[str, Sent]]] = {
    "DAY": ("until the session ends", _LMT),
    "GTC": ("until canceled", _LMT),
    "GTD": ("until a time", {**_LMT, "good_till_date": _LATER}),
    "IOC": ("at once or not", _LMT),
    "FOK": ("whole at once or not", _LMT),
    "OPG": ("at the opening", {**_LMT, "order_type": "MKT"}),
    "DTC": ("day until canceled", _LMT),
    "AUC": ("in the auction", _LMT),
    "GTX": ("until crossing", _LMT),
}
ATTRIBUTES: dict[str, tuple[str, dict[str, Sent]]] = {
    "ocaGroup": ("one cancels all, types 1 to 3", {**_LMT, "oca_group": "one", "oca_type": 1}),
    "outsideRth": ("outside regular hours", {**_LMT, "outside_rth": True}),
    "goodAfterTime": ("not before a time", {**_LMT, "good_after_time": _LATER}),
    "allOrNone": ("whole or not at all", {**_LMT, "all_or_none": True}),
    "minQty": ("at least so many at first", {**_LMT, "min_qty": 5}),
    "whatIf": ("margin and fee, nothing placed", {**_LMT, "what_if": True}),
    "transmit=False": ("held until transmitted", {**_LMT, "transmit": False}),
    "algoStrategy=Adaptive": ("adaptive algorithm", {**_LMT, "algo_strategy": "Adaptive"}),
    "algoStrategy=Twap": ("time-weighted algorithm", {**_LMT, "algo_strategy": "Twap"}),
    "algoStrategy=Vwap": ("volume-weighted algorithm", {**_LMT, "algo_strategy": "Vwap"}),
    "conditions": ("price, time, margin, execution, volume, change; and, or", {**_LMT, "conditions": [_PRICE]}),
    "conditionsCancelOrder": (
        "canceled when they are met",
        {**_LMT, "conditions": [_PRICE], "conditions_cancel_order": True},
    ),
    "hidden": ("trades after all that is displayed", {**_LMT, "hidden": True}),
    "displaySize": ("iceberg", {**_LMT, "display_size": 5}),
    "discretionaryAmt": ("takes more than its limit", {**_LMT, "discretionary_amt": Decimal("0.05")}),
    "cashQty": ("quantity in money", {**_LMT, "total_qty": 0, "cash_qty": 2000}),
    "scalePriceIncrement": ("scale order", {**_LMT, "scale_init_level_size": 5, "scale_price_increment": 1}),
    "scaleProfitOffset": (
        "scale order that takes profits",
        {**_LMT, "scale_init_level_size": 5, "scale_price_increment": 1, "scale_profit_offset": 1},
    ),
    "hedgeType=P, B, F": ("child that hedges its parent by ratio, beta or currency", _HEDGE),
    "hedgeType=D": ("delta hedge", {"hedge_type": "D", "total_qty": 0}),
    "adjustedOrderType": ("stop that becomes another", {**_LMT, "adjusted_order_type": "TRAIL"}),
}
NO_REFUSAL = {"202", "399", "404"}
"""Codes of orders that were taken: canceled by their own terms, waiting for the open, waiting for shares."""
Probe = dict[str, tuple[str, dict[str, Sent]]]


def page() -> str:
    """Return the page's text."""
    parts = [
        HEAD,
        "\n## What clients ask\n",
        _table(("id", "message", "", "error, or why"), sorted(_requests())),
        "\n## What the gateway tells\n",
        _table(("id", "message", "", "why"), sorted(_responses())),
        "\n## Order types\n\nAs answered to an order for 10 SPY in regular hours, with the fields its type needs.\n",
        _table(("type", "meaning", "", "error"), _orders("order_type", ORDER_TYPES)),
        "\n## Times in force\n",
        _table(("tif", "meaning", "", "error"), _orders("tif", TIMES)),
        "\n## Attributes of orders\n\nBrackets are made of `parentId` and `transmit`.\n",
        _table(("attribute", "meaning", "", "error"), _orders("", ATTRIBUTES)),
        "\n## Fields of an order\n\nEvery field of `place_order`; what one does on an order that it fits is in the "
        "tables above.\n",
        _table(("field", "", "error"), list(_order_fields())),
        "\n## Fault presets\n\nGiven by `ibfloor gateway --faults NAME,NAME`, or while it runs by `fault inject`.\n",
        _table(("preset", "what goes wrong"), [(name, preset.line) for name, preset in PRESETS.items()]),
        FIELDS_HEAD,
        *(_fields(title, tables) for title, tables in (("Asked", REQUESTS), ("Told", RESPONSES))),
    ]
    return "".join(parts)


def _requests() -> Iterator[tuple[object, ...]]:
    for number, table in REQUESTS.items():
        if table in REFUSED:
            code, text = REFUSED[table]
            yield number, f"`{table.name}`", "refused as IB", f"{code} {text}"
        elif table in UNANSWERED:
            yield number, f"`{table.name}`", "silent", ""
        else:
            yield number, f"`{table.name}`", "supported", ""
    for number, name, why in ABSENT_REQUESTS:
        yield number, name, "absent", why


def _responses() -> Iterator[tuple[object, ...]]:
    for number, table in RESPONSES.items():
        yield number, f"`{table.name}`", "supported", ""
    for number, name, why in ABSENT_RESPONSES:
        yield number, name, "absent", why


def _orders(field: str, probes: Probe) -> Iterator[tuple[object, ...]]:
    for name, (meaning, values) in probes.items():
        refusal = _refusal_of({**values, **({field: name} if field else {})})
        yield f"`{name}`", meaning, "absent" if refusal else "supported", refusal


def _order_fields() -> Iterator[tuple[object, ...]]:
    meanings = ((CONTRACT, "says which contract"), (TERMS, "supported"), (CARRIED, "kept and told back"))
    for name in _field_names(PLACE_ORDER.items):
        told = next((meaning for names, meaning in meanings if name in names), "refused")
        error = REFUSED_FIELDS.get(UNDER.get(name, name))
        of_type = f"387, with order type {BY_TYPE[name]}" if name in BY_TYPE else ""
        yield f"`{name}`", told, f"{error.code} {error.text}" if error is not None else of_type


def _field_names(items: Sequence[Item]) -> Iterator[str]:
    for item in items:
        if isinstance(item, Block):
            yield from _field_names(item.items)
        elif isinstance(item, Rows) or not item.constant:
            yield item.name


def _refusal_of(values: dict[str, Sent]) -> str:
    """Place an order with a gateway of its own; return the error, empty for none."""
    account = SimAccount(AccountId("DU1"), {USD: Decimal(1_000_000)})
    market, start_ns = ScriptedMarket(), market_start_ns(LAB_DAY, "10:00")
    gateway = Gateway(market, account, SimClock(start_ns, is_stepped=True))
    market.quote("SPY", "168.00", "168.02", start_ns)
    gateway.step()
    sent = bytearray()
    session = Session(gateway, sent.extend, lambda: None)
    session.receive(PREAMBLE + struct.pack(">I", 9) + f"v{VERSION}..{VERSION}".encode())
    gateway.join(session, 1)
    gateway.flush()
    sent.clear()
    sound: dict[str, Sent] = {"order_id": 1, "symbol": "SPY", "sec_type": "STK", "exchange": "SMART"}
    sound |= {"currency": "USD", "action": "BUY", "total_qty": 10, "order_type": "MKT", "tif": "DAY", "transmit": True}
    if values.get("hedge_type"):
        session.receive(PLACE_ORDER.layout(VERSION).encode({**sound, "transmit": False}))
        values = {**values, "order_id": 2, "parent_id": 1}
    session.receive(PLACE_ORDER.layout(VERSION).encode({**sound, **values}))
    gateway.flush()
    for fields in _messages(bytes(sent)):
        if fields[0] == "4" and fields[2] not in NO_REFUSAL:
            return f"{fields[2]} {fields[3]}"
    return ""


def _messages(data: bytes) -> Iterator[list[str]]:
    while data:
        (length,) = struct.unpack_from(">I", data)
        yield split_fields(data[4 : 4 + length])
        data = data[4 + length :]


def _fields(title: str, tables: dict[int, Table]) -> str:
    lines = [f"\n### {title}\n"]
    lines += [
        f"\n**{number} `{table.name}`** {_items(table.items) or '(nothing)'}\n"
        for number, table in sorted(tables.items())
    ]
    return "".join(lines)


def _items(items: Sequence[Item]) -> str:
    return ", ".join(_item(item) for item in items)


def _item(item: Item) -> str:
    if isinstance(item, Rows):
        text = f"n × ({_items(item.items)})"
    elif isinstance(item, Block):
        text = f"{{{_items(item.items)}}}"
    else:
        text = "v" if item.constant else item.name
    since = f"{item.since}" if item.since else ""
    until = f"{item.until}" if item.until != NEWEST else ""
    if since and until:
        return f"{text} {since}–{until}"
    return f"{text} {since}+" if since else f"{text} –{until}" if until else text


def _table(head: Sequence[str], rows: Iterator[tuple[object, ...]] | list[tuple[object, ...]]) -> str:
    lines = ["", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
