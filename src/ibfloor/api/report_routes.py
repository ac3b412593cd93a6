"""Statements and performance over HTTP, made from the journal when they are asked for."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from threading import Lock
from typing import Annotated, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from ibfloor.api.guard import Guard
from ibfloor.api.problem import Problem
from ibfloor.api.settings import WebSettings
from ibfloor.model.errors import FloorError
from ibfloor.model.ids import StrategyId
from ibfloor.portfolio.chronicle import Chronicle
from ibfloor.portfolio.statement import Statement
from ibfloor.portfolio.worth import ACCOUNT
from ibfloor.reports.days import DAY_ZONE
from ibfloor.reports.performance import records
from ibfloor.reports.statement_css import CSS
from ibfloor.reports.statement_csv import statement_csv
from ibfloor.reports.statement_html import statement_html
from ibfloor.reports.writing import days_told, read_chronicle, statements_of

FRESH_S = 5.0
"""How long a journal that was read is used again: a page may ask for several books at once."""

Day = Annotated[str, Path(pattern=r"^\d{4}-\d{2}-\d{2}$")]
SomeDay = Annotated[str, Query(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
Book = Annotated[str, Query(max_length=64)]

_encode = msgspec.json.Encoder().encode
_STYLE = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
_CSP = f"default-src 'none'; style-src 'sha256-{_STYLE}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class Journal:
    """The journal's story, read at most every few seconds. Called on threads of the server's pool."""

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._story: Chronicle | None = None
        self._read_s = 0.0

    def story(self) -> Chronicle:
        """Return what the journal tells now."""
        with self._lock:
            if self._story is None or time.monotonic() - self._read_s > FRESH_S:
                self._story = read_chronicle(self._settings.home_path, DAY_ZONE, self._settings.lots)
                self._read_s = time.monotonic()
            return self._story


def report_routes(guard: Guard, settings: WebSettings) -> APIRouter:
    """Return the report routes; each needs a session. They are plain functions: the server's pool runs them."""
    router = APIRouter(prefix="/api/v1/reports", dependencies=[Depends(guard.require_session)])
    journal = Journal(settings)

    @router.get("/days")
    def days() -> Response:
        return _json({"days": _told(lambda: days_told(journal.story(), DAY_ZONE))})

    @router.get("/statements/{day}")
    def statement(day: Day, book: Book = ACCOUNT, form: Annotated[str, Query(max_length=4)] = "json") -> Response:
        made = _told(lambda: statements_of(journal.story(), day, DAY_ZONE))
        one = made.get(StrategyId(book))
        if one is None:
            raise Problem(404, f"there is no book {book!r} on {day}; there are {', '.join(made)}", field="book")
        return _in_form(one, form, settings.floor)

    @router.get("/performance")
    def performance(book: Book = ACCOUNT, since: SomeDay = "", until: SomeDay = "") -> Response:
        found = _told(lambda: records(journal.story(), DAY_ZONE, since=since, until=until))
        if StrategyId(book) not in found:
            raise Problem(404, f"there is no book {book!r}; there are {', '.join(found)}", field="book")
        return _json(found[StrategyId(book)])

    return router


def _in_form(one: Statement, form: str, floor: str) -> Response:
    name = f"{one.day}-{one.owner}.{form}"
    match form:
        case "json":
            return _json(one)
        case "csv":
            headers = {"content-disposition": f'attachment; filename="{name}"'}
            return Response(statement_csv(one, DAY_ZONE), media_type="text/csv; charset=utf-8", headers=headers)
        case "html":
            page = statement_html(one, DAY_ZONE, floor=floor)
            return Response(page, media_type="text/html; charset=utf-8", headers={"content-security-policy": _CSP})
        case _:
            raise Problem(422, f"form: {form!r} is not one of json, html, csv", field="form")


T = TypeVar("T")


def _told(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except FloorError as error:
        raise Problem(404, str(error)) from None


def _json(value: object) -> Response:
    return Response(_encode(value), media_type="application/json")
