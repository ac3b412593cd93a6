"""What a client makes of messages: run with a build of the official client on PYTHONPATH.

Reads JSON lines ``{"version": ..., "fields": [...]}`` and answers each with ``{"heard": {...}}``, the
values of all callbacks by plain names, or ``{"error": ...}``. Lines with ``"ask"`` are requests
instead: answered with ``{"sent": [fields, ...]}``, what the client puts on the wire.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

Heard = dict[str, list[Any]]


def plain(name: str) -> str:
    """Return a name without case and underscores: ``orderRef`` and ``order_ref`` are one."""
    return name.replace("_", "").lower()


def flatten(name: str, value: object, into: Heard) -> None:
    """Collect the numbers and texts within a value by the name nearest to them, in order."""
    if value is None or isinstance(value, str | int | float | Decimal | bool):
        into.setdefault(plain(name), []).append(value)
    elif isinstance(value, Enum):
        into.setdefault(plain(name), []).append(value.name)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            flatten(str(key), one, into)
    elif isinstance(value, tuple) and hasattr(value, "_asdict"):
        flatten(name, value._asdict(), into)
    elif isinstance(value, Iterable):
        for one in value:
            flatten(name, one, into)
    elif is_dataclass(value):
        flatten(name, {one.name: getattr(value, one.name) for one in fields(value)}, into)
    elif hasattr(value, "__dict__"):
        flatten(name, vars(value), into)
    else:
        into.setdefault(plain(name), []).append(str(value))


def names_of(method: Callable[..., Any]) -> list[str]:
    """Return a callback's parameter names, without ``self``."""
    return [name for name in inspect.signature(method).parameters if name != "self"]


def collect(heard: Heard, names: list[str], args: Iterable[object]) -> None:
    """Collect a callback's arguments."""
    for name, value in zip(names, args, strict=False):
        flatten(name, value, heard)


def _keeper(method: Callable[..., Any]) -> Callable[..., None]:
    names = names_of(method)
    name = method.__name__

    def keep(self: Any, *args: object) -> None:
        if name == "error" and args and args[0] == -1 and "BadMessage" in str(args):
            raise ValueError(str(args))
        self.calls += 1
        collect(self.heard, names, args)

    return keep


def main() -> None:
    from ibapi import decoder as decoding
    from ibapi.client import EClient
    from ibapi.wrapper import EWrapper

    methods = {
        name: _keeper(method)
        for name, method in vars(EWrapper).items()
        if inspect.isfunction(method) and not name.startswith("_") and name != "logAnswer"
    }
    wrapper_class = type("Ear", (EWrapper,), methods)
    takes_id = len(inspect.signature(decoding.Decoder.interpret).parameters) > 2

    def heard_of(version: int, message: list[str]) -> dict[str, Any]:
        ear = wrapper_class()
        ear.heard, ear.calls = {}, 0
        decoder = decoding.Decoder(ear, version)
        if takes_id and hasattr(decoder, "serverVersion"):
            decoder.serverVersion = version
        raw = tuple(field.encode() for field in message)
        try:
            if takes_id:
                decoder.interpret(raw[1:], int(message[0]))
            else:
                decoder.interpret(raw)
        except Exception as error:  # noqa: BLE001 - whatever the client stumbles over is the answer
            return {"error": f"{type(error).__name__}: {error}"}
        return {"heard": ear.heard, "calls": ear.calls}

    asking = _Asking(EClient, EWrapper)
    for line in sys.stdin:
        wanted = json.loads(line)
        if "ask" in wanted:
            answer: dict[str, Any] = asking.sent(wanted["version"], wanted["ask"], wanted["args"])
        else:
            answer = heard_of(wanted["version"], wanted["fields"])
        sys.stdout.write(json.dumps(answer, default=str) + "\n")
        sys.stdout.flush()


class _Wire:
    """Stands where the client's connection stands; keeps the frames."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def isConnected(self) -> bool:  # noqa: N802 - the client's name
        return True

    def sendMsg(self, data: bytes) -> None:  # noqa: N802
        self.frames.append(data)


class _Asking:
    """Has a client ask for something, its socket replaced."""

    def __init__(self, client: Any, wrapper: Any) -> None:
        self._client = client
        self._wrapper = wrapper

    def sent(self, version: int, name: str, args: list[Any]) -> dict[str, Any]:
        wrapper = self._wrapper()
        errors: list[object] = []
        wrapper.error = lambda *told: errors.append(told)
        client = self._client(wrapper)
        wire = _Wire()
        client.conn, client.serverVersion_ = wire, version
        client.setConnState(self._client.CONNECTED)
        method = getattr(client, name, None)
        if method is None:
            return {"sent": []}
        made = [_made(arg) for arg in args]
        wanted = list(inspect.signature(method).parameters)
        made += [_filler(one) for one in wanted[len(made) :]]
        method(*made[: len(wanted)])
        if errors:
            return {"error": str(errors)}
        return {"sent": [frame[4:].decode().split("\0")[:-1] for frame in wire.frames]}


def _made(arg: Any) -> Any:
    # {"Contract": {...}} stands for an object of the client
    if isinstance(arg, list):
        return [_made(one) for one in arg]
    if not isinstance(arg, dict):
        return arg
    ((kind, attributes),) = arg.items()
    made = _class_of(kind)()
    for name, value in attributes.items():
        setattr(made, name, Decimal(value) if name == "totalQuantity" else _made(value))
    return made


def _class_of(kind: str) -> Any:
    from ibapi import common, contract, execution, order, order_condition, scanner, tag_value

    for module in (contract, order, execution, scanner, common, order_condition, tag_value):
        if hasattr(module, kind):
            return getattr(module, kind)
    raise KeyError(kind)


def _filler(name: str) -> Any:
    # newer builds take more arguments than older ones
    if name == "orderCancel":
        from ibapi.order_cancel import OrderCancel

        return OrderCancel()
    return "" if name.startswith(("manual", "customer")) else False if name.startswith("professional") else []


if __name__ == "__main__":
    main()
