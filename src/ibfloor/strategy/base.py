"""The base class of every strategy: handlers in, actions out."""

from __future__ import annotations

from typing import Generic

from ibfloor.strategy.combining import Combining
from ibfloor.strategy.handlers import Handlers
from ibfloor.strategy.offering import Offering
from ibfloor.strategy.params import P
from ibfloor.strategy.sizing import Sizing
from ibfloor.strategy.watching import Watching


class Strategy(Handlers, Combining, Offering, Watching, Sizing, Generic[P]):
    """A trader on the floor. Override the handlers you need, each ``def`` or ``async def``.

    Owner: one thread with its own loop, which calls every handler, one at a time. The same file runs
    live and on the simulated gateway. An exception stops this strategy and no other.
    """

    def __init__(self, params: P) -> None:
        self._params = params

    @property
    def params(self) -> P:
        """Return the parameters now in force."""
        return self._params
