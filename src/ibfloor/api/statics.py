"""The pages' files, held in memory: known names only, so no path can lead anywhere else."""

from __future__ import annotations

import gzip
import hashlib
from importlib import resources
from importlib.resources.abc import Traversable

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from ibfloor.api.problem import Problem
from ibfloor.model.errors import ConfigError

TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
    "txt": "text/plain; charset=utf-8",
}
PACKED = frozenset({"html", "js", "mjs", "css", "svg", "txt"})
PLACEHOLDER = b"{{static}}"


class StaticFile(msgspec.Struct, frozen=True):
    """One file as it is sent."""

    content: bytes
    packed: bytes | None
    media_type: str


class Statics:
    """All files under one digest: a new version has new addresses, so caches may keep them for ever."""

    def __init__(self, files: dict[str, bytes]) -> None:
        if "vendor/preact.mjs" not in files:
            raise ConfigError("the pages' libraries are missing: run `npm ci`, then `python scripts/vendor.py`")
        digest = hashlib.sha256()
        for name in sorted(files):
            digest.update(name.encode() + b"\0" + files[name])
        self.prefix = f"/static/{digest.hexdigest()[:16]}"
        self._files = {name: _prepared(name, content, self.prefix) for name, content in files.items()}

    def answer(self, name: str, request: Request, *, is_page: bool = False) -> Response:
        """Return a file, packed when the caller can unpack; raise ``Problem`` 404 for an unknown name."""
        file = self._files.get(name)
        if file is None:
            raise Problem(404, "there is no such page")
        caching = "no-cache" if is_page else "public, max-age=31536000, immutable"
        headers = {"cache-control": caching, "vary": "accept-encoding"}
        if file.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(file.packed, media_type=file.media_type, headers={**headers, "content-encoding": "gzip"})
        return Response(file.content, media_type=file.media_type, headers=headers)


def load_statics() -> Statics:
    """Read the package's pages; raise ``ConfigError`` when their libraries were not installed."""
    return Statics(dict(_walk(resources.files("ibfloor.gui"), "")))


def static_routes(statics: Statics) -> APIRouter:
    """Serve the pages and their files to anybody."""
    router = APIRouter()

    @router.get("/")
    async def home(request: Request) -> Response:
        return statics.answer("index.html", request, is_page=True)

    @router.get("/login")
    async def login(request: Request) -> Response:
        return statics.answer("login.html", request, is_page=True)

    @router.get("/favicon.ico")
    async def icon(request: Request) -> Response:
        return statics.answer("icon.svg", request)

    @router.get(statics.prefix + "/{name:path}")
    async def file(name: str, request: Request) -> Response:
        return statics.answer(name, request)

    return router


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found = []
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            found += _walk(entry, f"{name}/")
        elif entry.name.rpartition(".")[2] in TYPES:
            found.append((name, entry.read_bytes()))
    return found


def _prepared(name: str, content: bytes, prefix: str) -> StaticFile:
    kind = name.rpartition(".")[2]
    if kind == "html":
        content = content.replace(PLACEHOLDER, prefix.encode())
    packed = gzip.compress(content, mtime=0) if kind in PACKED else None
    return StaticFile(content, packed, TYPES[kind])
