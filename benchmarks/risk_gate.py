"""The risk gate's cost: check and reserve one order, 20 strategies, every rule on.

``floor`` is the price of the clock readings around it; there is no peer.
"""

from __future__ import annotations

from decimal import Decimal
from time import perf_counter_ns

from benchmarks.harness import options, percentile, report
from ibfloor.model.ids import ClientOrderId, InstrumentId, StrategyId
from ibfloor.model.instrument import Instrument, Stock
from ibfloor.model.money import USD
from ibfloor.model.order import OrderRequest, OrdType, Side
from ibfloor.risk.gate import Approved, PriceReference, RiskGate
from ibfloor.risk.limits import AccountLimits, RiskLimits, StrategyLimits

STRATEGIES = 20
SPY = Instrument(instrument_id=InstrumentId(756733), contract=Stock("SPY"), local_symbol="SPY", currency=USD)
NOW_NS = 10_000_000_000
WIDE = Decimal(10) ** 12


def gate() -> RiskGate:
    limits = StrategyLimits(
        max_order_qty=Decimal(1_000),
        max_order_notional=WIDE,
        max_position_qty=WIDE,
        max_position_notional=WIDE,
        collar_pct=Decimal(5),
        quote_age_max_ns=2_000_000_000,
        order_rate_per_s=Decimal(1_000_000),
        order_burst=1_000_000,
    )
    account = AccountLimits(
        max_gross_exposure=WIDE, max_position_qty=WIDE, order_rate_per_s=Decimal(1_000_000), order_burst=10_000_000
    )
    return RiskGate(RiskLimits(version=1, base_currency=USD, account=account, strategy=limits))


def request(number: int) -> OrderRequest:
    strategy = StrategyId(f"s{number % STRATEGIES}")
    return OrderRequest(
        cl_ord_id=ClientOrderId(f"{strategy}:{number}"),
        strategy=strategy,
        instrument_id=SPY.instrument_id,
        side=Side.BUY if number % 3 else Side.SELL,
        order_qty=Decimal(10),
        ord_type=OrdType.LIMIT,
        limit_px=Decimal("100.01"),
    )


def trial(count: int) -> list[float]:
    guard, reference = gate(), PriceReference(Decimal("100.02"), NOW_NS)
    took = []
    for each in [request(number) for number in range(1, count + 1)]:
        started = perf_counter_ns()
        answer = guard.check_and_reserve(each, SPY, reference, NOW_NS)
        took.append((perf_counter_ns() - started) / 1e3)
        if not isinstance(answer, Approved):
            raise RuntimeError(f"refused: {answer.reason}")
    return took


def clock_cost(count: int) -> list[float]:
    took = []
    for _ in range(count):
        started = perf_counter_ns()
        took.append((perf_counter_ns() - started) / 1e3)
    return took


def main() -> None:
    chosen = options()
    rounds = chosen.rounds or (1 if chosen.quick else 5)
    count = 2_000 if chosen.quick else 20_000
    took = [trial(count) for _ in range(rounds)]
    ours = percentile([percentile(each, 0.5) for each in took], 0.5)
    floor = percentile(clock_cost(count), 0.5)
    report(
        "risk_gate",
        ours=round(ours, 2),
        floor=round(floor, 2),
        p99=round(percentile([percentile(each, 0.99) for each in took], 0.5), 2),
        unit="us per check and reserve, median of rounds",
        n=count,
        rounds=rounds,
    )


if __name__ == "__main__":
    main()
