"""The exchange's rules, one by one, on a book of one instrument."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ibfloor.model.ids import InstrumentId
from ibfloor.model.order import OrdType, Side, TimeInForce
from ibfloor.sim.exchange.engine import CANCELED, EXPIRED, IOC_REST, Exchange
from ibfloor.sim.exchange.values import (
    BookTop,
    ExchangeEvent,
    ExchangeOrder,
    Filled,
    Gone,
    Hold,
    TapePrint,
    Triggered,
    Working,
)

SPY = InstrumentId(1)
EUR = InstrumentId(2)


class Floor:
    """An exchange with short words for orders and ticks; time is a count of calls."""

    def __init__(self, *, is_regular: bool = True) -> None:
        self.is_regular = is_regular
        self.exchange = Exchange(lambda _instrument_id, _ts_ns: self.is_regular)
        self.now_ns = 0

    def order(
        self,
        key: int,
        side: Side,
        qty: int,
        ord_type: OrdType = OrdType.MARKET,
        px: str | None = None,
        tif: TimeInForce = TimeInForce.DAY,
        *,
        outside_hours: bool = False,
        instrument_id: InstrumentId = SPY,
    ) -> list[ExchangeEvent]:
        self.now_ns += 1
        price = Decimal(px) if px else None
        order = ExchangeOrder(
            key=key,
            instrument_id=instrument_id,
            side=side,
            qty=Decimal(qty),
            ord_type=ord_type,
            limit_px=price if ord_type is OrdType.LIMIT else None,
            stop_px=price if ord_type is OrdType.STOP else None,
            time_in_force=tif,
            outside_hours=outside_hours,
        )
        return self.exchange.submit(order, self.now_ns)

    def limit(self, key: int, side: Side, qty: int, px: str, tif: TimeInForce = TimeInForce.DAY) -> list[ExchangeEvent]:
        return self.order(key, side, qty, OrdType.LIMIT, px, tif)

    def top(
        self,
        bid: str | None,
        ask: str | None,
        bid_qty: int = 100,
        ask_qty: int = 100,
        instrument_id: InstrumentId = SPY,
    ) -> list[ExchangeEvent]:
        self.now_ns += 1
        tick = BookTop(
            instrument_id=instrument_id,
            ts_ns=self.now_ns,
            bid_px=Decimal(bid) if bid else None,
            bid_qty=Decimal(bid_qty),
            ask_px=Decimal(ask) if ask else None,
            ask_qty=Decimal(ask_qty),
        )
        return self.exchange.on_tick(tick)

    def print(self, px: str, qty: int) -> list[ExchangeEvent]:
        self.now_ns += 1
        tape = TapePrint(instrument_id=SPY, ts_ns=self.now_ns, px=Decimal(px), qty=Decimal(qty))
        return self.exchange.on_tick(tape)


def fills(events: list[ExchangeEvent]) -> list[tuple[int, int, str]]:
    return [(event.key, int(event.qty), str(event.px)) for event in events if isinstance(event, Filled)]


@pytest.fixture
def floor() -> Floor:
    made = Floor()
    made.top("10.00", "10.02")
    return made


def test_market_order_takes_the_displayed_size_and_the_rest_fills_on_following_quotes(floor: Floor) -> None:
    assert fills(floor.order(1, Side.BUY, 250)) == [(1, 100, "10.02")]
    assert fills(floor.top("10.00", "10.03")) == [(1, 100, "10.03")]
    assert fills(floor.top("10.00", "10.01")) == [(1, 50, "10.01")]
    assert floor.exchange.live_keys() == []


def test_displayed_size_once_taken_is_gone_until_the_next_quote(floor: Floor) -> None:
    floor.order(1, Side.BUY, 80)
    assert fills(floor.order(2, Side.BUY, 80)) == [(2, 20, "10.02")]
    assert fills(floor.order(3, Side.BUY, 80)) == []
    assert fills(floor.top("10.00", "10.02")) == [(2, 60, "10.02"), (3, 40, "10.02")]


def test_nothing_trades_while_the_other_side_is_absent(floor: Floor) -> None:
    floor.top("10.00", None)
    assert floor.order(1, Side.BUY, 10) == [Working(key=1, ts_ns=floor.now_ns)]
    assert fills(floor.top("10.00", None)) == []
    assert fills(floor.top("10.00", "10.05")) == [(1, 10, "10.05")]


def test_order_before_the_first_quote_waits_for_it() -> None:
    floor = Floor()
    assert fills(floor.order(1, Side.SELL, 10)) == []
    assert fills(floor.top("9.99", "10.00")) == [(1, 10, "9.99")]


def test_passive_limit_fills_at_its_own_price_when_the_quote_crosses_it(floor: Floor) -> None:
    assert floor.limit(1, Side.BUY, 150, "10.00") == [Working(key=1, ts_ns=floor.now_ns)]
    assert fills(floor.top("9.97", "9.98")) == [(1, 100, "10.00")]


def test_limit_that_came_in_marketable_trades_at_the_touch_and_later_rests(floor: Floor) -> None:
    assert fills(floor.limit(1, Side.BUY, 250, "10.05")) == [(1, 100, "10.02")]
    assert fills(floor.top("10.01", "10.03")) == [(1, 100, "10.03")]
    assert fills(floor.top("10.05", "10.06")) == []
    assert fills(floor.top("10.03", "10.04")) == [(1, 50, "10.05")]


def test_print_through_a_resting_limit_fills_it_up_to_the_prints_size(floor: Floor) -> None:
    floor.limit(1, Side.BUY, 150, "10.00")
    assert fills(floor.print("9.99", 60)) == [(1, 60, "10.00")]
    assert fills(floor.print("9.99", 500)) == [(1, 90, "10.00")]


def test_print_at_the_limit_serves_the_size_that_was_displayed_before_us(floor: Floor) -> None:
    floor.limit(1, Side.BUY, 50, "10.00")
    assert fills(floor.print("10.00", 70)) == []
    assert fills(floor.print("10.00", 40)) == [(1, 10, "10.00")]
    assert fills(floor.print("10.00", 40)) == [(1, 40, "10.00")]


def test_shrinking_display_brings_a_resting_limit_forward(floor: Floor) -> None:
    floor.limit(1, Side.SELL, 50, "10.02")
    floor.top("10.00", "10.02", ask_qty=20)
    assert fills(floor.print("10.02", 30)) == [(1, 10, "10.02")]


def test_order_better_than_the_display_has_nothing_ahead(floor: Floor) -> None:
    floor.limit(1, Side.BUY, 50, "10.01")
    assert fills(floor.print("10.01", 30)) == [(1, 30, "10.01")]


def test_one_print_serves_the_better_price_then_the_older_order(floor: Floor) -> None:
    floor.limit(1, Side.BUY, 30, "9.99")
    floor.limit(2, Side.BUY, 30, "10.00")
    floor.limit(3, Side.BUY, 30, "9.99")
    assert fills(floor.print("9.98", 70)) == [(2, 30, "10.00"), (1, 30, "9.99"), (3, 10, "9.99")]


def test_younger_order_does_not_overtake_though_the_display_it_joined_was_shorter(floor: Floor) -> None:
    floor.limit(1, Side.BUY, 50, "10.00")
    floor.order(2, Side.SELL, 90)  # takes most of the displayed bid
    floor.limit(3, Side.BUY, 50, "10.00")
    assert fills(floor.print("10.00", 60)) == []
    assert fills(floor.print("10.00", 60)) == [(1, 20, "10.00")]


def test_buy_stop_triggers_on_a_print_and_becomes_a_market_order(floor: Floor) -> None:
    floor.print("10.01", 1)
    assert floor.order(1, Side.BUY, 30, OrdType.STOP, "10.05") == [
        Working(key=1, ts_ns=floor.now_ns, held_by=(Hold.TRIGGER,))
    ]
    assert floor.top("10.06", "10.07") == []
    events = floor.print("10.05", 1)
    assert isinstance(events[0], Triggered)
    assert fills(events) == [(1, 30, "10.07")]


def test_sell_stop_beyond_the_last_print_triggers_at_once(floor: Floor) -> None:
    floor.print("10.01", 1)
    events = floor.order(1, Side.SELL, 30, OrdType.STOP, "10.01")
    assert [type(event) for event in events] == [Working, Triggered, Filled]
    assert fills(events) == [(1, 30, "10.00")]


def test_stop_of_an_instrument_without_prints_triggers_on_the_crossing_quote() -> None:
    floor = Floor()
    floor.top("1.1000", "1.1001", instrument_id=EUR)
    floor.order(1, Side.BUY, 10, OrdType.STOP, "1.1005", instrument_id=EUR)
    assert floor.top("1.1004", "1.1006", instrument_id=EUR) == []
    assert fills(floor.top("1.1005", "1.1006", instrument_id=EUR)) == [(1, 10, "1.1006")]


def test_remainder_of_an_ioc_is_canceled(floor: Floor) -> None:
    events = floor.limit(1, Side.BUY, 150, "10.02", TimeInForce.IOC)
    assert fills(events) == [(1, 100, "10.02")]
    assert events[-1] == Gone(key=1, ts_ns=floor.now_ns, reason=IOC_REST)
    assert floor.exchange.live_keys() == []


def test_own_crossing_orders_rest_side_by_side(floor: Floor) -> None:
    floor.limit(1, Side.BUY, 10, "10.01")
    assert fills(floor.limit(2, Side.SELL, 10, "10.01")) == []
    assert floor.exchange.live_keys() == [1, 2]


def test_cancel_of_an_unknown_or_finished_order_says_nothing(floor: Floor) -> None:
    assert floor.exchange.cancel(7, 1) == []
    floor.order(1, Side.BUY, 10)
    assert floor.exchange.cancel(1, 2) == []
    assert floor.exchange.replace(1, Decimal(5), None, None, 3) == []


def test_cancel_takes_a_waiting_stop_out(floor: Floor) -> None:
    floor.order(1, Side.SELL, 10, OrdType.STOP, "9.00")
    assert floor.exchange.cancel(1, 9) == [Gone(key=1, ts_ns=9, reason=CANCELED)]
    assert floor.print("8.00", 10) == []


def test_replace_to_a_crossing_price_trades_at_the_touch(floor: Floor) -> None:
    floor.limit(1, Side.BUY, 50, "9.90")
    events = floor.exchange.replace(1, Decimal(60), Decimal("10.10"), None, 9)
    assert fills(events) == [(1, 60, "10.02")]


def test_replace_keeps_the_place_for_less_and_loses_it_for_more(floor: Floor) -> None:
    for key in (1, 2):
        floor.limit(key, Side.BUY, 30, "9.99")
    floor.exchange.replace(1, Decimal(20), Decimal("9.99"), None, 9)
    assert fills(floor.print("9.98", 20)) == [(1, 20, "9.99")]
    floor.limit(3, Side.BUY, 30, "9.99")
    floor.exchange.replace(2, Decimal(40), Decimal("9.99"), None, 9)
    assert fills(floor.print("9.98", 40)) == [(3, 30, "9.99"), (2, 10, "9.99")]


def test_replace_to_what_has_traded_ends_the_order(floor: Floor) -> None:
    floor.limit(1, Side.BUY, 150, "10.02")
    assert floor.exchange.replace(1, Decimal(100), Decimal("10.02"), None, 9) == [Gone(key=1, ts_ns=9, reason=CANCELED)]


def test_replace_that_makes_no_sense_leaves_the_order_as_it_was(floor: Floor) -> None:
    floor.limit(1, Side.BUY, 50, "9.90")
    assert floor.exchange.replace(1, Decimal(50), None, None, 9) == [Working(key=1, ts_ns=9)]
    assert fills(floor.print("9.80", 50)) == [(1, 50, "9.90")]


def test_moved_stop_waits_for_its_new_price(floor: Floor) -> None:
    floor.print("10.01", 1)
    floor.order(1, Side.SELL, 10, OrdType.STOP, "9.90")
    floor.exchange.replace(1, Decimal(10), None, Decimal("9.80"), 9)
    assert floor.print("9.85", 1) == []
    assert fills(floor.print("9.80", 1)) == [(1, 10, "10.00")]


def test_day_orders_expire_and_others_stay(floor: Floor) -> None:
    floor.limit(1, Side.BUY, 10, "9.00")
    floor.limit(2, Side.BUY, 10, "9.00", TimeInForce.GTC)
    assert floor.exchange.expire(9, {EUR}) == []
    assert floor.exchange.expire(9) == [Gone(key=1, ts_ns=9, reason=EXPIRED)]
    assert floor.exchange.live_keys() == [2]


def test_outside_regular_hours_only_marked_orders_trade_and_the_others_wait_for_the_open(floor: Floor) -> None:
    floor.is_regular = False
    assert fills(floor.order(1, Side.BUY, 10)) == []
    assert fills(floor.order(2, Side.BUY, 10, outside_hours=True)) == [(2, 10, "10.02")]
    floor.order(3, Side.SELL, 10, OrdType.STOP, "9.99")
    assert floor.print("9.50", 10) == []
    floor.is_regular = True
    assert fills(floor.top("9.98", "10.02")) == [(1, 10, "10.02")]
    assert fills(floor.print("9.50", 10)) == [(3, 10, "9.98")]


@pytest.mark.parametrize(
    ("ord_type", "qty"), [(OrdType.MARKET, 0), (OrdType.MARKET, -5), (OrdType.LIMIT, 5), (OrdType.STOP, 5)]
)
def test_order_that_makes_no_sense_is_refused_with_the_reason(floor: Floor, ord_type: OrdType, qty: int) -> None:
    (event,) = floor.order(1, Side.BUY, qty, ord_type)
    assert isinstance(event, Gone)
    assert event.reason.startswith("refused: ")
    assert floor.exchange.live_keys() == []


def test_live_key_cannot_be_used_again(floor: Floor) -> None:
    floor.limit(1, Side.BUY, 10, "9.00")
    with pytest.raises(ValueError, match="order key 1 is live"):
        floor.limit(1, Side.BUY, 10, "9.00")
