"""The page of the books, on the real floor: what happens at the broker is resolved in a browser."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ibfloor.model.money import USD
from ibfloor.sim.faults import Fault
from ibfloor.sim.faults import actions as do
from ibfloor.sim.gateway.console import ask_console, console_path
from ibfloor.sim.gateway.happenings import Deposit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
Start = Callable[..., Any]
SPY = 756733


class Demo:
    """The demo as a person starts it, its login link, and the console of its gateway."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ibfloor", "demo", "--home", str(home), "--no-browser", "--for", "140"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        line = next(line for line in self.process.stderr if "/login#" in line)
        self.login_link = "http://" + line.partition("http://")[2].strip()
        self.console = console_path(tomllib.loads((home / "floor.toml").read_text())["gateway"]["port"])

    def deposit(self, amount: str) -> None:
        event = Deposit(at="", currency=USD, amount=Decimal(amount))
        ask_console(self.console, "happen", events=[event])

    def trade_by_hand(self, qty: int) -> None:
        what = do.ManualOrder(symbol="SPY", qty=Decimal(qty), limit_px=Decimal(10_000))
        ask_console(self.console, "inject", faults=[Fault(name=f"by hand {qty}", what=what)])


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    started = Demo(tmp_path / "home")
    yield started
    started.process.terminate()
    started.process.communicate(timeout=60)


def open_books(page: Any, demo: Demo) -> None:
    page.page.goto(demo.login_link)
    page.until("document.querySelectorAll('tr[data-strategy]').length === 5")
    page.page.click("nav a[href='#books'] >> visible=true")
    page.until("document.querySelector('[data-test=breaks]') !== null")


def test_a_break_is_shown_resolved_and_undone_in_the_browser(demo: Demo, visit: Start, tmp_path: Path) -> None:
    books = visit()
    open_books(books, demo)
    demo.deposit("5000")
    books.until("document.querySelector('[data-break=\"cash:USD\"]')?.textContent.includes('Deposit')", timeout_s=60)
    books.page.screenshot(path=str(tmp_path / "books-break.png"))
    books.page.click("[data-break='cash:USD'] button.primary")
    assert books.page.is_disabled("[data-test=booking-preview]"), "a reason is needed"
    books.page.fill("[data-test=booking-reason]", "new money")
    books.page.click("[data-test=booking-preview]")
    books.until("document.querySelector('[data-test=booking-shown]') !== null")
    assert "nothing would remain" in books.page.inner_text("[data-test=booking]")
    assert books.page.locator("[data-entry]").count() == 0, "a preview books nothing"
    books.page.screenshot(path=str(tmp_path / "books-preview.png"))
    books.page.click("[data-test=booking-confirm]", click_count=2)  # twice pressed, once booked
    books.until("document.querySelector('[data-break=\"cash:USD\"]') === null", timeout_s=60)
    books.until("document.querySelectorAll('[data-entry]').length === 1")
    books.page.click("[data-entry] button.link")
    books.page.fill("[data-test=booking-reason]", "it was a loan")
    books.page.click("[data-test=booking-preview]")
    books.page.click("[data-test=booking-confirm]")
    books.until("document.querySelector('[data-break=\"cash:USD\"]') !== null", timeout_s=60)
    books.until("document.querySelectorAll('[data-entry]').length === 2")
    assert books.complaints == []


def test_what_was_traded_by_hand_is_given_to_a_strategy_on_a_phone(demo: Demo, visit: Start, tmp_path: Path) -> None:
    books = visit(390, 844, has_touch=True, is_mobile=True)
    open_books(books, demo)
    demo.trade_by_hand(40)
    held = "document.querySelector('tbody[data-book=UNASSIGNED] .holding-row')?.textContent ?? ''"
    books.until(f"({held}).includes('+40')", timeout_s=60)
    assert books.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    books.page.screenshot(path=str(tmp_path / "books-phone.png"))
    books.page.click("[aria-label='Move SPY of UNASSIGNED']")
    books.page.fill("[data-test=field-qty]", "15")
    books.page.fill("[data-test=booking-reason]", "bought for it")
    taker = books.page.input_value("[data-test=field-taker]")
    books.page.click("[data-test=booking-preview]")
    books.until("document.querySelector('[data-test=booking-shown]') !== null")
    books.page.screenshot(path=str(tmp_path / "books-phone-preview.png"))
    books.page.click("[data-test=booking-confirm]")
    books.until(f"({held}).includes('+25')")
    books.until(f"document.querySelector('tbody[data-book={taker}]')?.textContent.includes('SPY')")
    small = books.page.evaluate(
        """[...document.querySelectorAll('main button, .bottom-nav a')]
            .filter((each) => each.offsetHeight && each.offsetHeight < 40).map((each) => each.className)"""
    )
    assert small == []
    assert books.complaints == []
