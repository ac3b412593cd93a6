"""What a broker does by the clock, as faults: the gateway restarts, IB resets, Sunday's log-in ends.

All of it is off unless asked for: a trial over night ends as it began. The points are those of
``plan.CLOCK_POINTS``; plans of one's own may use them too.
"""

from __future__ import annotations

from datetime import time

import msgspec

from ibfloor.model.errors import ConfigError
from ibfloor.sim.faults import actions as do
from ibfloor.sim.faults.plan import NIGHTLY_RESET, NIGHTLY_RESTART, SUNDAY_RESET, Fault, When

RESTART_S = 90.0
"""How long a restarted gateway takes no connection."""
CLOSING_S = 2.0
"""How long it hears nothing before that: orders sent then are lost."""
RESET_S = 120.0
"""How long IB is away in its reset."""
LATE_S = 600.0
"""How long executions are late from then on."""
LOGIN_HOURS_MAX = 120.0


class Nights(msgspec.Struct, frozen=True, kw_only=True):
    """When things happen, New York time; what is ``None`` or 0 does not."""

    restart_at: time | None = None
    """The gateway's own restart, every night: all connections are reset, orders in flight are lost."""
    reset_at: time | None = None
    """IB's reset of its servers, every night: 1100, then 1102, then late executions."""
    sunday_login_hours: float = 0.0
    """From Sunday 01:00 on nobody is logged in for so long."""

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Return the faults that do it."""
        every: dict[str, tuple[object, str, do.AnyAction]] = {
            "nightly-restart": (self.restart_at, NIGHTLY_RESTART, do.Restart(for_s=RESTART_S, closing_s=CLOSING_S)),
            "nightly-outage": (self.reset_at, NIGHTLY_RESET, do.LoseUpstream(for_s=RESET_S)),
            "nightly-late": (self.reset_at, NIGHTLY_RESET, do.Withhold(for_s=LATE_S)),
            "sunday-logout": (
                self.sunday_login_hours or None,
                SUNDAY_RESET,
                do.Restart(for_s=self.sunday_login_hours * 3600, closing_s=CLOSING_S),
            ),
        }
        return tuple(
            Fault(name=name, what=what, when=When(on=point, times=0))
            for name, (wanted, point, what) in every.items()
            if wanted is not None
        )


def nights_of(restart: str, reset: str, sunday_login_hours: float) -> Nights:
    """Return what texts ask for, ``HH:MM`` each or empty; raise ``ConfigError`` for a time that is none."""
    if not 0 <= sunday_login_hours <= LOGIN_HOURS_MAX:
        raise ConfigError(f"--sunday-reset {sunday_login_hours:g}: take hours from 0 (off) to {LOGIN_HOURS_MAX:g}")
    return Nights(
        restart_at=_time("--nightly-restart", restart),
        reset_at=_time("--nightly-reset", reset),
        sunday_login_hours=sunday_login_hours,
    )


def _time(option: str, text: str) -> time | None:
    if not text:
        return None
    try:
        moment = time.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} {text}: write New York time as HH:MM, such as 23:45") from None
    if moment.tzinfo is not None or len(text) != len("23:45"):
        raise ConfigError(f"{option} {text}: write New York time as HH:MM, such as 23:45")
    return moment
