"""Take the pictures of docs/images from a running floor: the home page, a phone, the emergency stop.

``--link`` is the login link a floor printed; without it the demo is started, shown and ended.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
DESKTOP = (1440, 900)
PHONE = (390, 844)
DEMO_SETTLES_MS = 60_000
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars")


def main() -> None:
    """Take the three pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--link", help="the login link a running floor printed; default: start the demo")
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder of the pictures")
    parser.add_argument("--wait", type=float, default=None, help="seconds to let the floor work before the pictures")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with _floor(given.link) as link, _browser() as context:
        page = context.pages[0]
        page.goto(link)
        page.wait_for_selector("tr[data-strategy]", timeout=20_000)
        default_ms = 3000 if given.link else DEMO_SETTLES_MS
        page.wait_for_timeout(default_ms if given.wait is None else given.wait * 1000)
        _take(page, given.out)


def _take(page: Page, out: Path) -> None:
    _choose_running(page)
    page.screenshot(path=out / "home-desktop.png")
    page.click("[data-test=stop-all]")
    page.wait_for_timeout(400)
    page.screenshot(path=out / "emergency-stop.png")
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.wait_for_timeout(1500)
    page.evaluate("document.activeElement.blur()")
    page.screenshot(path=out / "home-phone.png")


def _choose_running(page: Page) -> None:
    page.click("tr[data-state=RUNNING] td.symbol >> nth=0")
    page.mouse.move(0, 0)
    page.wait_for_timeout(2000)


@contextmanager
def _browser() -> Iterator[BrowserContext]:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("IBFLOOR_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        sys.exit("pictures need Chromium: install it, or set IBFLOOR_CHROMIUM to its path")
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        size = {"width": DESKTOP[0], "height": DESKTOP[1]}
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=path,
            args=list(FLAGS),
            viewport=size,  # type: ignore[arg-type]
        )
        yield context
        context.close()


@contextmanager
def _floor(link: str | None) -> Iterator[str]:
    if link is not None:
        yield link
        return
    command = [sys.executable, "-m", "ibfloor", "demo", "--no-browser"]
    demo = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603
    try:
        yield _printed_link(demo)
    finally:
        demo.terminate()
        demo.communicate(timeout=30)


def _printed_link(demo: subprocess.Popen[str]) -> str:
    for line in demo.stderr or ():
        found = re.search(r"https?://\S+/login#\S+", line)
        if found:
            return found.group()
    sys.exit("the demo ended without a login link")


if __name__ == "__main__":
    main()
