"""``[crossing]``: whether strategies may trade with each other inside the floor."""

from __future__ import annotations

from pydantic import Field

from ibfloor.config.fields import Seconds, Section


class CrossingSection(Section):
    """``[crossing]``: offers of strategies that meet each other within the quote, without the market."""

    enabled: bool = Field(False, description="Whether strategies may cross; off, every offer is refused.")
    quote_age_max_s: Seconds = Field(
        5.0, description="Oldest quote that a cross is priced by, in market seconds; with an older one offers wait."
    )
