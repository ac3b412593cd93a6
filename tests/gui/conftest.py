from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

FEED = Path(__file__).parent / "feed.py"
TOKEN = "one-time-token-for-the-browser"
CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str:
    """Return a Chromium to test with, or skip so that nobody overlooks it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("IBFLOOR_CHROMIUM") or next(filter(None, map(shutil.which, names)), "")
    if not found:
        text = "BROWSER TESTS SKIPPED: there is no Chromium; install it, or set IBFLOOR_CHROMIUM to its path"
        sys.__stderr__ and sys.__stderr__.write(f"\n{'!' * 88}\n{text}\n{'!' * 88}\n")
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.warn(text, stacklevel=1)
        pytest.skip(text)
    return found


class Process:
    """A child that says when it is ready, and ends when its standard input does."""

    def __init__(self, *command: str, first_line: str = "") -> None:
        self._child = subprocess.Popen([sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if first_line:
            _pipe(self._child.stdin).write(first_line.encode() + b"\n")
            _pipe(self._child.stdin).flush()
        self.ready: dict[str, Any] = json.loads(_pipe(self._child.stdout).readline())

    def end(self) -> int:
        if self._child.poll() is None:
            _pipe(self._child.stdin).close()
        try:
            return self._child.wait(15)
        finally:
            self._child.kill()
            _pipe(self._child.stdout).close()

    def kill(self) -> None:
        self._child.kill()
        self.end()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


class Floor:
    """A feed and the web process over it, both real processes."""

    def __init__(self, home: Path, *feed_args: str) -> None:
        self.home = home
        self._feed_args = feed_args
        self.feed = self.start_feed()
        self.web = self.start_web(0)
        self.port: int = self.web.ready["port"]
        self.url = f"http://127.0.0.1:{self.port}"
        self.login_link = f"{self.url}/login#{TOKEN}"

    def start_feed(self) -> Process:
        self.feed = Process(str(FEED), "--home", str(self.home), *self._feed_args)
        return self.feed

    def start_web(self, port: int) -> Process:
        settings = {"home": str(self.home), "port": port, "login_token": TOKEN, "parent_pipe": True}
        self.web = Process("-m", "ibfloor.api", first_line=json.dumps(settings))
        return self.web

    def end(self) -> None:
        self.web.end()
        self.feed.end()


@pytest.fixture
def start_floor(tmp_path: Path) -> Iterator[Callable[..., Floor]]:
    chromium()
    started: list[Floor] = []

    def start(*feed_args: str) -> Floor:
        started.append(Floor(tmp_path, *feed_args))
        return started[-1]

    yield start
    for floor in started:
        floor.end()


class Visit:
    """One page of one browser, and everything it complained about or asked of others."""

    def __init__(self, page: Any, error: type[Exception]) -> None:
        self.page = page
        self._error = error
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def _on_console(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def until(self, script: str, *, timeout_s: float = 30.0) -> Any:
        """Wait until a script's value is true. Playwright's own wait needs eval, which the CSP forbids."""
        for _ in range(int(timeout_s * 20)):
            try:
                value = self.page.evaluate(script)
            except self._error as error:
                if "context was destroyed" not in str(error):
                    raise
                value = None  # the page was going elsewhere
            if value:
                return value
            self.page.wait_for_timeout(50)
        raise AssertionError(f"never true: {script}")

    def text(self, name: str) -> str:
        return str(self.page.evaluate(f"document.querySelector('[data-test={name}]')?.textContent ?? ''"))

    def log_in(self, floor: Floor) -> None:
        self.page.goto(floor.login_link)
        self.until("document.querySelectorAll('tr[data-strategy]').length > 5")


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[Callable[..., Visit]]:
    path = chromium()
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        opened: list[Any] = []

        def start(width: int = 1440, height: int = 900, **options: Any) -> Visit:
            context = playwright.chromium.launch_persistent_context(
                str(tmp_path / f"browser-{len(opened)}"),
                executable_path=path,
                args=list(CHROMIUM_FLAGS),
                viewport={"width": width, "height": height},
                **options,
            )
            opened.append(context)
            return Visit(context.pages[0], sync_api.Error)

        yield start
        for context in opened:
            context.close()
