"""Where a floor's days begin and end."""

from __future__ import annotations

from zoneinfo import ZoneInfo

DAY_ZONE = ZoneInfo("America/New_York")
