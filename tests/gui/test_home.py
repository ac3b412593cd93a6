from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

Start = Callable[..., Any]
ROW_STATE = "document.querySelector('tr[data-strategy={}]').dataset.state"


def test_a_stranger_gets_the_login_page_and_a_used_link_does_not_open(start_floor: Start, visit: Start) -> None:
    floor = start_floor()
    owner, stranger = visit(), visit()
    stranger.page.goto(floor.url)
    stranger.until("location.pathname === '/login'")
    owner.log_in(floor)
    stranger.page.goto("about:blank")
    stranger.page.goto(floor.login_link)
    stranger.until("document.getElementById('said').textContent.includes('used already')")
    assert stranger.page.evaluate("location.hash") == ""
    assert "ibfloor login" in stranger.page.inner_text("main")


def test_a_link_pasted_into_a_tab_on_the_login_page_opens_it(start_floor: Start, visit: Start) -> None:
    floor = start_floor()
    home = visit()
    home.page.goto(f"{floor.url}/login#too-old")
    home.until("document.getElementById('said').textContent.includes('too old')")
    home.page.goto(floor.login_link)  # only the fragment changes: nothing is loaded anew
    home.until("document.querySelectorAll('tr[data-strategy]').length > 5")


def test_the_headers_figures_add_up(start_floor: Start, visit: Start) -> None:
    floor = start_floor()
    home = visit()
    home.log_in(floor)
    read = """['unrealised', 'realised', 'fees', 'day'].map((name) => {
        const text = document.querySelector(`[data-test=${name}]`).textContent;
        return Math.round(100 * Number(text.replace('\u2212', '-').replace(',', '').match(/^[-+]?\\d+\\.\\d\\d/)[0]));
    })"""
    *parts, day = home.page.evaluate(read)
    assert sum(parts) == day  # the feed's ledger began today
    assert parts[2] < 0


def test_a_time_of_another_day_shows_its_date(start_floor: Start, visit: Start) -> None:
    floor = start_floor()
    home = visit()
    home.log_in(floor)
    times = home.page.evaluate(
        "[...document.querySelectorAll('tr[data-order] td.time')].map((cell) => cell.textContent)"
    )
    assert [time[:6] for time in times if len(time) > 8] == ["30 Sep"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_visit_is_dark_whatever_the_system_prefers_and_later_ones_as_chosen(
    start_floor: Start, visit: Start, scheme: str
) -> None:
    floor = start_floor()
    home = visit(color_scheme=scheme)
    home.log_in(floor)
    assert home.page.evaluate("document.documentElement.dataset.theme") == "dark"
    home.page.click("button.theme")
    home.page.reload()
    home.until("document.querySelector('button.theme') !== null")
    assert home.page.evaluate("document.documentElement.dataset.theme") == "light"


@pytest.mark.parametrize("width", [1440, 390])
def test_no_key_figure_is_cut(start_floor: Start, visit: Start, width: int) -> None:
    floor = start_floor()
    home = visit(width, 900)
    home.log_in(floor)
    cut = home.page.evaluate(
        """[...document.querySelectorAll('.kpi-label, .kpi b, .kpi small, .strip, .strategies .scroll')]
            .filter((box) => box.scrollWidth > box.clientWidth && box.clientWidth).map((box) => box.textContent)"""
    )
    assert cut == []
    assert "Largest order" in home.page.inner_text(".kpis")


def test_numbers_live_without_one_foreign_request_or_complaint(start_floor: Start, visit: Start) -> None:
    floor = start_floor()
    home = visit()
    home.log_in(floor)
    first = home.text("net")
    home.until(f"document.querySelector('[data-test=net]').textContent !== '{first}'")
    home.until("document.querySelector('[data-test=candles] canvas') !== null")
    home.until("document.querySelector('[data-test=legend]').textContent.includes('buy fill')")
    assert home.text("mode") == "PAPER"
    assert "ET" in home.text("clock")
    assert "60×" in home.text("clock")
    assert "IB Gateway" in home.text("connection")
    assert home.complaints == []
    assert [url for url in home.requests if not url.startswith(floor.url)] == []


def test_what_others_wrote_reaches_the_page_as_letters(start_floor: Start, visit: Start) -> None:
    floor = start_floor("--broken")
    home = visit()
    home.log_in(floor)
    assert "<img" in home.text("banner-break")
    assert "<img" in home.page.inner_text(".lines")
    assert home.page.locator("main img").count() == 0


def test_a_break_is_read_whole_on_a_phone(start_floor: Start, visit: Start) -> None:
    floor = start_floor("--broken")
    home = visit(390, 844, has_touch=True, is_mobile=True)
    home.log_in(floor)
    texts = home.page.evaluate(
        """[...document.querySelectorAll('[data-test=banner-break]')].map((banner) => {
            const text = banner.querySelector('span');
            return [text.scrollWidth - text.clientWidth, text.clientWidth / banner.clientWidth, text.clientHeight];
        })"""
    )
    assert len(texts) == 2
    for cut, share, height in texts:
        assert cut <= 0
        assert share > 0.85
        assert height < 45, "two lines at most"
    assert home.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [1440, 390])
def test_no_part_of_a_log_line_lies_over_another(start_floor: Start, visit: Start, width: int) -> None:
    floor = start_floor("--broken")
    home = visit(width, 900)
    home.log_in(floor)
    cut = home.page.evaluate(
        """[...document.querySelectorAll('.line b')].filter((word) => word.scrollWidth > word.clientWidth
            && getComputedStyle(word).display !== 'inline').map((word) => word.textContent)"""
    )
    assert cut == []
    assert "CRITICAL" in home.page.inner_text(".lines")


def test_what_a_break_asks_for_is_an_amount_of_its_currency(start_floor: Start, visit: Start) -> None:
    floor = start_floor("--broken")
    home = visit(390, 844)
    home.log_in(floor)
    home.page.click("nav a[href='#books'] >> visible=true")
    home.page.click("[data-break='cash:USD'] button >> nth=-1")
    assert home.page.input_value("[data-test=field-amount]") == "5000.00"
    home.page.keyboard.press("Escape")
    home.page.click("[data-break='position:756733'] button >> nth=-1")
    assert home.page.input_value("[data-test=field-qty]") == "200"


def test_errors_are_pinned_first_and_a_strategy_obeys_its_buttons(start_floor: Start, visit: Start) -> None:
    floor = start_floor()
    home = visit()
    home.log_in(floor)
    assert home.page.evaluate("document.querySelector('tr[data-strategy]').dataset.state") == "FAILED"
    home.page.click("[aria-label='Pause gap-fade']")
    home.until(ROW_STATE.format("gap-fade") + " === 'PAUSED'")
    home.page.click("[aria-label='Resume gap-fade']")
    home.until(ROW_STATE.format("gap-fade") + " === 'RUNNING'")
    home.page.click("[aria-label='Stop gap-fade']")
    home.until(ROW_STATE.format("gap-fade") + " === 'STOPPED'")
    home.page.click(".strategies .segment >> text=Stopped")
    home.until("document.querySelectorAll('tr[data-strategy]').length === 3")


def test_chart_orders_and_selection_follow_one_another(start_floor: Start, visit: Start) -> None:
    floor = start_floor()
    home = visit()
    home.log_in(floor)
    home.page.click("tr[data-strategy=pairs-ko-pep] td.symbol")
    home.until("document.querySelector('.chart h2').textContent === 'KO'")
    home.page.click(".chart .segment >> text=PEP")
    home.until("document.querySelector('.chart h2').textContent === 'PEP'")
    home.page.click(".chart .segment >> text=5m")
    home.page.check(".only input")
    home.until(
        "[...document.querySelectorAll('tr[data-order]')].every((row) => row.dataset.order.startsWith('pairs-ko-pep'))"
    )
    home.page.click("[role=tab] >> text=Fills")
    home.until("document.querySelector('.fill-row') !== null")
    home.page.click("[role=tab] >> text=Positions")
    home.until("document.querySelectorAll('.position-row').length === 2")
    assert home.complaints == []


def test_a_working_order_and_then_all_of_them_can_be_canceled(start_floor: Start, visit: Start) -> None:
    floor = start_floor()
    home = visit()
    home.log_in(floor)
    count = int(home.text("count-orders"))
    assert count > 2
    home.page.click("tr[data-order] td.acts button >> nth=0")
    home.until(f"document.querySelector('[data-test=count-orders]').textContent === '{count - 1}'")
    home.page.click("[data-test=cancel-all]")
    assert int(home.text("count-orders")) == count - 1  # the first press only asks
    home.page.click("[data-test=cancel-all]")
    home.until("document.querySelector('[data-test=count-orders]').textContent === '0'")


def test_a_working_order_is_never_lost_among_many_others(start_floor: Start, visit: Start) -> None:
    floor = start_floor("--crowded")
    home = visit()
    home.log_in(floor)
    working = int(home.text("count-orders"))
    states = home.page.evaluate("[...document.querySelectorAll('tr[data-order]')].map((row) => row.dataset.status)")
    assert len(states) == 200
    assert sum(state in ("NEW", "PARTIALLY_FILLED") for state in states[: working - 1]) == working - 1
    assert "1 more working order" in home.text("unseen")
    home.page.click("[data-test=stop-all]")
    assert f"{working} working orders" in home.text("stop-counts")


def test_the_stop_needs_a_hold_and_shows_every_order_until_none_works(start_floor: Start, visit: Start) -> None:
    floor = start_floor()
    home = visit()
    home.log_in(floor)
    working = int(home.text("count-orders"))
    home.page.click("[data-test=stop-all]")
    assert f"{working} working orders" in home.text("stop-counts")
    home.page.click("[data-test=hold]", delay=400)  # too short
    home.page.wait_for_timeout(1200)
    assert home.page.locator("[data-test=banner-halt]").count() == 0
    home.page.click("[data-test=hold]", delay=1500)
    home.until(f"document.querySelectorAll('.progress li').length === {working}")
    home.until("document.querySelector('[data-test=stop-progress]').textContent.includes('No working order remains')")
    assert home.page.locator(".progress .is-done").count() == working
    home.page.click("[data-test=stop-close]")
    home.until("document.querySelectorAll('tr[data-state=RUNNING]').length === 0")
    assert "Trading is halted" in home.text("banner-halt")
    home.until("document.querySelector('footer').textContent.includes('Strategies closed')")
    assert home.page.locator("footer .is-down").count() == 0
    assert home.page.locator("tr[data-strategy] button[aria-label^=Start]:enabled").count() == 0
    _reset(home)
    home.until("document.querySelector('tr[data-strategy] button[aria-label^=Start]:enabled') !== null")


def _reset(home: Any) -> None:
    home.page.click("[data-test=reset]")
    assert home.page.is_disabled("[data-test=reset-confirm]")
    home.page.fill("[data-test=reset-reason]", "drill is over")
    home.page.click("[data-test=reset-confirm]")
    home.until("document.querySelector('[data-test=banner-halt]') === null")


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_stop_can_be_held_by_keyboard(start_floor: Start, visit: Start, key: str) -> None:
    floor = start_floor()
    home = visit()
    home.log_in(floor)
    home.page.focus("[data-test=stop-all]")
    home.page.keyboard.press("Enter")
    home.until("document.querySelector('[data-test=stop-dialog]')?.open")
    home.page.focus("[data-test=hold]")
    home.page.keyboard.press(key)
    home.page.wait_for_timeout(1400)
    assert home.page.locator("[data-test=banner-halt]").count() == 0
    home.page.keyboard.down(key)
    home.until("document.querySelector('[data-test=banner-halt]') !== null")
    home.page.keyboard.up(key)
    home.until("document.querySelector('[data-test=stop-progress]').textContent.includes('No working order remains')")


@pytest.mark.parametrize(("scope", "target"), [("strategy", "gap-fade"), ("instrument", "QQQ")])
def test_the_stop_can_reach_one_strategy_or_instrument_and_its_reset_asks_for_the_passphrase(
    start_floor: Start, visit: Start, scope: str, target: str
) -> None:
    floor = start_floor("--mode", "live")
    home = visit(390, 844)
    home.log_in(floor)
    home.page.click("[data-test=stop-all]")
    home.page.click(f"[data-test=scope-{scope}]")
    home.page.click("[data-test=hold]", delay=1500, force=True)  # nothing is chosen yet
    assert home.page.locator("[data-test=banner-halt]").count() == 0
    home.page.select_option("[data-test=stop-target]", target)
    home.page.click("[data-test=hold]", delay=1500)
    home.until("document.querySelector('[data-test=stop-progress]')?.textContent.includes('No working order remains')")
    assert f"{target} is halted" in home.text("stop-progress")
    home.page.click("[data-test=stop-close]")
    assert f"{target} is halted" in home.text("banner-halt")
    assert "ann (web)" in home.text("banner-halt")
    running = home.page.evaluate("document.querySelectorAll('tr[data-state=RUNNING]').length")
    assert running == (7 if scope == "strategy" else 8), "the others trade on"
    wide = home.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    home.page.click("[data-test=reset]")
    home.page.fill("[data-test=reset-reason]", "drill is over")
    home.page.fill("[data-test=reset-passphrase]", "wrong")
    home.page.click("[data-test=reset-confirm]")
    home.until("document.querySelector('[data-test=notice]')?.textContent.includes('passphrase')")
    home.page.fill("[data-test=reset-passphrase]", "horse battery staple")
    home.page.click("[data-test=reset-confirm]")
    home.until("document.querySelector('[data-test=banner-halt]') === null")
    assert home.complaints == [] or all("409" in each for each in home.complaints)


def test_a_lost_floor_turns_the_page_stale_and_its_return_mends_it(start_floor: Start, visit: Start) -> None:
    floor = start_floor()
    home = visit()
    home.log_in(floor)
    floor.feed.kill()
    home.until("document.querySelector('.shell.is-stale [data-test=banner-stale]') !== null")
    floor.start_feed()
    home.until("document.querySelector('[data-test=banner-stale]') === null")
    first = home.text("net")
    home.until(f"document.querySelector('[data-test=net]').textContent !== '{first}'")


def test_a_restarted_web_process_sends_the_page_to_the_login(start_floor: Start, visit: Start) -> None:
    floor = start_floor()
    home = visit()
    home.log_in(floor)
    assert floor.web.end() == 0
    home.until("document.querySelector('[data-test=banner-stale]')?.textContent.includes('web process')")
    floor.start_web(floor.port)
    home.until("location.pathname === '/login'")


def test_a_phone_scrolls_one_way_and_fits_a_thumb(start_floor: Start, visit: Start) -> None:
    floor = start_floor()
    home = visit(390, 844, has_touch=True, is_mobile=True)
    home.log_in(floor)
    assert home.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = home.page.evaluate(
        """[...document.querySelectorAll('button, nav a')].filter((button) => {
            const box = button.getBoundingClientRect();
            return box.width > 0 && !button.closest('td.name, th') && (box.height < 40 || box.width < 40);
        }).map((button) => button.outerHTML.slice(0, 120))"""
    )
    assert small == []
    for what in ("[data-test=clock]", "header .theme", "header [aria-label='Log out']"):
        assert home.page.is_visible(what)
    for name in ("Strategies", "Orders", "Log", "Home"):
        home.page.click(f".bottom-nav >> text={name}")
        home.until(f"document.querySelector('.bottom-nav [aria-current]').textContent === '{name}'")
    home.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert home.page.evaluate("document.querySelector('[data-test=stop-all]').getBoundingClientRect().top < 60")


def test_logging_out_closes_the_page_in_every_window(start_floor: Start, visit: Start) -> None:
    floor = start_floor()
    home = visit()
    home.log_in(floor)
    other = home.page.context.new_page()
    other.goto(floor.url)
    other.wait_for_selector("tr[data-strategy]")
    home.page.click("text=Log out")
    other.wait_for_url("**/login")
