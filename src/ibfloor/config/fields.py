"""What the sections of floor.toml are made of: kinds of values, and the frozen base of them all."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt

from ibfloor.model.money import AMOUNT_LIMIT


def not_bool(value: object) -> object:
    """Refuse true and false where a number is needed; they would read as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")
    return value


def off_is_none(value: object) -> object:
    """Read ``"off"`` as no limit."""
    return None if value == "off" else not_bool(value)


def zone_name(name: str) -> str:
    """Return a time zone's name; raise ``ValueError`` for one that is not there."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"there is no time zone {name!r}: write one as America/New_York") from None
    return name


Positive = Annotated[Decimal, BeforeValidator(not_bool), Field(gt=0, lt=AMOUNT_LIMIT)]
Limit = Annotated[Annotated[Decimal, Field(gt=0, lt=AMOUNT_LIMIT)] | None, BeforeValidator(off_is_none)]
"""A limit that must be written down; ``"off"`` is read as ``None``: no limit."""
Seconds = Annotated[float, BeforeValidator(not_bool), Field(gt=0)]
Port = Annotated[StrictInt, Field(ge=1, le=65535)]
ClientId = Annotated[StrictInt, Field(ge=10, le=999_999)]
Zone = Annotated[str, AfterValidator(zone_name)]


class Section(BaseModel):
    """Base of all sections: frozen, and no key is taken that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
