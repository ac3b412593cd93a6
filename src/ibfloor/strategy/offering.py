"""Trading with the floor's other strategies, without the market."""

from __future__ import annotations

from ibfloor.model.ids import ClientOrderId
from ibfloor.model.instrument import Contract
from ibfloor.model.order import Refused, Side
from ibfloor.strategy.orders import Limit, Market
from ibfloor.strategy.quantities import Price, Quantity, Unfit
from ibfloor.strategy.trading import Trading
from ibfloor.strategy.values import Offer


class Offering(Trading):
    """Offers that wait inside the floor until another strategy wants the other side."""

    def offer(
        self, contract: Contract, side: Side, qty: Quantity, *, limit: Price | None = None, for_s: float = 30.0
    ) -> Offer | Refused:
        """Offer to trade with another strategy at the middle of the quote, for some market seconds.

        ``on_offer`` tells what becomes of it, and ``on_position`` of what was crossed. ``limit`` bounds the price.
        Nothing of it goes to the broker; when it is over, an order may. Refused where ``[crossing]`` is off.
        """
        order = Market(contract, side, qty) if limit is None else Limit(contract, side, qty, limit)
        try:
            return self.floor.offers.make(self._ticket(order), for_s)
        except Unfit as unfit:
            return self._refuse(unfit.refusal)

    def withdraw(self, offer: Offer | ClientOrderId) -> None:
        """Take an offer back; it may still cross until ``on_offer`` says that it is over."""
        self.floor.offers.withdraw(offer.offer_id if isinstance(offer, Offer) else offer)
