"""Strategy parameters: typed by the author, checked once when the strategy is made."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from ibfloor.model.errors import ConfigError


class StrategyParams(BaseModel):
    """Base of a strategy's parameters: frozen; unknown names are errors.

    ``model_json_schema()`` describes them for forms and tools.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


P = TypeVar("P", bound=StrategyParams)


def parse_params(cls: type[P], values: Mapping[str, object], *, strategy: str) -> P:
    """Return validated parameters; raise ``ConfigError`` that names strategy, field, value and mend."""
    try:
        return cls.model_validate(dict(values))
    except ValidationError as error:
        complaints = "; ".join(_complaint(cls, details) for details in error.errors(include_url=False))
        raise ConfigError(f"strategy {strategy!r}: {complaints}") from error


def _complaint(cls: type[StrategyParams], details: ErrorDetails) -> str:
    field = ".".join(str(part) for part in details["loc"])
    if details["type"] == "extra_forbidden":
        return f"params.{field}: there is no such parameter; {_known(cls, field)}"
    if details["type"] == "missing":
        return f"params.{field}: a value is needed"
    if not field:
        return f"params: {details['msg']}"
    return f"params.{field}: {details['msg']}, got {details['input']!r}"


def _known(cls: type[StrategyParams], field: str) -> str:
    close = difflib.get_close_matches(field, cls.model_fields, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return "there are: " + ", ".join(cls.model_fields) if cls.model_fields else "this strategy has none"
