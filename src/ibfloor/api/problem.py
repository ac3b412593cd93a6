"""What a caller is told when a request cannot be done: one shape for every error."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ibfloor.model.errors import ConnectivityError


class Problem(Exception):
    """A refusal with its HTTP status, a text for a person, and the field it is about."""

    def __init__(self, status: int, text: str, *, field: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.field = field


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every failed request as ``{"error": {"text", "field"}}``."""

    @app.exception_handler(Problem)
    async def on_problem(_: Request, problem: Problem) -> JSONResponse:
        return _answer(problem.status, problem.text, problem.field)

    @app.exception_handler(ConnectivityError)
    async def on_floor_gone(_: Request, error: ConnectivityError) -> JSONResponse:
        return _answer(503, str(error))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path", "header"))
        return _answer(422, f"{field or 'body'}: {first['msg']}", field)

    @app.exception_handler(HTTPException)
    async def on_http(_: Request, error: HTTPException) -> JSONResponse:
        return _answer(error.status_code, str(error.detail))


def _answer(status: int, text: str, field: str = "") -> JSONResponse:
    return JSONResponse({"error": {"text": text, "field": field}}, status_code=status)
