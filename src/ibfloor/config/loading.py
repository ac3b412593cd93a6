"""From floor.toml and the environment to settings, or to one message that says what to mend."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from ibfloor.config.capital import CapitalSection
from ibfloor.config.lines import KeyPath, line_of
from ibfloor.config.risk import AccountRisk, InstrumentRisk, RiskOverrides
from ibfloor.config.sections import ClockSource, FloorSettings, Launcher, Mode, OrphanPolicy
from ibfloor.model.capital import weights_problem
from ibfloor.model.errors import ConfigError
from ibfloor.model.ids import StrategyId
from ibfloor.model.instrument import SecurityType

ENV_PREFIX = "IBFLOOR_"
IBC_PATHS = {"path": "/opt/ibc", "tws_path": "~/Jts", "settings_path": None, "ini": None}
Table = dict[str, Any]
Problem = tuple[KeyPath, str]
"""Where, and what: the key's path and the text."""


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_nested_delimiter="__", frozen=True, extra="ignore")

    floor: dict[str, str] = {}
    gateway: dict[str, str] = {}
    ibc: dict[str, str] = {}
    clock: dict[str, str] = {}
    risk: dict[str, str] = {}
    recorder: dict[str, str] = {}
    web: dict[str, str] = {}
    restart: dict[str, str] = {}
    stop: dict[str, str] = {}
    orphans: dict[str, str] = {}
    books: dict[str, str] = {}
    crossing: dict[str, str] = {}


def load_settings(path: Path | str, *, home: Path | None = None) -> FloorSettings:
    """Return the settings of a floor.toml, with ``IBFLOOR_<SECTION>__<KEY>`` of the environment over them.

    ``home`` replaces the folder that the file names. Paths come back absolute.
    Raises ``ConfigError`` that names file, line and key, and how to mend it.
    """
    file = Path(path).expanduser().absolute()
    text = _read(file)
    table = _parse(file, text)
    env = _environment()
    merged = _merged(table, env)
    if home is not None:
        merged = _merged(merged, {"floor": {"home": str(home.absolute())}})
    try:
        settings = FloorSettings(**_resolved(merged, file.parent))
    except ValidationError as error:
        problems = [_problem(details) for details in error.errors()]
    else:
        problems = list(_contradictions(settings))
        if not problems:
            return settings
    raise ConfigError("\n".join(_located(file, text, env, problem) for problem in problems))


def load_home(path: Path | str) -> Path:
    """Return the home folder that a floor.toml names, whatever else in it is wrong.

    Raises ``ConfigError`` when the file is absent or not TOML.
    """
    file = Path(path).expanduser().absolute()
    table = _merged(_parse(file, _read(file)), _environment())
    return _home(table, file.parent)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such file; write one with: ibfloor init --config {file}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from None


def _parse(file: Path, text: str) -> Table:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = re.sub(r"\s*\(at .*\)$", "", str(error))
        at = re.search(r"\(at line (\d+)", str(error))
        line = int(at.group(1)) if at else max(1, len(text.splitlines()))
        raise ConfigError(
            f"{file}, line {line}: this is not TOML: {reason}. Write: key = value (text in quotes)"
        ) from None


def _environment() -> Table:
    env = {
        section: {key: _as_toml(value) for key, value in keys.items()}
        for section, keys in _Environment().model_dump(exclude_unset=True).items()
    }
    if "mode" in env.get("floor", {}):
        raise ConfigError(
            f"environment variable {_variable(('floor', 'mode'))}: only floor.toml chooses paper or live; unset it"
        )
    return env


def _as_toml(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value  # text without quotes, as a shell gives it


def _merged(table: Table, env: Mapping[str, object]) -> Table:
    merged = dict(table)
    for section, keys in env.items():
        mine = merged.get(section, {})
        merged[section] = {**mine, **keys} if isinstance(keys, dict) and isinstance(mine, dict) else keys
    return merged


def _resolved(table: Table, folder: Path) -> Table:
    home = _home(table, folder)
    resolved = dict(table)
    for section, key, default, base in (
        ("floor", "home", "floor-home", folder),
        ("recorder", "path", "market", home),
        ("web", "password_file", "web-password", home),
    ):
        keys = resolved.get(section, {})
        if isinstance(keys, dict) and isinstance(keys.get(key, ""), str):
            resolved[section] = {**keys, key: str(_under(base, keys.get(key) or default))}
    ibc = resolved.get("ibc", {})
    if isinstance(ibc, dict):
        paths = {key: ibc.get(key, default) for key, default in IBC_PATHS.items()}
        resolved["ibc"] = ibc | {key: str(_under(folder, at)) for key, at in paths.items() if isinstance(at, str)}
    strategies = resolved.get("strategy")
    if isinstance(strategies, list):
        resolved["strategy"] = [_with_file(strategy, folder) for strategy in strategies]
    return resolved


def _with_file(strategy: object, folder: Path) -> object:
    if not isinstance(strategy, dict) or not isinstance(strategy.get("file"), str):
        return strategy
    return {**strategy, "file": str(_under(folder, strategy["file"]))}


def _home(table: Table, folder: Path) -> Path:
    keys = table.get("floor")
    home = keys.get("home") if isinstance(keys, dict) else None
    return _under(folder, home if isinstance(home, str) and home else "floor-home")


def _under(base: Path, path: str) -> Path:
    return (base / Path(path).expanduser()).resolve()


def _contradictions(settings: FloorSettings) -> Iterator[Problem]:
    if settings.floor.mode is Mode.LIVE and settings.clock.follow is ClockSource.GATEWAY:
        yield (
            ("clock", "follow"),
            'a live floor keeps the system\'s time: write follow = "system", or mode = "paper" in [floor]',
        )
    if settings.gateway.launcher is Launcher.IBC and not settings.ibc.version:
        yield (
            ("gateway", "launcher"),
            'IBC needs to know what to start: write version = "1037", or the one installed, in [ibc]',
        )
    yield from _strategy_contradictions(settings)
    orphans, names = settings.orphans, [section.name for section in settings.strategies]
    if orphans.policy is OrphanPolicy.HAND and orphans.to not in names:
        there = ", ".join(names) or "none"
        yield ("orphans", "to"), f'"{orphans.to}" is no [[strategy]] that could take orders over; there are: {there}'
    yield from _risk_contradictions(settings)


def _strategy_contradictions(settings: FloorSettings) -> Iterator[Problem]:
    rules = {each.name: each.capital.rule for each in settings.strategies if each.capital is not None}
    if problem := weights_problem(rules):
        yield ("strategy", len(settings.strategies) - 1, "capital"), f"{problem}; lower some of them"
    first: dict[str, int] = {}
    for index, strategy in enumerate(settings.strategies):
        if strategy.name in first:
            earlier = f"[[strategy]] number {first[strategy.name] + 1}"
            yield ("strategy", index, "name"), f'"{strategy.name}" is the name of {earlier} too: choose another'
        first.setdefault(strategy.name, index)
        if not strategy.file.is_file():
            yield (
                ("strategy", index, "file"),
                f"there is no file {strategy.file}; a relative path starts at floor.toml's folder",
            )


def _risk_contradictions(settings: FloorSettings) -> Iterator[Problem]:
    known = {section.name: section for section in settings.strategies}
    for name in settings.risk.strategy:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            meant = f'did you mean "{close[0]}"?' if close else f"there are: {', '.join(known) or 'none'}"
            yield ("risk", "strategy", name), f'there is no [[strategy]] named "{name}"; {meant}'
        elif known[StrategyId(name)].risk.model_fields_set:
            yield (
                ("risk", "strategy", name),
                f'"{name}" has limits in [strategy.risk] below its [[strategy]] too: keep them in one place',
            )
    kinds = [kind.value for kind in SecurityType]
    for name in settings.risk.of_class:
        if name not in kinds:
            yield ("risk", "class", name), f'"{name}" is no kind of security: write one of {", ".join(kinds)}'


def _problem(details: ErrorDetails) -> Problem:
    loc = details["loc"]
    key = str(loc[-1]) if loc else ""
    if details["type"] == "extra_forbidden":
        return loc, f"unknown key{_did_you_mean(loc)}"
    if details["type"] == "missing":
        meaning = _meaning(loc)
        what = "section" if len(loc) == 1 else "key"
        return loc, f'the {what} "{key}" is missing{": " + meaning if meaning else "; `ibfloor init` writes one"}'
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if details["msg"].startswith("Input should be "):
        message = f"should be {message}, not {_shown(details['input'])}"
    meaning = _meaning(loc)
    return loc, f"{message}. {meaning}" if meaning else message


def _shown(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _model_at(path: KeyPath) -> type[BaseModel] | None:
    match tuple(path):
        case ():
            return FloorSettings
        case ("strategy", int(), "risk"):
            return RiskOverrides
        case ("strategy", int(), "capital"):
            return CapitalSection
        case ("risk", "account"):
            return AccountRisk
        case ("risk", "strategy", str()):
            return RiskOverrides
        case ("risk", "class" | "instrument", str()):
            return InstrumentRisk
        case (str() as name,) | (str() as name, int()):
            return section_models().get(name)
        case _:
            return None


def section_models() -> dict[str, type[BaseModel]]:
    """Return the settings' sections by their names in floor.toml."""
    models: dict[str, type[BaseModel]] = {}
    for name, field in FloorSettings.model_fields.items():
        annotation = field.annotation
        item = getattr(annotation, "__args__", (annotation,))[0]
        if isinstance(item, type) and issubclass(item, BaseModel):
            models[field.alias or name] = item
    return models


def _did_you_mean(loc: KeyPath) -> str:
    model = _model_at(loc[:-1])
    if model is None:
        return ""
    known = [field.alias or name for name, field in model.model_fields.items()]
    close = difflib.get_close_matches(str(loc[-1]), known, n=1)
    return f': did you mean "{close[0]}"?' if close else f"; known are: {', '.join(known)}"


def _meaning(loc: KeyPath) -> str:
    model = _model_at(loc[:-1])
    fields = {field.alias or name: field for name, field in model.model_fields.items()} if model else {}
    field = fields.get(str(loc[-1])) if loc else None
    return (field.description or "") if field else ""


def _located(file: Path, text: str, env: Table, problem: Problem) -> str:
    path, message = problem
    if len(path) == 2 and path[1] in env.get(str(path[0]), {}):
        return f"environment variable {_variable(path)}: {message}"
    return f"{file}, line {line_of(text, path)}, {_key_text(path)}: {message}"


def _variable(path: KeyPath) -> str:
    return f"{ENV_PREFIX}{path[0]}__{path[1]}".upper()


def _key_text(path: KeyPath) -> str:
    match tuple(path):
        case ("strategy", int(index), *rest):
            return " ".join([f"[[strategy]] number {index + 1}", ".".join(map(str, rest))]).rstrip()
        case ("risk", "account", *rest) if rest:
            return f"[risk.account] {rest[0]}"
        case ("risk", "strategy" | "class" | "instrument" as kind, str(name), *rest):
            table = f'[risk.{kind}."{name}"]' if kind == "instrument" else f"[risk.{kind}.{name}]"
            return f"{table} {'.'.join(map(str, rest))}".rstrip()
        case (section,):
            return f"[{section}]"
        case (section, *rest):
            return f"[{section}] {'.'.join(map(str, rest))}"
        case _:
            return "the file"
