"""BracketLook: what the guard of a strategy's brackets asks before it sells anything anew."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from ibfloor.execution.bracket_guard import Differences
from ibfloor.manager.floor_state import FloorState
from ibfloor.manager.services import Services
from ibfloor.model.booking import instrument_in


class BracketLook:
    """Reconciles, then answers on the strategy's thread, once all that was found has arrived there.

    An order in doubt, or a difference that may be a fill on its way, is looked at until it is certain.
    """

    def __init__(self, services: Services, on_loop: Callable[[Callable[[], object]], bool]) -> None:
        self._services = services
        self._on_loop = on_loop

    def __call__(self, done: Callable[[Differences], None]) -> None:
        """Look anew; no answer comes while the broker cannot be asked."""
        self._services.account.settle().add_done_callback(lambda _: self._find(done))

    def _find(self, done: Callable[[Differences], None]) -> None:
        found = self._services.queue.ask(differences)
        found.add_done_callback(lambda answer: self._tell(answer, done))

    def _tell(self, answer: Future[Differences], done: Callable[[Differences], None]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            known = answer.result()
            self._on_loop(lambda: done(known))


def differences(state: FloorState) -> Differences:
    """Return by how much more of each contract the account holds than all books together."""
    found = ((instrument_in(key), fact.theirs - fact.ours) for key, fact in state.breaks.items())
    return {instrument_id: difference for instrument_id, difference in found if instrument_id is not None}
