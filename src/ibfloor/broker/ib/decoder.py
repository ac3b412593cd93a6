"""The library's decoder without its silence: whatever fails in a handler is reported, never swallowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ib_async.decoder import Decoder

from ibfloor.broker.ib.wrapper import IbWrapper

OnFailure = Callable[[Exception, str], None]
"""Called with what was raised and the message it was raised by: a fact may have been lost."""

_EMPTY: dict[type, Any] = {int: 0, float: 0.0, str: "", bool: False}


class LoudDecoder(Decoder):
    """Decode messages for one session; owner: the session's thread."""

    def __init__(self, wrapper: IbWrapper, on_failure: OnFailure) -> None:
        self._on_failure = on_failure
        super().__init__(wrapper, 0)  # type: ignore[arg-type]  # the library types its own wrapper only

    def wrap(self, methodName: str, types: list[type], skip: int = 2) -> Callable[[list[str]], None]:  # noqa: N803
        """Return a handler that converts fields by type and calls the wrapper; errors rise to ``interpret``."""
        method = getattr(self.wrapper, methodName)

        def handler(fields: list[str]) -> None:
            method(*[_convert(kind, field) for kind, field in zip(types, fields[skip:], strict=False)])

        return handler

    def interpret(self, fields: list[str]) -> None:
        """Decode one message; report any failure."""
        try:
            handler = self.handlers.get(int(fields[0]))
            if handler is None:
                raise ValueError(f"message id {fields[0]} is not known to ib_async")
            handler(fields)
        except Exception as error:  # noqa: BLE001 - the one place where a lost message is turned into a report
            self._on_failure(error, ",".join(fields)[:300])


def _convert(kind: type, field: str) -> Any:
    if not field:
        return _EMPTY[kind]
    return bool(int(field)) if kind is bool else kind(field)
