"""A gate with limits that a test can see, and its order table beside it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ibfloor.execution.order_table import OrderTable
from ibfloor.model.fact import AnyFact
from ibfloor.model.money import USD
from ibfloor.model.order import OrderRequest, Refused
from ibfloor.risk.gate import Approved, PriceReference, RiskGate
from ibfloor.risk.limits import AccountLimits, RiskLimits, StrategyLimits

D = Decimal
LIMITS = RiskLimits(
    version=3,
    base_currency=USD,
    account=AccountLimits(max_gross_exposure=D(100_000)),
    strategy=StrategyLimits(
        max_order_qty=D(200),
        max_order_notional=D(25_000),
        max_position_qty=D(300),
        max_position_notional=D(35_000),
        collar_pct=D(5),
        quote_age_max_s=D(2),
        order_rate_per_s=None,
        order_burst=D(1),
        max_account_position_qty=D(500),
    ),
)


class Desk:
    """Sends requests to the gate and facts to gate and table, as the floor does."""

    def __init__(self, facts: Any, limits: RiskLimits = LIMITS) -> None:
        self.facts = facts
        self.gate = RiskGate(limits)
        self.table = OrderTable()
        self.now_ns = 10_000_000_000
        self.reference: PriceReference | None = PriceReference(D(100), self.now_ns)
        self.instrument = facts.instrument()

    def ask(self, request: OrderRequest, instrument: Any = None) -> Approved | Refused:
        return self.gate.check_and_reserve(request, instrument or self.instrument, self.reference, self.now_ns)

    def change(self, request: OrderRequest) -> Approved | Refused:
        return self.gate.check_replace(request, self.instrument, self.reference, self.now_ns)

    def send(self, request: OrderRequest) -> Approved | Refused:
        answer = self.ask(request)
        if isinstance(answer, Approved):
            self.take(self.facts.submitted(request))
        return answer

    def take(self, *stream: AnyFact) -> None:
        for fact in stream:
            if self.table.is_news(fact):
                self.gate.apply(fact, self.table.apply(fact))


@pytest.fixture
def desk(facts: Any) -> Desk:
    return Desk(facts)


@pytest.fixture(scope="session")
def desk_with(facts: Any) -> Callable[..., Desk]:
    """Return a maker of desks whose strategy or account limits differ."""

    def make(*, account: dict[str, Any] | None = None, **strategy: Any) -> Desk:
        limits = replace(
            LIMITS,
            strategy=replace(LIMITS.strategy, **strategy),
            account=replace(LIMITS.account, **(account or {})),
        )
        return Desk(facts, limits)

    return make
