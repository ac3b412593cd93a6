"""Strategy classes from files: found by path, imported under a name of their own, again at will."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import itertools
import sys
import traceback
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_origin

import msgspec

from ibfloor.model.errors import ConfigError
from ibfloor.strategy.base import Strategy
from ibfloor.strategy.handlers import HANDLERS
from ibfloor.strategy.params import StrategyParams

_loads = itertools.count(1)


class LoadedStrategy(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy class as it stood in its file when it was loaded."""

    file: Path
    class_name: str
    version: str
    """The first 12 hex digits of the source's SHA-256."""
    strategy_class: type[Strategy[Any]]
    params_class: type[StrategyParams]


def load_strategy(file: Path, class_name: str = "") -> LoadedStrategy:
    """Import a strategy file and return its class; ``class_name`` may be empty where there is only one.

    Loading again takes the file as it is now and leaves earlier classes as they are. Raises
    ``ConfigError`` that names the file, the line where there is one, and the mend.
    """
    source = _read(file)
    module = _import(file, source)
    strategy_class = _choose(file, _strategies_in(module), class_name)
    _refuse_handlers_nobody_calls(strategy_class)
    return LoadedStrategy(
        file=file,
        class_name=strategy_class.__name__,
        version=sha256(source).hexdigest()[:12],
        strategy_class=strategy_class,
        params_class=_params_class(file, strategy_class),
    )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"there is no strategy file {file}: mend the path") from None
    except OSError as error:
        raise ConfigError(f"cannot read the strategy file {file}: {error.strerror}") from error


def _import(file: Path, source: bytes) -> ModuleType:
    name = f"ibfloor_strategy_{file.stem}_{next(_loads)}"
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(file))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(file)
    sys.modules[name] = module  # annotations and pickling look a class's module up by name
    try:
        exec(compile(source, str(file), "exec"), module.__dict__)  # noqa: S102 - running the author's file is the job
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ConfigError(f"{_place(file, error)}: the strategy file does not import: {_said(error)}") from error
    return module


def _place(file: Path, error: BaseException) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == str(file) else None
    line = line or (lines[-1] if lines else None)
    return f"{file}:{line}" if line else str(file)


def _said(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _strategies_in(module: ModuleType) -> dict[str, type[Strategy[Any]]]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Strategy)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
    }


def _choose(file: Path, found: dict[str, type[Strategy[Any]]], class_name: str) -> type[Strategy[Any]]:
    names = ", ".join(sorted(found))
    if not found:
        raise ConfigError(f"{file} has no Strategy: define a class such as `class My(Strategy[Params])` in it")
    if class_name:
        if class_name not in found:
            raise ConfigError(f"{file} has no strategy class {class_name!r}; it has: {names}")
        return found[class_name]
    if len(found) > 1:
        raise ConfigError(f'{file} has several strategies ({names}): say which with `class = "..."`')
    return next(iter(found.values()))


def _refuse_handlers_nobody_calls(strategy_class: type[Strategy[Any]]) -> None:
    for cls in strategy_class.__mro__:
        if cls is Strategy:
            break
        for name, value in vars(cls).items():
            if name.startswith("on_") and inspect.isfunction(value) and name not in HANDLERS:
                close = difflib.get_close_matches(name, HANDLERS, n=1)
                mean = f"did you mean {close[0]}?" if close else f"the handlers are {', '.join(HANDLERS)}."
                code = value.__code__
                raise ConfigError(
                    f"{code.co_filename}:{code.co_firstlineno}: {cls.__name__}.{name} is no handler and would never "
                    f"be called: {mean} A method of your own takes a name without on_"
                )


def _params_class(file: Path, strategy_class: type[Strategy[Any]]) -> type[StrategyParams]:
    for cls in strategy_class.__mro__:
        for base in vars(cls).get("__orig_bases__", ()):
            if get_origin(base) is Strategy:
                params = get_args(base)[0]
                if isinstance(params, type) and issubclass(params, StrategyParams):
                    return params
                raise ConfigError(
                    f"{file}: {strategy_class.__name__} takes {params!r} as parameters: "
                    "make them a subclass of StrategyParams"
                )
    return StrategyParams
