"""``[kill]``, ``[watchdog]``, ``[alarm]``: what stops trading, who acts for a dead floor, who is told."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictBool, StrictInt

from ibfloor.config.fields import Positive, Seconds, Section


class OnDeath(StrEnum):
    """What the watchdog does for a floor that has died."""

    CANCEL = "cancel"
    ALARM = "alarm"


class KillSection(Section):
    """``[kill]``: what the kill switches may do."""

    flatten_collar_pct: Positive = Field(
        Decimal(1),
        description="How far through the newest quote a killed position may be closed, in percent; never further than "
        "collar_pct. Nothing is closed unless somebody confirms it after the kill.",
    )


class WatchdogSection(Section):
    """``[watchdog]``: a process and an IB session of its own that act when the floor dies."""

    enabled: StrictBool = Field(False, description="Whether `ibfloor run` starts one, and alarms when it is gone.")
    client_id: Annotated[StrictInt, Field(ge=2, le=9)] = Field(2, description="Its own client id, from 2 to 9.")
    dead_after_s: Seconds = Field(
        10.0, description="Wall seconds without a heartbeat after which the floor counts as dead."
    )
    start_within_s: Seconds = Field(
        60.0, description="Wall seconds that a floor may take to come back after one that died."
    )
    on_death: OnDeath = Field(
        OnDeath.CANCEL,
        description='"cancel": latch the kill switch and cancel all orders of the account; "alarm": alarm only.',
    )


class AlarmSection(Section):
    """``[alarm]``: who is told of what cannot wait."""

    command: tuple[str, ...] = Field(
        (),
        description="A program and its arguments; it is run with the alarm's text as one more argument. "
        "Alarms are in the log in any case.",
    )
