"""A strategy's way to cross with others, as its worker sees it. Owner: the strategy's thread."""

from __future__ import annotations

from collections.abc import Callable

from ibfloor.execution.ticket import OrderTicket
from ibfloor.manager.services import Services
from ibfloor.model.ids import ClientOrderId, StrategyId
from ibfloor.model.instrument import Instrument
from ibfloor.model.order import Refused
from ibfloor.strategy.values import Offer


class WorkerOffers:
    """Implements ``strategy.context.Offers`` over the floor's crossing."""

    def __init__(
        self,
        strategy: StrategyId,
        services: Services,
        *,
        define: Callable[[Instrument], None],
        tell: Callable[[Offer], object],
    ) -> None:
        self._strategy = strategy
        self._crossing = services.crossing
        self._define = define
        self._tell = tell

    def make(self, ticket: OrderTicket, for_s: float) -> Offer | Refused:
        """Let an offer stand for some market seconds."""
        self._define(ticket.instrument)
        return self._crossing.offer(self._strategy, ticket, for_s, self._tell)

    def withdraw(self, offer_id: ClientOrderId) -> None:
        """Take an offer back."""
        self._crossing.withdraw(self._strategy, offer_id)
