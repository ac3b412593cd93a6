"""An unmodified ``ib_async.IB`` studies the market: depth, scanners, past ticks, options, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from xml.etree import ElementTree

import pytest
from ib_async import IB, Contract, MarketOrder, Option, ScannerSubscription, Stock, TagValue

from ibfloor.sim.gateway.lab import LAB_DAY, GatewayLab
from ibfloor.sim.market.listing import WORLD, read_listing
from ibfloor.sim.market.securities import default_master

ConnectIb = Callable[[GatewayLab, int], Awaitable[IB]]
Until = Callable[[Callable[[], object]], Awaitable[None]]
Complaints = Callable[[], list[str]]
SPY = Contract(secType="STK", conId=756733, symbol="SPY", exchange="SMART", currency="USD")
MINUTE_NS = 60 * 1_000_000_000


def play(scene: Callable[[GatewayLab], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with GatewayLab() as lab:
            await asyncio.wait_for(scene(lab), 30)

    asyncio.run(run())


def errors_of(ib: IB) -> list[tuple[int, int]]:
    errors: list[tuple[int, int]] = []
    ib.errorEvent += lambda req_id, code, text, about: (
        errors.append((req_id, code)) if not 2100 <= code < 2200 else None
    )
    return errors


def raw(client: object) -> Any:  # parts of ib_async have no types
    return client


def test_depth_inserts_updates_and_deletes_rows_as_the_touch_moves(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02", size=500)
        ib = await connect_ib(lab, 1)
        errors = errors_of(ib)
        ticker = ib.reqMktDepth(SPY, numRows=4, isSmartDepth=True)
        await until(lambda: len(ticker.domBids) == 4 and len(ticker.domAsks) == 4)
        assert [row.price for row in ticker.domBids] == [168.0, 167.99, 167.98, 167.97]
        assert [row.price for row in ticker.domAsks] == [168.02, 168.03, 168.04, 168.05]
        assert (ticker.domBids[0].size, ticker.domBids[0].marketMaker) == (500, "AMEX")
        assert len({row.size for row in ticker.domBids}) > 1
        lab.quote("SPY", "168.01", "168.02", size=300, after_s=1)
        await until(lambda: ticker.domBids[0].price == 168.01)
        assert ticker.domAsks[0].size == 300
        ib.cancelMktDepth(SPY, isSmartDepth=True)
        await ib.reqCurrentTimeAsync()
        assert errors == []

    play(scene)


def test_depth_of_one_exchange_comes_without_market_makers_and_three_are_the_most(
    connect_ib: ConnectIb, until: Until
) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.quote("SPY", "168.00", "168.02")
        ib = await connect_ib(lab, 1)
        errors = errors_of(ib)
        at_arca = Contract(secType="STK", conId=756733, symbol="SPY", exchange="ARCA", currency="USD")
        ticker = ib.reqMktDepth(at_arca, numRows=2)
        await until(lambda: len(ticker.domBids) == 2)
        assert ticker.domBids[0].marketMaker == ""
        client = raw(ib.client)
        client.reqMktDepth(900, SPY, 5, False, "")  # all venues together are smart depth or nothing
        for venue in ("NYSE", "BATS", "IEX"):
            ib.reqMktDepth(Contract(secType="STK", conId=756733, symbol="SPY", exchange=venue, currency="USD"))
        client.cancelMktDepth(777, True)
        await until(lambda: len(errors) == 3)
        assert [code for _, code in errors] == [10092, 309, 310]
        described = await ib.reqMktDepthExchangesAsync()
        assert ("ARCA", "STK", "Deep") in {(one.exchange, one.secType, one.serviceDataType) for one in described}

    play(scene)


def test_scanners_rank_by_the_day_and_honour_their_filters(connect_ib: ConnectIb) -> None:
    async def scene(lab: GatewayLab) -> None:
        for symbol, px, qty in (("SPY", "168", 100), ("KO", "40", 900), ("AAPL", "500", 300)):
            lab.trade(symbol, px, qty, after_s=1)
        ib = await connect_ib(lab, 1)
        wanted = ScannerSubscription(instrument="STK", locationCode="STK.US.MAJOR", scanCode="MOST_ACTIVE")
        ranked = await ib.reqScannerDataAsync(wanted)
        contracts = [row.contractDetails.contract for row in ranked]
        assert [one.symbol if one else "" for one in contracts] == ["KO", "AAPL", "SPY"]
        assert [row.rank for row in ranked] == [0, 1, 2]
        wanted.abovePrice, wanted.numberOfRows = 100, 1
        ranked = await ib.reqScannerDataAsync(wanted)
        assert [row.contractDetails.contract.symbol for row in ranked if row.contractDetails.contract] == ["AAPL"]
        scans = ElementTree.fromstring(await ib.reqScannerParametersAsync()).findall(".//scanCode")
        assert {scan.text for scan in scans} >= {"TOP_PERC_GAIN", "MOST_ACTIVE"}

    play(scene)


def test_scans_that_do_not_exist_or_find_nothing_are_errors(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        errors = errors_of(ib)
        client = raw(ib.client)
        known = ScannerSubscription(instrument="STK", locationCode="STK.US.MAJOR", scanCode="MOST_ACTIVE")
        for req_id, changes in ((1, {"scanCode": "NO"}), (2, {"locationCode": "MOON"}), (3, {})):
            client.reqScannerSubscription(req_id, ScannerSubscription(**{**vars(known), **changes}), "", "")
        client.cancelScannerSubscription(9)
        await until(lambda: len(errors) == 4)
        assert errors == [(1, 162), (2, 162), (3, 165), (9, 365)]

    play(scene)


@pytest.mark.parametrize("from_start", [True, False])
def test_past_ticks_come_from_a_start_on_or_up_to_an_end(connect_ib: ConnectIb, from_start: bool) -> None:
    async def scene(lab: GatewayLab) -> None:
        for n in range(5):
            lab.quote("SPY", f"168.0{n}", "168.10", after_s=1)
            lab.trade("SPY", f"168.0{n}", 100 + n)
        ib = await connect_ib(lab, 1)
        start, end = ("20131007 10:00:02 US/Eastern", "") if from_start else ("", "20131007 10:00:05 US/Eastern")
        seconds = [2, 3] if from_start else [3, 4]
        prints = await ib.reqHistoricalTicksAsync(SPY, start, end, 2, "TRADES", False)
        assert [(tick.price, tick.size) for tick in prints] == [(168.0 + (n - 1) / 100, 99 + n) for n in seconds]
        assert [tick.time.second for tick in prints] == seconds
        quotes = await ib.reqHistoricalTicksAsync(SPY, start, end, 2, "BID_ASK", False)
        assert [(tick.priceBid, tick.priceAsk, tick.sizeBid) for tick in quotes] == [
            (168.0 + (n - 1) / 100, 168.1, 1000) for n in seconds
        ]
        middles = await ib.reqHistoricalTicksAsync(SPY, start, end, 2, "MIDPOINT", False)
        assert [tick.price for tick in middles] == pytest.approx([168.05 + (n - 1) / 200 for n in seconds])

    play(scene)


def test_past_ticks_refuse_what_ib_refuses(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        errors = errors_of(ib)
        client, at = raw(ib.client), "20131007 10:00:02 US/Eastern"
        for req_id, (start, end, count, what) in enumerate(
            (("", "", 1, "TRADES"), (at, at, 1, "TRADES"), (at, "", 1001, "TRADES"), (at, "", 1, "WISHES")), start=1
        ):
            client.reqHistoricalTicks(req_id, SPY, start, end, count, what, False, False, [])
        client.reqHistoricalTicks(5, SPY, "yesterday", "", 1, "TRADES", False, False, [])
        await until(lambda: len(errors) == 5)
        assert errors == [(1, 321), (2, 321), (3, 321), (4, 321), (5, 10314)]

    play(scene)


def test_a_histogram_adds_volume_by_price_and_a_schedule_lists_sessions(connect_ib: ConnectIb) -> None:
    async def scene(lab: GatewayLab) -> None:
        lab.market.give_history("SPY", lab.start_ns - 5 * MINUTE_NS, MINUTE_NS, ["167", "167", "168", "167", "169"])
        ib = await connect_ib(lab, 1)
        rows = await ib.reqHistogramDataAsync(SPY, True, "1 day")
        assert [(row.price, row.count) for row in rows] == [(167, 300), (168, 100), (169, 100)]
        schedule = await ib.reqHistoricalScheduleAsync(SPY, 2)
        assert schedule is not None
        assert [one.refDate for one in schedule.sessions] == ["20131004", "20131007"]
        assert schedule.sessions[1].startDateTime == "20131007-09:30:00"

    play(scene)


def listed_options(lab: GatewayLab) -> None:
    lab.market.master = read_listing(WORLD, LAB_DAY).master_with(default_master())


async def spy_call(ib: IB) -> Option:
    (chain,) = [one for one in await ib.reqSecDefOptParamsAsync("SPY", "", "STK", 756733) if one.exchange == "SMART"]
    strike, expiry = sorted(chain.strikes)[len(chain.strikes) // 2], sorted(chain.expirations)[-1]
    (call,) = await ib.qualifyContractsAsync(Option("SPY", expiry, strike, "C", "SMART"))
    assert isinstance(call, Option)
    return call


def test_a_chain_names_strikes_and_expiries_whose_contracts_exist(connect_ib: ConnectIb) -> None:
    async def scene(lab: GatewayLab) -> None:
        listed_options(lab)
        ib = await connect_ib(lab, 1)
        chains = await ib.reqSecDefOptParamsAsync("SPY", "", "STK", 756733)
        assert {chain.multiplier for chain in chains} == {"100"}
        assert len({chain.exchange for chain in chains}) > 1
        call = await spy_call(ib)
        assert call.conId
        details = await ib.reqContractDetailsAsync(call)
        assert [one.underConId for one in details] == [756733]

    play(scene)


def test_the_model_turns_a_price_into_a_volatility_and_back(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        listed_options(lab)
        ib = await connect_ib(lab, 1)
        errors = errors_of(ib)
        call = await spy_call(ib)
        under = call.strike
        priced = await ib.calculateOptionPriceAsync(call, 0.25, under)
        assert priced is not None
        assert priced.optPrice is not None
        assert 0.4 < (priced.delta or 0) < 0.65
        assert (priced.gamma or 0) > 0 > (priced.theta or 0)
        implied = await ib.calculateImpliedVolatilityAsync(call, priced.optPrice, under)
        assert implied is not None
        assert implied.impliedVol == pytest.approx(0.25, abs=1e-6)
        raw(ib.client).calculateImpliedVolatility(900, SPY, 1.0, 100.0, [TagValue("a", "b")])
        raw(ib.client).calculateOptionPrice(901, call, 0.2, 0.0, [])
        await until(lambda: len(errors) == 2)
        assert errors == [(900, 321), (901, 321)]

    play(scene)


def test_a_subscribed_option_brings_its_greeks_and_follows_its_underlying(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        listed_options(lab)
        ib = await connect_ib(lab, 1)
        call = await spy_call(ib)
        under = call.strike
        lab.quote("SPY", f"{under - 0.01:.2f}", f"{under + 0.01:.2f}")
        lab.quote(call.localSymbol, "6.00", "6.10", after_s=1)
        ticker = ib.reqMktData(call)
        await until(lambda: ticker.modelGreeks and ticker.bidGreeks and ticker.askGreeks)
        assert ticker.modelGreeks
        assert ticker.bidGreeks
        assert (ticker.bidGreeks.impliedVol or 9) < (ticker.modelGreeks.impliedVol or 0)
        assert ticker.modelGreeks.undPrice == pytest.approx(under)
        lab.quote("SPY", f"{under + 0.99:.2f}", f"{under + 1.01:.2f}", after_s=2)
        await until(lambda: ticker.modelGreeks and ticker.modelGreeks.undPrice == pytest.approx(under + 1))
        ib.cancelMktData(call)

    play(scene)


def test_an_option_that_is_held_and_in_the_money_can_be_exercised(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        listed_options(lab)
        ib = await connect_ib(lab, 1)
        errors = errors_of(ib)
        call = await spy_call(ib)
        for px in (call.strike - 5, call.strike + 5):
            lab.quote("SPY", f"{px:.2f}", f"{px + 0.01:.2f}", after_s=1)
            lab.quote(call.localSymbol, "6.00", "6.10", after_s=1)
            if px < call.strike:
                bought = ib.placeOrder(call, MarketOrder("BUY", 2))
                await until(bought.isDone)
                raw(ib.client).exerciseOptions(900, call, 1, 1, "", 0)  # out of the money
                raw(ib.client).exerciseOptions(901, call, 1, 3, "", 1)  # more than is held
                raw(ib.client).exerciseOptions(902, call, 2, 1, "", 1)  # lapse
                await until(lambda: len(errors) == 3)
        assert errors == [(900, 322), (901, 322), (902, 322)]
        raw(ib.client).exerciseOptions(903, call, 1, 1, "", 0)
        await until(lambda: {held.contract.secType: held.position for held in ib.positions()} == {"OPT": 1, "STK": 100})
        assert len(errors) == 3

    play(scene)


def test_lookups_of_the_gateway_itself_are_answered(connect_ib: ConnectIb, ib_complaints: Complaints) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        ticker = ib.reqMktData(SPY)
        await ib.reqCurrentTimeAsync()
        components = await raw(ib).reqSmartComponentsAsync(ticker.bboExchange)
        assert [one.exchange for one in components][:3] == ["AMEX", "NYSE", "ARCA"]
        assert len({one.exchangeLetter for one in components}) == len(components)
        assert await raw(ib).reqHistoricalNewsAsync(756733, "BZ", "", "", 10) == []
        assert not await raw(ib).reqUserInfoAsync()
        assert ib_complaints() == []

    play(scene)


def test_what_a_private_account_may_not_have_is_refused_in_ibs_words(connect_ib: ConnectIb, until: Until) -> None:
    async def scene(lab: GatewayLab) -> None:
        ib = await connect_ib(lab, 1)
        errors = errors_of(ib)
        client = raw(ib.client)
        client.requestFA(1)
        client.replaceFA(11, 1, "<xml/>")
        client.reqFundamentalData(12, Stock("SPY", "SMART", "USD"), "ReportSnapshot", [])
        client.queryDisplayGroups(13)
        client.subscribeToGroupEvents(14, 1)
        client.reqNewsArticle(15, "BZ", "BZ$1", [])
        client.reqWshMetaData(16)
        client.exerciseOptions(17, Contract(conId=1), 1, 1, "", 0)
        client.verifyRequest("api", "1")
        await until(lambda: len(errors) == 9)
        assert errors == [
            (-1, 321),
            (11, 321),
            (12, 430),
            (13, 321),
            (14, 321),
            (15, 10172),
            (16, 10276),
            (17, 200),
            (-1, 321),
        ]

    play(scene)
