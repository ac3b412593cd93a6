"""The factory: from what floor.toml says of a strategy to an object ready to be seated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ibfloor.model.errors import StrategyError
from ibfloor.model.ids import StrategyId
from ibfloor.strategy.base import Strategy
from ibfloor.strategy.handlers import overridden
from ibfloor.strategy.loader import LoadedStrategy, load_strategy
from ibfloor.strategy.params import StrategyParams, parse_params


class MadeStrategy(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy object that was not started yet, and all that is known of it."""

    name: StrategyId
    loaded: LoadedStrategy
    params: StrategyParams
    strategy: Strategy[Any]
    handlers: frozenset[str]
    """The handlers it implements; no others need calling."""


def make_strategy(
    name: StrategyId, *, file: Path, class_name: str = "", params: Mapping[str, object] | None = None
) -> MadeStrategy:
    """Load the file as it is now, check the parameters and make the object, not yet bound to a context.

    Raises as ``load_strategy`` and ``remake_strategy`` do.
    """
    return remake_strategy(name, load_strategy(file, class_name), params or {})


def remake_strategy(name: StrategyId, loaded: LoadedStrategy, params: Mapping[str, object]) -> MadeStrategy:
    """Make one more object of a class loaded before: a restart without a reload.

    Raises ``ConfigError`` for parameters, ``StrategyError`` when the class's own ``__init__`` raises.
    """
    checked = parse_params(loaded.params_class, params, strategy=name)
    try:
        strategy = loaded.strategy_class(checked)
    except Exception as error:
        raise StrategyError(f"strategy {name!r}: {loaded.class_name} cannot be made: {error!r}") from error
    return MadeStrategy(
        name=name,
        loaded=loaded,
        params=checked,
        strategy=strategy,
        handlers=overridden(loaded.strategy_class),
    )
