"""Where a key stands in a TOML text: tomllib reads values but does not say on which line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence

KeyPath = Sequence[str | int]
"""Keys from the top, and list indexes: ``("strategy", 1, "file")``."""


def line_of(text: str, path: KeyPath) -> int:
    """Return the 1-based line where the statement that brings ``path`` begins.

    For a path that is not there, return the line of its nearest parent that is; 1 when there is none.
    ``text`` must be valid TOML. The parser itself is the oracle: the answer is where the shortest
    readable head of the text that holds the path ends its predecessor, so multi-line strings, arrays,
    dotted and quoted keys need no rules of their own.
    """
    lines = text.splitlines(keepends=True) if "\r" not in text else text.replace("\r\n", "\n").splitlines(True)
    whole = _read_head(lines, len(lines))
    path = tuple(path)
    while path and (whole is None or not _holds(whole, path)):
        path = path[:-1]
    if not path:
        return 1
    return _first_line(lines, path)


def _first_line(lines: list[str], path: KeyPath) -> int:
    without, upto = 0, len(lines)  # the head of `without` lines lacks the path, that of `upto` has it
    while upto - without > 1:
        middle = (without + upto) // 2
        end, head = _next_readable(lines, middle, upto)
        if end == upto:  # one statement reaches from the middle to the end: look before it
            end, head = _last_readable(lines, without, middle)
            if end == without:
                break
        if _holds(head, path):
            upto = end
        else:
            without = end
    return without + 1


def _next_readable(lines: list[str], start: int, stop: int) -> tuple[int, dict[str, object]]:
    for end in range(start, stop):
        head = _read_head(lines, end)
        if head is not None:
            return end, head
    return stop, {}


def _last_readable(lines: list[str], start: int, stop: int) -> tuple[int, dict[str, object]]:
    for end in range(stop - 1, start, -1):
        head = _read_head(lines, end)
        if head is not None:
            return end, head
    return start, {}


def _read_head(lines: list[str], end: int) -> dict[str, object] | None:
    try:
        return tomllib.loads("".join(lines[:end]))
    except tomllib.TOMLDecodeError:
        return None


def _holds(value: object, path: KeyPath) -> bool:
    for key in path:
        match value:
            case dict() if key in value:
                value = value[key]
            case list() if isinstance(key, int) and key < len(value):
                value = value[key]
            case _:
                return False
    return True
