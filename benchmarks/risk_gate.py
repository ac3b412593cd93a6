"""The risk gate's cost: check and reserve one order with every rule on, four threads contending for it.

30 strategies in 10 instruments, 500 orders open all the time: each thread sends an order and takes its
fact, and has its oldest one canceled. Only check and reserve is timed, its wait for the lock included.
``ours`` is measured with contention, ``alone`` by one thread; ``floor`` is the price of the clock readings
around it; there is no peer.
"""

from __future__ import annotations

import sys
from collections import deque
from decimal import Decimal
from threading import Barrier, Thread
from time import perf_counter_ns

from benchmarks.harness import options, percentile, report
from ibfloor.clock import FloorClock
from ibfloor.manager.shared_gate import SharedGate
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.market import Quote
from ibfloor.model.money import USD
from ibfloor.model.order import OrderRequest, OrdType, Side
from ibfloor.risk.figures import MarketFigures
from ibfloor.risk.gate import RiskGate
from ibfloor.risk.limits import AccountLimits, RiskLimits, StrategyLimits
from ibfloor.risk.margin import AccountFigures
from ibfloor.risk.rules import RULES, compiled

STRATEGIES = 30
INSTRUMENTS = 10
OPEN_ORDERS = 500
THREADS = 4
SWITCH_INTERVAL_S = 0.0005  # as the floor sets it
WIDE = Decimal(10) ** 12
LIMITS = StrategyLimits(
    max_order_qty=Decimal(1_000),
    max_order_notional=WIDE,
    max_position_qty=WIDE,
    max_position_notional=WIDE,
    max_account_position_qty=WIDE,
    collar_pct=Decimal(5),
    collar_atr=Decimal(3),
    quote_age_max_s=Decimal(1_000_000),
    fat_finger_median=Decimal(20),
    fat_finger_adv_pct=Decimal(1),
    duplicate_window_s=Decimal("0.000001"),
    preview_above=WIDE,
    allow_short=False,
    order_rate_per_s=Decimal(100_000_000),
    order_burst=Decimal(100_000_000),
    repeat_entries_max=Decimal(10_000_000),
    max_open_orders=Decimal(1_000),
    max_rejects_in_a_row=Decimal(10),
    day_loss_max=WIDE,
    drawdown_max=WIDE,
)
ACCOUNT = AccountLimits(
    max_gross_exposure=WIDE,
    max_net_exposure=WIDE,
    max_leverage=Decimal(1_000_000),
    margin_budget_pct=Decimal(100),
    order_rate_per_s=Decimal(100_000_000),
    order_burst=Decimal(100_000_000),
    session_rate_per_s=Decimal(100_000_000),
    max_open_orders=Decimal(10_000),
)


def instruments() -> list[Instrument]:
    return [
        Instrument(
            instrument_id=InstrumentId(1_000 + number),
            contract=Stock(f"STK{number}"),
            local_symbol=f"STK{number}",
            currency=USD,
        )
        for number in range(INSTRUMENTS)
    ]


def gate(traded: list[Instrument]) -> SharedGate:
    assert len(compiled(LIMITS, ACCOUNT)) == len(RULES), "every rule is on"
    clock = FloorClock()
    now_ns = clock.now_ns()
    quotes = {each.instrument_id: Quote(each, now_ns, 100.0, 100.02, 1.0, 1.0) for each in traded}
    core = RiskGate(RiskLimits(version=1, base_currency=USD, account=ACCOUNT, strategy=LIMITS))
    shared = SharedGate(core, quotes.get, clock)
    shared.limits.take_account(AccountFigures(equity=WIDE, initial_margin=Decimal(0)))
    usual = MarketFigures(average_volume=Decimal(10_000_000), true_range=Decimal(1))
    for each in traded:
        shared.limits.take_figures(each.instrument_id, usual)
    return shared


def request(strategy: int, number: int, instrument: Instrument) -> OrderRequest:
    name = StrategyId(f"s{strategy}")
    return OrderRequest(
        cl_ord_id=ClientOrderId(f"{name}:{number}"),
        strategy=name,
        instrument_id=instrument.instrument_id,
        side=Side.BUY,
        order_qty=Decimal(10),
        ord_type=OrdType.LIMIT,
        limit_px=Decimal("99.00") + Decimal(number % 100) / 100,
    )


class Sender:
    """One thread's share of the strategies, its orders made beforehand."""

    def __init__(self, shared: SharedGate, traded: list[Instrument], mine: list[int], count: int, kept: int) -> None:
        self._shared = shared
        self._open: deque[ClientOrderId] = deque()
        self._kept = kept
        numbers = range(1, count + kept + 1)
        self._orders = [
            (request(mine[each % len(mine)], each, traded[each % len(traded)]), traded[each % len(traded)])
            for each in numbers
        ]
        self.took: list[float] = []

    def fill(self) -> None:
        """Have as many orders working as there are to be."""
        for each, instrument in self._orders[: self._kept]:
            self._send(each, instrument)
        del self._orders[: self._kept]
        self.took.clear()

    def run(self) -> None:
        """Send one and end one, until all are sent."""
        for each, instrument in self._orders:
            self._send(each, instrument)
            self._shared.release(self._open.popleft())

    def _send(self, each: OrderRequest, instrument: Instrument) -> None:
        started = perf_counter_ns()
        refusal = self._shared.check_and_reserve(each, instrument)
        self.took.append((perf_counter_ns() - started) / 1e3)
        if refusal is not None:
            raise RuntimeError(f"refused: {refusal}")
        self._open.append(each.cl_ord_id)


def trial(count: int, threads: int) -> list[float]:
    traded = instruments()
    shared = gate(traded)
    shares = [[each for each in range(STRATEGIES) if each % threads == number] for number in range(threads)]
    senders = [Sender(shared, traded, share, count // threads, OPEN_ORDERS // threads) for share in shares]
    for sender in senders:
        sender.fill()
    barrier = Barrier(threads)

    def race(sender: Sender) -> None:
        barrier.wait()
        sender.run()

    runners = [Thread(target=race, args=(sender,)) for sender in senders]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    took = [each for sender in senders for each in sender.took]
    if len(took) != count // threads * threads:
        raise RuntimeError("a thread did not send all its orders")
    return took


def clock_cost(count: int) -> list[float]:
    took = []
    for _ in range(count):
        started = perf_counter_ns()
        took.append((perf_counter_ns() - started) / 1e3)
    return took


def main() -> None:
    chosen = options()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    rounds = chosen.rounds or (1 if chosen.quick else 5)
    count = 2_000 if chosen.quick else 20_000
    contended = [trial(count, THREADS) for _ in range(rounds)]
    alone = [trial(count, 1) for _ in range(rounds)]

    def median_of(trials: list[list[float]], share: float) -> float:
        return round(percentile([percentile(each, share) for each in trials], 0.5), 2)

    report(
        "risk_gate",
        ours={"p50_us": median_of(contended, 0.5), "p99_us": median_of(contended, 0.99)},
        alone={"p50_us": median_of(alone, 0.5), "p99_us": median_of(alone, 0.99)},
        floor=round(percentile(clock_cost(count), 0.5), 2),
        unit="us per check and reserve, median of rounds",
        strategies=STRATEGIES,
        open_orders=OPEN_ORDERS,
        threads=THREADS,
        n=count,
        rounds=rounds,
    )


if __name__ == "__main__":
    main()
