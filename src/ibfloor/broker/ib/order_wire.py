"""Orders as the library encodes them: any order at all, some 20 us each. Plain ones go by templates."""

from __future__ import annotations

from struct import Struct
from typing import Any

import ib_async
from ib_async.client import Client

from ibfloor.broker.ib.convert import NON_GUARANTEED, order_contract, plain
from ibfloor.broker.ib.times import format_utc
from ibfloor.model.errors import ConnectivityError
from ibfloor.model.instrument import Instrument
from ibfloor.model.order import OrderRequest, OrdType
from ibfloor.model.terms import OrderTerms

_LENGTH = Struct(">I")


class Encoder(Client):
    """The library's encoder alone: what it would send is kept."""

    def __init__(self, server_version: int) -> None:
        super().__init__(None)  # type: ignore[no-untyped-call]
        self.connState = Client.CONNECTED
        self._serverVersion = server_version
        self.rendered = ""

    def sendMsg(self, msg: str) -> None:  # noqa: N802 - the library's name
        """Keep what the library would send."""
        self.rendered = msg

    def encode(self, order_id: Any, contract: ib_async.Contract, order: ib_async.Order) -> str:
        """Return the placeOrder message, without its length."""
        self.placeOrder(order_id, contract, order)  # type: ignore[no-untyped-call]
        return self.rendered


def framed(body: bytes) -> bytes:
    """Return a message with its length before it."""
    return _LENGTH.pack(len(body)) + body


def to_order(
    request: OrderRequest, account: str, *, parent_id: int = 0, transmit: bool = True, what_if: bool = False
) -> ib_async.Order:
    """Return an order in the library's words; prices as text, so that nothing is rounded."""
    order = ib_async.Order(
        action=request.side.value,
        totalQuantity=plain(request.order_qty),  # type: ignore[arg-type]
        orderType=request.ord_type.value,
        tif=request.time_in_force.value,
        orderRef=request.cl_ord_id,
        account=account,
        parentId=parent_id,
        transmit=transmit,
        whatIf=what_if,
    )
    price: dict[str, Any] = {}
    terms = request.asks
    if request.limit_px is not None:
        price["lmtPrice"] = request.limit_px
    if request.stop_px is not None:
        price["trailStopPrice" if request.ord_type.is_trailing else "auxPrice"] = request.stop_px
    price["lmtPriceOffset"] = terms.limit_offset
    price["trailingPercent"] = terms.trail_percent
    if request.ord_type is OrdType.RELATIVE:
        price["auxPrice"] = terms.peg_offset
    elif terms.trail_by is not None:
        price["auxPrice"] = terms.trail_by
    for name, value in price.items():
        if value is not None:
            setattr(order, name, plain(value))
    _put_terms(order, terms)
    return order


def _put_terms(order: ib_async.Order, terms: OrderTerms) -> None:
    order.outsideRth = terms.outside_rth
    order.goodTillDate = "" if terms.good_till_ns is None else format_utc(terms.good_till_ns)
    order.goodAfterTime = "" if terms.good_after_ns is None else format_utc(terms.good_after_ns)
    if terms.oca is not None:
        order.ocaGroup, order.ocaType = terms.oca.group, int(terms.oca.kind)
    if terms.algo is not None:
        order.algoStrategy = terms.algo.name
        order.algoParams = [ib_async.TagValue(tag, value) for tag, value in terms.algo.params]
    if terms.combo is not None and not terms.combo.is_guaranteed:
        order.smartComboRoutingParams = [ib_async.TagValue(*NON_GUARANTEED)]


def encoded(encoder: Encoder, order_id: int, instrument: Instrument, order: ib_async.Order) -> bytes:
    """Return an order's frame; raise ``ConnectivityError`` for a text that would break it."""
    texts = (order.orderRef, order.ocaGroup, order.algoStrategy, *(text for each in order.algoParams for text in each))
    if any("\0" in text for text in texts):
        raise ConnectivityError(f"nothing was sent: an order's texts must not contain NUL: {order.orderRef!r}")
    return framed(encoder.encode(order_id, order_contract(instrument), order).encode())
