"""``[books]``: how the books are valued and compared with the account."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from ibfloor.config.fields import Seconds, Section, Zone
from ibfloor.model.lots import LotMethod

_TIME_OF_DAY = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")


def _time_of_day(text: str) -> str:
    if text and not _TIME_OF_DAY.fullmatch(text):
        raise ValueError('a time is written as "17:30"')
    return text


class BooksSection(Section):
    """``[books]``: lots, exchange rates, and the nightly comparison with the account."""

    lots: LotMethod = Field(
        LotMethod.FIFO,
        description='Which lot of a position a trade closes: "fifo" the oldest, "lifo" the newest, "average" all at '
        "their average cost. A change counts for the whole history: results move between realised and open, their "
        "sum stays.",
    )
    rate_max_age_s: Seconds = Field(
        900.0,
        description="Oldest exchange rate that books and limits use, in market seconds; with an older one, or none, "
        "whatever needs it is shown as not known.",
    )
    silent_max_s: Seconds = Field(
        1800.0,
        description="How long an instrument may be silent in its regular hours, though its feed is well, until the "
        "guards of losses no longer judge by its last price, in market seconds. A broken feed counts at once.",
    )
    nightly_at: Annotated[str, AfterValidator(_time_of_day)] = Field(
        "17:30",
        description='Market time of the nightly comparison of books and account, "HH:MM" in nightly_zone; '
        "empty for none.",
    )
    nightly_zone: Zone = Field("America/New_York", description="Time zone of nightly_at.")
