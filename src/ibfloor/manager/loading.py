"""Loading a strategy's file while the floor runs: on a thread of its own, with a time limit.

Importing runs the author's code, which may do anything, wait for ever included. The main loop, with
the kill switch and the signals on it, must not wait for that.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from threading import Thread

from ibfloor.manager.answers import respond
from ibfloor.manager.desk import StrategySpec
from ibfloor.model.errors import ConfigError
from ibfloor.strategy.registry import MadeStrategy, make_strategy

LOAD_TIMEOUT_S = 10.0


def load(spec: StrategySpec) -> MadeStrategy:
    """Load the file as it is now and make the strategy; raises ``ConfigError`` that names what is wrong."""
    return make_strategy(spec.name, file=spec.file, class_name=spec.class_name, params=spec.params)


async def load_in_time(spec: StrategySpec, *, timeout_s: float = LOAD_TIMEOUT_S) -> MadeStrategy:
    """Load on another thread; raises ``ConfigError`` also when the file is not imported in time."""
    made: Future[MadeStrategy] = Future()
    # A daemon: a file that never ends must not keep the floor's process from ending.
    Thread(target=respond, args=(made, lambda: load(spec)), name=f"load-{spec.name}", daemon=True).start()
    try:
        async with asyncio.timeout(timeout_s):
            return await asyncio.wrap_future(made)
    except TimeoutError:
        raise ConfigError(
            f"{spec.file}: importing it did not end within {timeout_s:g} s: move what takes long into on_start"
        ) from None
