"""Every order value becomes the ticket it says, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

import ibfloor as floor
from ibfloor import Accepted, OcaKind, OrdType, Refused, Side, Stock, Strategy, StrategyParams, TimeInForce
from ibfloor.model.order import OrderRequest
from ibfloor.model.terms import Algo, OrderTerms
from ibfloor.strategy.tickets import ticket_of

SPY = Stock("SPY")
D = Decimal
NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)
NOON_NS = 1_772_470_800_000_000_000
BUY = (SPY, Side.BUY, 100)


class Trader(Strategy[StrategyParams]):
    pass


@pytest.fixture
def desk(make_desk: Any) -> Any:
    desk = make_desk(Trader(StrategyParams()))
    desk.start()
    return desk


def sent(desk: Any, answer: Accepted | Refused) -> OrderRequest:
    assert isinstance(answer, Accepted), answer
    request: OrderRequest = desk.all_orders[answer.cl_ord_id].request
    return request


@pytest.mark.parametrize(
    ("order", "ord_type", "limit", "stop"),
    [
        (floor.Market(*BUY), OrdType.MARKET, None, None),
        (floor.Limit(*BUY, 99.5), OrdType.LIMIT, D("99.5"), None),
        (floor.Stop(*BUY, 101), OrdType.STOP, None, D(101)),
        (floor.StopLimit(*BUY, 101, 101.25), OrdType.STOP_LIMIT, D("101.25"), D(101)),
        (floor.MarketIfTouched(*BUY, 99), OrdType.MARKET_IF_TOUCHED, None, D(99)),
        (floor.LimitIfTouched(*BUY, 99, 98.5), OrdType.LIMIT_IF_TOUCHED, D("98.5"), D(99)),
        (floor.MarketOnClose(*BUY), OrdType.MARKET_ON_CLOSE, None, None),
        (floor.LimitOnClose(*BUY, 99), OrdType.LIMIT_ON_CLOSE, D(99), None),
        (floor.MarketToLimit(*BUY), OrdType.MARKET_TO_LIMIT, None, None),
    ],
)
def test_order_has_its_type_and_prices_and_no_other_terms(
    desk: Any, order: Any, ord_type: OrdType, limit: Decimal | None, stop: Decimal | None
) -> None:
    request = sent(desk, desk.trader.submit(order))
    assert (request.ord_type, request.limit_px, request.stop_px) == (ord_type, limit, stop)
    assert (request.side, request.order_qty, request.time_in_force) == (Side.BUY, D(100), TimeInForce.DAY)
    assert request.terms is None, "it goes by the fast way"


@pytest.mark.parametrize(
    ("order", "ord_type", "terms"),
    [
        (floor.Trail(*BUY, by=0.5), OrdType.TRAIL, OrderTerms(trail_by=D("0.50"))),
        (floor.Trail(*BUY, by=floor.Percent(1.5)), OrdType.TRAIL, OrderTerms(trail_percent=D("1.5"))),
        (
            floor.TrailLimit(*BUY, by=D(2), offset=0.1),
            OrdType.TRAIL_LIMIT,
            OrderTerms(trail_by=D(2), limit_offset=D("0.10")),
        ),
        (floor.Relative(*BUY, offset=0.02), OrdType.RELATIVE, OrderTerms(peg_offset=D("0.02"))),
        (floor.Limit(*BUY, 99, outside_rth=True), OrdType.LIMIT, OrderTerms(outside_rth=True)),
        (floor.Market(*BUY, good_after=NOON), OrdType.MARKET, OrderTerms(good_after_ns=NOON_NS)),
        (
            floor.Market(*BUY, algo=floor.adaptive("Urgent")),
            OrdType.MARKET,
            OrderTerms(algo=Algo(name="Adaptive", params=(("adaptivePriority", "Urgent"),))),
        ),
    ],
)
def test_terms_are_those_the_order_names(desk: Any, order: Any, ord_type: OrdType, terms: OrderTerms) -> None:
    request = sent(desk, desk.trader.submit(order))
    assert (request.ord_type, request.terms) == (ord_type, terms)


@pytest.mark.parametrize(
    ("order", "tif", "until_ns"),
    [
        (floor.Limit(*BUY, 99, tif="GTC"), TimeInForce.GTC, None),
        (floor.Limit(*BUY, 99, tif=TimeInForce.FOK), TimeInForce.FOK, None),
        (floor.Limit(*BUY, 99, tif=floor.GoodTill(NOON)), TimeInForce.GTD, NOON_NS),
        (floor.MarketOnOpen(*BUY), TimeInForce.AT_OPEN, None),
        (floor.LimitOnOpen(*BUY, 99), TimeInForce.AT_OPEN, None),
    ],
)
def test_orders_last_as_long_as_they_say(desk: Any, order: Any, tif: TimeInForce, until_ns: int | None) -> None:
    request = sent(desk, desk.trader.submit(order))
    assert (request.time_in_force, request.asks.good_till_ns) == (tif, until_ns)


def test_a_kind_takes_no_field_of_another() -> None:
    with pytest.raises(TypeError, match="tif"):
        floor.MarketOnClose(*BUY, tif="GTC")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="by"):
        floor.Trail(*BUY)  # type: ignore[call-arg]


def test_times_without_a_zone_are_refused(desk: Any) -> None:
    answer = desk.trader.submit(floor.Limit(*BUY, 99, tif=floor.GoodTill(NOON.replace(tzinfo=None))))
    assert isinstance(answer, Refused)
    assert "no time zone" in answer.reason.text


def test_trailing_distance_that_rounds_to_nothing_is_one_step(desk: Any) -> None:
    instrument = desk.instrument(SPY)
    assert ticket_of(floor.Trail(*BUY, by=0.001), instrument).terms == OrderTerms(trail_by=D("0.01"))


def test_bracket_exits_are_on_the_other_side_and_good_till_canceled(desk: Any) -> None:
    bracket = desk.trader.bracket(floor.Limit(*BUY, 99), take_profit=110, stop=95, at_close=True)
    assert isinstance(bracket, floor.Bracket)
    assert bracket.take_profit is not None
    assert bracket.stop is not None
    assert bracket.at_close is not None
    entry, profit, stop = (sent(desk, each) for each in (bracket.entry, bracket.take_profit, bracket.stop))
    assert [request.side for request in (entry, profit, stop)] == [Side.BUY, Side.SELL, Side.SELL]
    assert [request.time_in_force for request in (entry, profit, stop)] == ["DAY", "GTC", "GTC"]
    assert (profit.limit_px, stop.stop_px) == (D(110), D(95))
    assert sent(desk, bracket.at_close).ord_type is OrdType.MARKET_ON_CLOSE
    assert {request.asks.bracket for request in (profit, stop)} == {entry.cl_ord_id}


def test_bracket_without_an_exit_is_refused(desk: Any) -> None:
    answer = desk.trader.bracket(floor.Limit(*BUY, 99))
    assert isinstance(answer, Refused)
    assert answer.reason.rule == "bracket"


def test_target_does_not_count_what_waits_to_get_out(desk: Any) -> None:
    desk.trader.bracket(floor.Limit(*BUY, 99), take_profit=110, stop=95)
    assert desk.trader.target(SPY, 100) is None, "the entry brings it there; its exits are not on their way"


def test_group_needs_two_orders(desk: Any) -> None:
    (answer,) = desk.trader.one_cancels_all(floor.Market(*BUY))
    assert isinstance(answer, Refused)
    first, second = desk.trader.one_cancels_all(floor.Limit(*BUY, 99), floor.Stop(*BUY, 101), kind=OcaKind.REDUCE)
    groups = {sent(desk, each).asks.oca for each in (first, second)}
    assert len(groups) == 1
    assert {each.kind for each in groups if each} == {OcaKind.REDUCE}
