"""Named places where the process can be made to die, so that tests prove what a death there costs: nothing.

``IBFLOOR_CRASH_AT=<name>:<n>`` in the environment, read once, ends the process with SIGKILL when it
gets to the place for the n-th time. Without it ``reach`` does nothing, and costs as good as nothing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import count

VARIABLE = "IBFLOOR_CRASH_AT"
LastWords = Callable[[], object]


def _pass_by(name: str, last_words: LastWords | None = None) -> None:
    """Go on: no crash was asked for."""


def crash_at(spec: str) -> Callable[[str, LastWords | None], None]:
    """Return a ``reach`` that kills this process at ``<name>:<n>``; raises ``ValueError`` for another text."""
    wanted, _, times = spec.rpartition(":")
    due, passed = int(times), count(1)  # a count is safe from any thread

    def reach_or_die(name: str, last_words: LastWords | None = None) -> None:
        if name == wanted and next(passed) == due:
            if last_words is not None:
                last_words()
            os.kill(os.getpid(), signal.SIGKILL)

    return reach_or_die


IS_ARMED = VARIABLE in os.environ
"""Whether names that cost something to make are worth making."""
reach: Callable[..., None] = crash_at(os.environ[VARIABLE]) if IS_ARMED else _pass_by
"""Tell that a place is reached; ``last_words`` are done right before the death, if it comes here."""
