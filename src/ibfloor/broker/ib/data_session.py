"""The floor's one market-data connection: contracts, subscriptions, ticks, history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
import structlog
from ib_async import ContractDetails, PriceIncrement

from ibfloor.broker.ib.ask_again import AskAgain
from ibfloor.broker.ib.client import LeanClient, LeanHandler
from ibfloor.broker.ib.codes import Context, HistoryAnswer, IbRejected, Reaction, history_answer, reaction
from ibfloor.broker.ib.contract_rules import PriceSteps, market_rule_id, to_rules, to_steps
from ibfloor.broker.ib.convert import order_contract, request_contract, to_instrument
from ibfloor.broker.ib.history import (
    SMALL_BAR_NS,
    bar_size,
    duration,
    regular_hours_only,
    to_bar,
    what_to_show,
)
from ibfloor.broker.ib.pacing import HistoryPacer
from ibfloor.broker.ib.session import IbSession
from ibfloor.broker.ib.settings import IbWiring, OnClock
from ibfloor.broker.ib.ticks import GENERIC, PRICE, SIZE, STRING, OnHalted, TickBook, TickReader
from ibfloor.broker.ib.times import format_utc
from ibfloor.broker.ib.wrapper import Handler
from ibfloor.broker.port import BatchSink
from ibfloor.model.errors import BrokerRejected, ConnectivityError
from ibfloor.model.ids import InstrumentId
from ibfloor.model.instrument import Contract, Instrument
from ibfloor.model.market import Bar

log = structlog.get_logger()

OnRefused = Callable[[Instrument, int, str], None]
"""Called with (instrument, IB's code, IB's text) when market data of an instrument is refused."""


class OnFarm(Protocol):
    """What is told of market-data farms, on the data thread."""

    def __call__(self, farm: str, *, is_broken: bool) -> None:
        """Take note that a farm broke, or works."""


_QUOTE_FARMS = (2103, 2104, 2108)
"""The others are of history and of contracts: quotes do not come from there."""
_MARKET_RULE = "market rule"
_PACING_WAIT_S = 15.0
_PACING_TRIES = 4


class IbDataSession(IbSession):
    """``port.DataSession`` over TWS's API. Owner: the data thread."""

    def __init__(
        self,
        wiring: IbWiring,
        batch_sink: BatchSink,
        *,
        client_id: int = 1,
        on_clock: OnClock | None = None,
        on_refused: OnRefused | None = None,
        on_farm: OnFarm | None = None,
    ) -> None:
        self._ticks = TickReader()
        super().__init__("data", client_id, wiring)
        self._batch_sink = batch_sink
        self._follow_clock = on_clock
        self._tell_refused = on_refused
        self._tell_farm = on_farm
        self._wanted: dict[InstrumentId, Instrument] = {}
        self._req_ids: dict[InstrumentId, int] = {}
        self._instruments: dict[int, InstrumentId] = {}
        self._again = AskAgain(wiring.settings, self._resubscribe)
        self._pacer = HistoryPacer(wiring.monotonic)
        self._price_steps: dict[int, PriceSteps] = {}
        self._one_rule = asyncio.Lock()

    @property
    def on_halted(self) -> OnHalted:
        """What is told whether an instrument's trading is halted: at every subscription, and as it changes."""
        return self._ticks.on_halted

    @on_halted.setter
    def on_halted(self, told: OnHalted) -> None:
        self._ticks.on_halted = told

    async def resolve(self, contract: Contract) -> Instrument:
        """Return the one instrument a contract means.

        Raises ``BrokerRejected`` for none or many, ``ConnectivityError`` without an answer in time.
        """
        client, req_id = self._live_client(), self._requests.next_id()
        pending = self._requests.start(req_id)
        client.reqContractDetails(req_id, request_contract(contract))  # type: ignore[no-untyped-call]
        found: list[ContractDetails] = await self._requests.answer(
            pending, timeout_s=self._settings.request_timeout_s, what=f"what {contract} is"
        )
        if len(found) == 1:
            rules = to_rules(found[0], await self._steps_of(found[0]))
            return msgspec.structs.replace(to_instrument(found[0], contract), rules=rules)
        if not found:
            raise IbRejected(200, f"no security is called {contract}")
        names = ", ".join(sorted({_describe(details) for details in found})[:5])
        raise IbRejected(
            200, f"{contract} means {len(found)} securities ({names}): name the exchange, currency or expiry"
        )

    async def _steps_of(self, details: ContractDetails) -> PriceSteps:
        rule_id = market_rule_id(details)
        if rule_id is None:
            return ()
        async with self._one_rule:  # an answer names its rule alone: one question at a time
            if rule_id not in self._price_steps:
                pending = self._requests.start(_MARKET_RULE)
                self._live_client().reqMarketRule(rule_id)  # type: ignore[no-untyped-call]
                try:
                    steps: PriceSteps
                    (steps,) = await self._requests.answer(
                        pending, timeout_s=self._settings.request_timeout_s, what=f"market rule {rule_id}"
                    )
                except ConnectivityError as error:  # a rule that nobody tells must not keep a contract from trading
                    log.warning("market rule not known", rule_id=rule_id, reason=str(error))
                    return ()
                self._price_steps[rule_id] = steps
        return self._price_steps[rule_id]

    def _on_market_rule(self, _rule_id: int, increments: list[PriceIncrement]) -> None:
        self._requests.add(_MARKET_RULE, to_steps(increments))
        self._requests.end(_MARKET_RULE)

    def subscribe(self, instrument: Instrument) -> None:
        """Start an instrument's quotes and trades; again after every reconnect, by itself."""
        if instrument.instrument_id in self._wanted:
            return
        self._wanted[instrument.instrument_id] = instrument
        if self._client is not None and self._client.is_live:
            self._ask_ticks(self._client, instrument)

    def unsubscribe(self, instrument: Instrument) -> None:
        """Stop an instrument's market data."""
        self._wanted.pop(instrument.instrument_id, None)
        self._again.forget(instrument.instrument_id)
        req_id = self._forget(instrument.instrument_id)
        if req_id is not None and self._client is not None and self._client.is_live:
            self._client.cancelMktData(req_id)  # type: ignore[no-untyped-call]
            self._again.line_freed()

    def is_streaming(self, instrument: Instrument) -> bool:
        """Tell whether an instrument's ticks are asked for, and no error has ended them."""
        return instrument.instrument_id in self._req_ids

    async def history(self, instrument: Instrument, *, bar_ns: int, duration_ns: int, end_ns: int | None) -> list[Bar]:
        """Return closed bars, oldest first; waits as IB's pacing rules demand.

        Raises ``BrokerRejected`` with the broker's text, ``ConnectivityError`` without an answer in
        time, ``ConfigError`` for a bar length IB does not have.
        """
        now_ns = self._clock.now_ns()
        end = format_utc(end_ns if end_ns is not None else now_ns)
        kind = what_to_show(instrument)
        request = (instrument.instrument_id, end, bar_size(bar_ns), duration(duration_ns), kind)
        for _ in range(_PACING_TRIES):
            async with self._pacer.slot(request, (instrument.instrument_id, kind), is_small_bar=bar_ns <= SMALL_BAR_NS):
                try:
                    bars = await self._ask_history(instrument, request)
                except IbRejected as refusal:
                    if refusal.code != 162:
                        raise
                    match history_answer(str(refusal)):
                        case HistoryAnswer.EMPTY:
                            return []
                        case HistoryAnswer.FATAL:
                            raise
                        case HistoryAnswer.WAIT:
                            log.warning("history paced", instrument=str(instrument.contract), text=str(refusal))
                else:
                    return _closed([to_bar(bar, instrument, bar_ns) for bar in bars], end_ns or now_ns)
            await asyncio.sleep(_PACING_WAIT_S)
        raise BrokerRejected(f"history of {instrument.contract} was refused {_PACING_TRIES} times for pacing")

    async def _ask_history(self, instrument: Instrument, request: tuple[Any, ...]) -> list[Any]:
        _, end, size, span, kind = request
        client, req_id = self._live_client(), self._requests.next_id()
        pending = self._requests.start(req_id)
        client.reqHistoricalData(  # type: ignore[no-untyped-call]
            req_id,
            order_contract(instrument),
            end,
            span,
            size,
            kind,
            regular_hours_only(instrument),
            2,
            False,
            [],
        )
        try:
            return await self._requests.answer(
                pending, timeout_s=self._settings.request_timeout_s * 3, what=f"history of {instrument.contract}"
            )
        except ConnectivityError:
            if client.is_live:
                client.cancelHistoricalData(req_id)  # type: ignore[no-untyped-call]
            raise

    # subscriptions

    async def _prepare(self, client: LeanClient) -> None:
        self._ask_all(client)

    def _on_data_lost(self) -> None:
        if self._client is not None and self._client.is_live:
            self._ask_all(self._client)

    def _ask_all(self, client: LeanClient) -> None:
        self._ticks.restart()
        self._req_ids.clear()
        self._instruments.clear()
        for instrument in self._wanted.values():
            self._ask_ticks(client, instrument)

    def _ask_ticks(self, client: LeanClient, instrument: Instrument) -> None:
        req_id = self._requests.next_id()
        self._req_ids[instrument.instrument_id] = req_id
        self._instruments[req_id] = instrument.instrument_id
        self._ticks.books[b"%d" % req_id] = TickBook(instrument)
        client.reqMktData(req_id, order_contract(instrument), "", False, False, [])  # type: ignore[no-untyped-call]

    def _forget(self, instrument_id: InstrumentId) -> int | None:
        req_id = self._req_ids.pop(instrument_id, None)
        if req_id is not None:
            self._instruments.pop(req_id, None)
            self._ticks.forget(req_id)
        return req_id

    # messages

    def _lean_handlers(self) -> Mapping[bytes, LeanHandler]:
        ticks = self._ticks
        return {PRICE: ticks.on_price, SIZE: ticks.on_size, GENERIC: ticks.on_generic, STRING: ticks.ignore}

    def _handlers(self) -> dict[str, Handler]:
        requests = self._requests
        return {
            **super()._handlers(),
            "contractDetails": requests.add,
            "contractDetailsEnd": requests.end,
            "marketRule": self._on_market_rule,
            "historicalData": requests.add,
            "historicalDataEnd": lambda req_id, *_: requests.end(req_id),
        }

    def packet_started(self) -> None:
        """Read the clock once for all ticks of a packet."""
        self._ticks.now_ns = self._clock.now_ns()

    def packet_done(self) -> None:
        """Hand over what the packet brought, in one immutable batch."""
        batch = self._ticks.batch
        if batch:
            self._ticks.batch = []
            self._batch_sink(tuple(batch))

    def _on_clock(self, market_ns: int, speed: float) -> None:
        if self._follow_clock is not None:
            self._follow_clock(market_ns, speed)

    def _on_farm(self, code: int, farm: str, *, is_broken: bool) -> None:
        if self._tell_farm is not None and code in _QUOTE_FARMS:
            self._tell_farm(farm, is_broken=is_broken)

    def _on_request_error(self, req_id: int, code: int, text: str) -> None:
        instrument_id = self._instruments.get(req_id)
        instrument = self._wanted.get(instrument_id) if instrument_id is not None else None
        what = reaction(code, Context.DATA)
        if self._requests.is_open(req_id):
            if what in (Reaction.WARN, Reaction.IGNORE):
                log.warning("broker says", session=self._name, code=code, text=text)
            else:
                self._requests.reject(req_id, code, text)
        elif instrument is not None and what is Reaction.RESUBSCRIBE:
            self._forget(instrument.instrument_id)
            wait_s = self._again.later(instrument)
            log.warning("market data ended", instrument=str(instrument.contract), code=code, again_in_s=wait_s)
        elif instrument is not None and what is Reaction.REJECT:
            was_quoted = self._ticks.books[b"%d" % req_id].is_quotable
            self._forget(instrument.instrument_id)
            is_news = self._again.note_refused(instrument, code, was_quoted=was_quoted)
            wait_s = self._again.later(instrument)
            if not is_news:
                return  # it is told once, however often it is asked for in vain
            log.error(
                "market data refused", instrument=str(instrument.contract), code=code, text=text, again_in_s=wait_s
            )
            if self._tell_refused is not None:
                self._tell_refused(instrument, code, text)
        elif what is not Reaction.IGNORE:
            log.warning("broker says", session=self._name, req_id=req_id, code=code, text=text)

    def _resubscribe(self, instrument: Instrument) -> None:
        is_wanted = instrument.instrument_id in self._wanted and instrument.instrument_id not in self._req_ids
        if is_wanted and self._client is not None and self._client.is_live:
            self._ask_ticks(self._client, instrument)


def _closed(bars: list[Bar], until_ns: int) -> list[Bar]:
    return [bar for bar in bars if bar.ts_close_ns <= until_ns]


def _describe(details: ContractDetails) -> str:
    contract = details.contract
    if contract is None:
        return "?"
    words = (contract.localSymbol or contract.symbol, contract.primaryExchange or contract.exchange, contract.currency)
    return " ".join(word for word in words if word)
