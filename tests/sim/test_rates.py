"""Exchange rates on a whole floor against the simulated gateway, whose own figures judge."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from tests.sim.books_world import BooksWorld, play

from ibfloor.data.subscriber import Delivery, Kind, Subscriber
from ibfloor.manager.rate_keeper import pair_of
from ibfloor.model.instrument import Stock
from ibfloor.model.money import Currency
from ibfloor.model.order import Side


class Basket:
    def put(self, value: Delivery, /) -> bool:
        return True


EUR, USD = Currency("EUR"), Currency("USD")


def test_an_account_in_euros_is_worth_what_the_broker_says_without_any_pair_watched(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await world.quote("EUR.USD", "1.35", "1.35")
        await world.settle()
        (account,) = (await world.rows("account")).values()
        rate = (await world.rows("rates"))["USD"]
        assert account.base_currency == "EUR"
        assert account.net_liquidation == account.broker_net_liquidation
        assert account.net_liquidation == Decimal("137037.04")  # 100 000 and 50 000 / 1.35
        assert (rate.rate, rate.source, rate.problem) == (Decimal("0.7407407"), "account values", "")
        assert world.floor._gate._gate.exposures.rate(USD) == Decimal("0.7407407")  # the gate judges by the same

    play(tmp_path, scene, cash={"EUR": "100000", "USD": "50000"}, base=EUR)


def test_a_watched_pair_goes_first_and_no_rate_outlives_its_age(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await world.quote("EUR.USD", "1.25", "1.25")
        await world.trade_by_hand("EUR.USD", Side.BUY, 1000, "1.25")  # held, so it is watched
        await world.settle()
        await world.quote("EUR.USD", "1.60", "1.60")
        rate = (await world.rows("rates"))["USD"]
        assert (rate.rate, rate.source) == (Decimal("0.625"), "EUR.USD")

        world.cut_off(for_s=1000)
        await asyncio.sleep(310)
        rate, (account,) = (await world.rows("rates"))["USD"], (await world.rows("account")).values()
        assert rate.rate is not None, "how it stood last is shown"
        assert "s old, more than 300 s" in rate.problem
        assert (account.net_liquidation, account.gross_exposure) == (None, None)
        assert account.not_known.startswith("the rate of USD")
        assert world.floor._gate._gate.exposures.rate(USD) is None

    play(tmp_path, scene, cash={"EUR": "100000", "USD": "50000"}, base=EUR, books={"rate_max_age_s": 300})


def test_a_currency_whose_rate_nobody_tells_is_not_one_to_one(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await world.settle()  # no pair has a price: the broker itself tells no rate
        (account,) = (await world.rows("account")).values()
        assert account.net_liquidation is None
        assert account.not_known == "no rate of USD is known"
        assert (await world.rows("books"))["UNASSIGNED"].not_known == "no rate of USD is known"
        assert (await world.rows("rates"))["USD"].rate is None

    play(tmp_path, scene, cash={"EUR": "100000", "USD": "50000"}, base=EUR)


def test_the_rate_of_a_currency_that_is_only_watched_comes_from_a_pair_the_floor_asks_for_itself(
    tmp_path: Path,
) -> None:
    async def scene(world: BooksWorld) -> None:
        await world.quote("EUR.USD", "1.25", "1.25")
        await world.quote("SPY", "168.00", "168.02")
        assert world.floor._gate._gate.exposures.rate(USD) is None
        world.floor.data.subscribe(Subscriber("somebody", Basket(), lambda *_: None), Stock("SPY"), kinds=Kind.QUOTES)
        for _ in range(3):
            await asyncio.sleep(1)
            await world.rows("account")
        await world.quote("EUR.USD", "1.60", "1.60")
        await world.rows("account")
        assert world.floor._gate._gate.exposures.rate(USD) == Decimal("0.625")

    play(tmp_path, scene, cash={"EUR": "100000"}, base=EUR)


@pytest.mark.parametrize(
    ("one", "other", "pair"), [("USD", "EUR", "EUR.USD"), ("JPY", "USD", "USD.JPY"), ("SEK", "NOK", "NOK.SEK")]
)
def test_a_pair_is_named_as_the_market_names_it(one: str, other: str, pair: str) -> None:
    contract = pair_of(Currency(one), Currency(other))
    assert f"{contract.symbol}.{contract.currency}" == pair


def test_a_stock_that_nobody_watched_is_marked_once_it_was_bought_by_hand(tmp_path: Path) -> None:
    async def scene(world: BooksWorld) -> None:
        await world.quote("PEP", "80.00", "80.02")
        await world.trade_by_hand("PEP", Side.BUY, 50, "80.02")
        await world.settle()
        await asyncio.sleep(3)
        await world.quote("PEP", "81.00", "81.02")
        (held,) = (await world.rows("positions")).values()
        assert (held.strategy, held.qty, held.mark_px) == ("UNASSIGNED", 50, Decimal("81.01"))

    play(tmp_path, scene)
