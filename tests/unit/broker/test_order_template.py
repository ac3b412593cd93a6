"""Spliced orders are the library's own bytes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ib_async
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ib_async.client import Client

from ibfloor.broker.ib.convert import order_contract, plain
from ibfloor.broker.ib.order_template import OrderTemplates
from ibfloor.model.errors import ConnectivityError
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.instrument import Forex, Future, Instrument, Stock
from ibfloor.model.money import USD
from ibfloor.model.order import OrderRequest, OrdType, Side, TimeInForce
from ibfloor.model.terms import Algo, Oca, OcaKind, OrderTerms

INSTRUMENTS = [
    Instrument(
        instrument_id=InstrumentId(number),
        contract=contract,
        local_symbol=contract.symbol,
        currency=USD,
        exchange=exchange,
    )
    for number, (contract, exchange) in enumerate(
        [(Stock("SPY"), "SMART"), (Future("ES", "202612", exchange="CME"), "CME"), (Forex("EURUSD"), "IDEALPRO")], 100
    )
]


class Library(Client):
    """The library as it is, but for the socket."""

    def __init__(self, version: int) -> None:
        super().__init__(None)  # type: ignore[no-untyped-call]
        self.connState = Client.CONNECTED
        self._serverVersion = version
        self.sent = b""

    def sendMsg(self, msg: str) -> None:  # noqa: N802
        self.sent = self._prefix(msg.encode())  # type: ignore[no-untyped-call]


@given(
    instrument=st.sampled_from(INSTRUMENTS),
    version=st.sampled_from([157, 163, 170, 176, 177, 178]),
    ord_type=st.sampled_from(list(OrdType)),
    tif=st.sampled_from(list(TimeInForce)),
    side=st.sampled_from(list(Side)),
    qty=st.integers(1, 10**7),
    px=st.decimals("0.01", "99998.99", places=2),
    order_id=st.integers(1, 2**31 - 2),
    account=st.sampled_from(["", "DU1"]),
)
def test_frame_equals_the_librarys_encoding(
    instrument: Instrument,
    version: int,
    ord_type: OrdType,
    tif: TimeInForce,
    side: Side,
    qty: int,
    px: Decimal,
    order_id: int,
    account: str,
) -> None:
    templates = OrderTemplates(account)
    templates.use_version(version)
    request = OrderRequest(
        cl_ord_id=ClientOrderId("mean-rev:12"),
        strategy=StrategyId("mean-rev"),
        instrument_id=instrument.instrument_id,
        side=side,
        order_qty=Decimal(qty),
        ord_type=ord_type,
        time_in_force=tif,
        limit_px=px,
        stop_px=px + 1,
    )
    order = ib_async.Order(
        action=side.value,
        totalQuantity=qty,
        orderType=ord_type.value,
        tif=tif.value,
        orderRef="mean-rev:12",
        account=account,
    )
    if ord_type.has_limit:
        order.lmtPrice = px
    if ord_type.has_stop:
        order.auxPrice = px + 1
    library = Library(version)
    library.placeOrder(order_id, order_contract(instrument), order)  # type: ignore[no-untyped-call]
    assert plain(px) == str(px)
    assert templates.frame(request, instrument, order_id) == library.sent
    assert templates.frame(request, instrument, order_id) == library.sent, "and again from the template"


def test_nul_in_a_contracts_text_is_refused() -> None:
    templates = OrderTemplates("")
    templates.use_version(178)
    evil = Instrument(instrument_id=InstrumentId(9), contract=Stock("S\0Y"), local_symbol="X", currency=USD)
    request = OrderRequest(
        cl_ord_id=ClientOrderId("a:1"),
        strategy=StrategyId("a"),
        instrument_id=evil.instrument_id,
        side=Side.BUY,
        order_qty=Decimal(1),
        ord_type=OrdType.MARKET,
    )
    with pytest.raises(ConnectivityError, match="NUL"):
        templates.frame(request, evil, 1)


def test_limit_order_without_a_price_is_refused() -> None:
    templates = OrderTemplates("")
    templates.use_version(178)
    request = OrderRequest(
        cl_ord_id=ClientOrderId("a:1"),
        strategy=StrategyId("a"),
        instrument_id=INSTRUMENTS[0].instrument_id,
        side=Side.BUY,
        order_qty=Decimal(1),
        ord_type=OrdType.LIMIT,
    )
    with pytest.raises(ConnectivityError, match="no price"):
        templates.frame(request, INSTRUMENTS[0], 1)


def test_rich_order_carries_every_term_it_names() -> None:
    templates = OrderTemplates("DU1")
    templates.use_version(178)
    terms = OrderTerms(
        outside_rth=True,
        good_till_ns=1_381_176_000_000_000_000,
        good_after_ns=1_381_172_400_000_000_000,
        oca=Oca(group="a:1", kind=OcaKind.REDUCE),
        algo=Algo(name="Adaptive", params=(("adaptivePriority", "Urgent"),)),
    )
    sent = frame_of(templates, OrdType.LIMIT, TimeInForce.GTD, terms, limit_px=Decimal("99.50"))
    order = ib_async.Order(
        action="BUY",
        totalQuantity=100,
        orderType="LMT",
        lmtPrice=Decimal("99.50"),
        tif="GTD",
        orderRef="a:1",
        account="DU1",
        parentId=41,
        transmit=False,
        outsideRth=True,
        goodTillDate="20131007-20:00:00",
        goodAfterTime="20131007-19:00:00",
        ocaGroup="a:1",
        ocaType=2,
        algoStrategy="Adaptive",
        algoParams=[ib_async.TagValue("adaptivePriority", "Urgent")],
    )
    assert sent == library_frame(order)


@pytest.mark.parametrize(
    ("ord_type", "terms", "prices", "theirs"),
    [
        (OrdType.TRAIL, OrderTerms(trail_by=Decimal("0.50")), {}, {"auxPrice": "0.50"}),
        (
            OrdType.TRAIL,
            OrderTerms(trail_percent=Decimal("1.5")),
            {"stop_px": Decimal(99)},
            {"trailingPercent": "1.5", "trailStopPrice": "99"},
        ),
        (
            OrdType.TRAIL_LIMIT,
            OrderTerms(trail_by=Decimal(2), limit_offset=Decimal("0.10")),
            {},
            {"auxPrice": "2", "lmtPriceOffset": "0.10"},
        ),
        (
            OrdType.RELATIVE,
            OrderTerms(peg_offset=Decimal("0.02")),
            {"limit_px": Decimal(101)},
            {"auxPrice": "0.02", "lmtPrice": "101"},
        ),
    ],
)
def test_moving_orders_put_their_distances_where_ib_reads_them(
    ord_type: OrdType, terms: OrderTerms, prices: dict[str, Decimal], theirs: dict[str, str]
) -> None:
    templates = OrderTemplates("DU1")
    templates.use_version(178)
    order = ib_async.Order(
        action="BUY",
        totalQuantity=100,
        orderType=ord_type.value,
        tif="DAY",
        orderRef="a:1",
        account="DU1",
        parentId=41,
        transmit=False,
    )
    for name, value in theirs.items():
        setattr(order, name, value)
    assert frame_of(templates, ord_type, TimeInForce.DAY, terms, **prices) == library_frame(order)


def test_nul_in_an_algos_parameter_is_refused() -> None:
    templates = OrderTemplates("")
    templates.use_version(178)
    with pytest.raises(ConnectivityError, match="NUL"):
        frame_of(
            templates,
            OrdType.MARKET,
            TimeInForce.DAY,
            OrderTerms(algo=Algo(name="Twap", params=(("startTime", "a\0b"),))),
        )


def frame_of(templates: OrderTemplates, ord_type: OrdType, tif: TimeInForce, terms: OrderTerms, **prices: Any) -> bytes:
    request = OrderRequest(
        cl_ord_id=ClientOrderId("a:1"),
        strategy=StrategyId("a"),
        instrument_id=INSTRUMENTS[0].instrument_id,
        side=Side.BUY,
        order_qty=Decimal(100),
        ord_type=ord_type,
        time_in_force=tif,
        terms=terms,
        **prices,
    )
    return templates.frame(request, INSTRUMENTS[0], 7, 41, transmit=False)


def library_frame(order: ib_async.Order) -> bytes:
    library = Library(178)
    library.placeOrder(7, order_contract(INSTRUMENTS[0]), order)  # type: ignore[no-untyped-call]
    return library.sent
