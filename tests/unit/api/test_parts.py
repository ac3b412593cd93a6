from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ibfloor.api.hub import FRAMES_MAX, Lane, Page
from ibfloor.api.login import LoginDesk
from ibfloor.api.passwords import PasswordFile, save_password
from ibfloor.api.problem import Problem
from ibfloor.api.sessions import IDLE_S, LIFE_S, Sessions
from ibfloor.api.settings import WebSettings
from ibfloor.control.protocol import ViewChanges
from ibfloor.model.errors import ConfigError

Run = Callable[[Awaitable[Any]], Any]


class Clock:
    """Monotonic seconds, moved by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_session_ends_when_idle_and_at_the_latest_after_a_week() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    cookie, session = sessions.start("link")
    clock.now_s += IDLE_S - 1
    assert sessions.find(cookie) == session
    clock.now_s += IDLE_S + 1
    assert sessions.find(cookie) is None
    cookie, session = sessions.start("link")
    for _ in range(int(LIFE_S / (IDLE_S / 2)) + 1):
        clock.now_s += IDLE_S / 2
        sessions.find(cookie)
    assert sessions.find(cookie) is None


def test_the_cookie_itself_is_not_kept() -> None:
    sessions = Sessions(Clock())
    cookie, session = sessions.start("link")
    assert cookie not in repr(vars(sessions))
    assert cookie not in repr(session)


def test_a_printed_login_token_grows_old(tmp_path: Path) -> None:
    clock = Clock()
    desk = LoginDesk(tmp_path, PasswordFile(None), clock, token="secret", token_ttl_s=60)
    clock.now_s += 61
    with pytest.raises(Problem, match="too old"):
        desk.redeem("secret")


@pytest.mark.slow
def test_the_password_file_is_private_and_holds_no_password(tmp_path: Path) -> None:
    path = tmp_path / "web-password"
    assert not PasswordFile(path).is_set
    assert not PasswordFile(path).verify("")
    save_password(path, "correct horse")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("$argon2id$")
    assert PasswordFile(path).verify("correct horse")
    assert not PasswordFile(path).verify("correct horsE")


def test_a_short_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="10 to 256 characters"):
        save_password(tmp_path / "p", "short")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_an_address_others_can_reach_needs_tls(host: str) -> None:
    with pytest.raises(ConfigError, match="there is no TLS"):
        WebSettings(home=".", host=host).check()
    WebSettings(home=".", host=host, tls_certificate="c.pem", tls_key="k.pem").check()
    WebSettings(home=".", host="127.0.0.1").check()


def test_changes_between_beats_are_merged_and_encoded_once_for_all_pages(run: Run) -> None:
    async def story() -> None:
        lane, pages = Lane(), [Page("s"), Page("s")]
        lane.pages.update(pages)
        for page in pages:
            assert json.loads(await page.next_frame(lambda: lane.snapshot({"risk": {}}, "")) or "")["seq"] == 0
        lane.add(ViewChanges(seq=1, rows={"risk": {"a": {"used": "1", "limit": "9"}, "b": {"used": "2"}}}))
        lane.add(ViewChanges(seq=2, rows={"risk": {"a": {"used": "3"}, "b": None}}))
        lane.beat("")
        frames = [await page.next_frame(lambda: "") for page in pages]
        assert frames[0] is frames[1]
        assert json.loads(frames[0] or "") == {
            "seq": 1,
            "stale": "",
            "changed": {"risk": {"a": {"used": "3", "limit": "9"}, "b": None}},
        }

    run(story())


def test_a_page_that_does_not_read_gets_one_snapshot_instead_of_a_backlog(run: Run) -> None:
    async def story() -> None:
        lane, page = Lane(), Page("s")
        lane.pages.add(page)
        await page.next_frame(lambda: "first")
        for _ in range(FRAMES_MAX + 5):
            lane.beat("")
        assert json.loads(await page.next_frame(lambda: lane.snapshot({}, "")) or "")["seq"] == FRAMES_MAX + 5
        lane.beat("")
        assert json.loads(await page.next_frame(lambda: "") or "")["seq"] == FRAMES_MAX + 6

    run(story())


def test_a_closed_page_ends_its_wait(run: Run) -> None:
    async def story() -> None:
        page = Page("s")
        await page.next_frame(lambda: "first")
        waiting = asyncio.create_task(page.next_frame(lambda: ""))
        await asyncio.sleep(0)
        page.close()
        assert await waiting is None

    run(story())
