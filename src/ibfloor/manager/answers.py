"""Answers between threads: given once, and to nobody when the asker has left."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def respond(answer: Future[T], find: Callable[[], T]) -> None:
    """Answer with what ``find`` returns or raises; do nothing when the asker no longer waits."""
    if not answer.set_running_or_notify_cancel():
        return
    try:
        answer.set_result(find())
    except Exception as error:  # noqa: BLE001 - carried to the asker, not swallowed
        answer.set_exception(error)
