from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from ibfloor.api.login import FAILURES_MAX, mint_login_token
from ibfloor.model.command import (
    AddStrategy,
    CancelAll,
    ChangeLimits,
    ConfirmOrder,
    EnableStrategy,
    FlattenKilled,
    Kill,
    PauseStrategy,
    ResetLimits,
    Unkill,
)

Run = Callable[[Awaitable[Any]], Any]
PASSWORD = "correct horse battery"
OPEN = {"/", "/login", "/favicon.ico", "/api/v1/login"}


async def until_live(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(10):
        while (await http.get("/api/v1/status")).json()["stale"]:  # noqa: ASYNC110 - asks until it is so
            await asyncio.sleep(0)


def test_every_route_but_login_and_files_needs_a_session(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running():
            closed = {
                path: list(methods)
                for path, methods in web.app._app.openapi()["paths"].items()
                if path not in OPEN and not path.startswith("/static/")
            }
            assert len(closed) > 12
            for template, methods in closed.items():
                path = template.replace("{topic}", "orders").replace("{name}", "a").replace("{verb}", "start")
                for method in methods:
                    answer = await web.http.request(method.upper(), path.replace("{cl_ord_id}", "a:1"))
                    assert answer.status_code == 401, (method, path)
            assert web.commands == []

    run(story())


def test_a_login_link_works_once(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running():
            await web.log_in()
            again = await web.http.post("/api/v1/login", json={"token": "one-time-token-for-tests"})
            assert again.status_code == 401
            assert "used already" in again.json()["error"]["text"]

    run(story())


def test_a_fresh_link_can_be_minted_while_the_web_process_runs(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running():
            token = mint_login_token(web.home)
            assert token not in (web.home / "web-login.json").read_text()
            assert (await web.http.post("/api/v1/login", json={"token": token})).status_code == 200
            assert not (web.home / "web-login.json").exists()
            assert (await web.http.post("/api/v1/login", json={"token": token})).status_code == 401

    run(story())


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running():
            answer = await web.http.post("/api/v1/login", json={"token": "one-time-token-for-tests"})
            cookie = answer.headers["set-cookie"].lower()
            assert cookie.startswith("ibfloor_8840=")
            assert "httponly" in cookie
            assert "samesite=strict" in cookie

    run(story())


@pytest.mark.slow
def test_the_password_locks_after_ten_wrong_ones_but_a_link_still_opens(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running(password=True):
            for _ in range(FAILURES_MAX):
                wrong = await web.http.post("/api/v1/login", json={"password": "wrong password"})
                assert wrong.status_code == 401
            right = await web.http.post("/api/v1/login", json={"password": PASSWORD})
            assert right.status_code == 429
            await web.log_in()

    run(story())


def test_the_right_password_opens(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running(password=True):
            assert (await web.http.post("/api/v1/login", json={"password": PASSWORD})).status_code == 200
            assert (await web.http.get("/api/v1/session")).json()["method"] == "password"

    run(story())


def test_logging_out_ends_the_session_on_the_server(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running():
            headers = await web.log_in()
            cookies = dict(web.http.cookies)
            assert (await web.http.post("/api/v1/logout", headers=headers)).status_code == 204
            web.http.cookies.update(cookies)
            assert (await web.http.get("/api/v1/session")).status_code == 401

    run(story())


@pytest.mark.parametrize(
    "change",
    [
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "guess"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
    ],
)
def test_another_sites_page_cannot_command(web: Any, run: Run, change: dict[str, str]) -> None:
    async def story() -> None:
        async with web.running():
            headers = await web.log_in()
            answer = await web.http.post("/api/v1/cancel-all", headers={**headers, **change})
            assert answer.status_code == 403
            assert web.commands == []

    run(story())


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8840", "127.0.0.1", "127.0.0.1:1", ""])
def test_a_foreign_host_name_is_not_answered(web: Any, run: Run, host: str) -> None:
    async def story() -> None:
        async with web.running():
            assert (await web.http.get("/", headers={"Host": host})).status_code == 421

    run(story())


def test_a_command_carries_the_key_the_actor_and_nothing_else(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running():
            headers = await web.log_in()
            await until_live(web.http)
            answers = [await web.http.post("/api/v1/strategies/sma/pause", headers=headers) for _ in range(3)]
            assert {answer.status_code for answer in answers} == {200}
            (command,) = web.commands
            assert isinstance(command, PauseStrategy)
            assert (command.command_id, command.strategy) == ("web:key-00000001", "sma")
            assert command.actor.startswith("web-")

    run(story())


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/cancel-all", None, CancelAll),
        ("/kill", {"reason": "test"}, Kill),
        ("/kill", {"reason": "test", "scope": "strategy", "target": "pairs"}, Kill),
        ("/kill/flatten", {"scope": "instrument", "target": "SPY"}, FlattenKilled),
        ("/unkill", {"reason": "test"}, Unkill),
        ("/limits", {"scope": "strategy.sma", "limits": {"max_order_qty": "5"}}, ChangeLimits),
        ("/limits/reset", {}, ResetLimits),
        ("/limits/reset", {"confirm": True, "passphrase": "correct horse"}, ResetLimits),
        ("/orders/sma:4/confirm", None, ConfirmOrder),
        ("/strategies/sma/enable", {"reason": "mended"}, EnableStrategy),
        ("/strategies", {"name": "new", "file": "strategies/new.py", "params": {"qty": 5}}, AddStrategy),
    ],
)
def test_commands_reach_the_floor(web: Any, run: Run, path: str, body: object, kind: type[object]) -> None:
    async def story() -> None:
        async with web.running():
            headers = await web.log_in()
            await until_live(web.http)
            answer = await web.http.post(f"/api/v1{path}", headers=headers, json=body)
            assert answer.status_code == 200, answer.text
            assert isinstance(web.commands[0], kind)

    run(story())


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/kill", {}, "reason"),
        ("/kill", {"reason": ""}, "reason"),
        ("/kill", {"reason": "a\nb"}, "reason"),
        ("/kill", {"reason": "x", "flatten": "yes"}, "flatten"),
        ("/kill", {"reason": "x", "actor": "admin"}, "actor"),
        ("/limits", {"scope": "risk", "limits": {}}, "limits"),
        ("/limits", {"scope": "risk", "limits": {"max_order_qty": 5}}, "limits.max_order_qty"),
        ("/limits", {"scope": "a\nb", "limits": {"max_order_qty": "5"}}, "scope"),
        ("/limits/reset", {"confirm": "yes"}, "confirm"),
        ("/strategies/sma/enable", {"reason": ""}, "reason"),
        ("/strategies", {"name": "../x", "file": "x.py"}, "name"),
        ("/strategies", {"name": "x", "file": "../../etc/passwd.py"}, "file"),
        ("/strategies", {"name": "x", "file": "x.sh"}, "file"),
        ("/strategies", {"name": "x", "file": "x.py", "params": {"a": {"b": 1}}}, "params.a.str"),
    ],
)
def test_a_bad_body_is_answered_with_its_field(web: Any, run: Run, path: str, body: object, field: str) -> None:
    async def story() -> None:
        async with web.running():
            headers = await web.log_in()
            answer = await web.http.post(f"/api/v1{path}", headers=headers, json=body)
            assert answer.status_code == 422
            assert answer.json()["error"]["field"] == field
            assert web.commands == []

    run(story())


def test_a_command_without_a_key_is_refused(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running():
            headers = await web.log_in()
            del headers["Idempotency-Key"]
            answer = await web.http.post("/api/v1/cancel-all", headers=headers)
            assert answer.status_code == 422
            assert answer.json()["error"]["field"] == "Idempotency-Key"

    run(story())


def test_opening_the_kill_switch_needs_the_password_where_one_is_set(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running(password=True):
            headers = await web.log_in()
            await until_live(web.http)
            without = await web.http.post("/api/v1/unkill", headers=headers, json={"reason": "x"})
            wrong = await web.http.post("/api/v1/unkill", headers=headers, json={"reason": "x", "password": "no"})
            assert (without.status_code, wrong.status_code) == (403, 401)
            assert web.commands == []
            body = {"reason": "x", "password": PASSWORD}
            assert (await web.http.post("/api/v1/unkill", headers=headers, json=body)).status_code == 200

    run(story())


def test_a_refusal_of_the_floor_is_a_conflict_with_its_text(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running():
            headers = await web.log_in()
            await until_live(web.http)
            answer = await web.http.post("/api/v1/kill", headers=headers, json={"reason": "refuse"})
            assert (answer.status_code, answer.json()["error"]["text"]) == (409, "the floor says no")

    run(story())


def test_reads_are_exact_and_commands_say_when_the_floor_is_away(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running():
            headers = await web.log_in()
            await until_live(web.http)
            status = (await web.http.get("/api/v1/status")).json()
            assert status["account"]["net_liquidation"] == "10.10"
            assert (await web.http.get("/api/v1/risk")).json()["risk"][0]["rule"] == "r"
            bars = (await web.http.get("/api/v1/bars?instrument_id=7&bar=5m")).json()
            assert bars["bars"][0][0] == 300_000_000_000
            assert (await web.http.get("/api/v1/bars?instrument_id=7&bar=7m")).status_code == 422
            assert (await web.http.get("/api/v1/secrets")).status_code == 404
        async with web.running(floor=False):
            headers = await web.log_in()
            away = await web.http.post("/api/v1/cancel-all", headers=headers)
            assert away.status_code == 503
            assert "the floor is away" in away.json()["error"]["text"]

    run(story())


@pytest.mark.parametrize(
    "path", ["/static/../../etc/passwd", "//etc/passwd", "/static/x/%2e%2e/%2e%2e/pyproject.toml", "/nope"]
)
def test_no_path_leads_out_of_the_pages(web: Any, run: Run, path: str) -> None:
    async def story() -> None:
        async with web.running():
            answer = await web.http.get(f"http://127.0.0.1:8840{path}")
            assert answer.status_code == 404

    run(story())


def test_security_headers_are_on_every_answer_and_the_api_is_not_stored(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running():
            for path in ("/", "/login", "/api/v1/login", "/api/v1/orders", "/nope"):
                headers = (await web.http.get(path)).headers
                assert "script-src 'self'" in headers["content-security-policy"]
                assert "unsafe" not in headers["content-security-policy"]
                assert headers["x-content-type-options"] == "nosniff"
                assert headers["referrer-policy"] == "no-referrer"
            assert (await web.http.get("/api/v1/login")).headers["cache-control"] == "no-store"

    run(story())


def test_a_big_body_is_refused_unread(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running():
            answer = await web.http.post("/api/v1/login", content=b"x" * 70_000)
            assert answer.status_code == 413

    run(story())


def test_a_booking_is_read_exactly_and_one_that_makes_no_sense_never_reaches_the_floor(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running():
            headers = await web.log_in()
            await until_live(web.http)
            booking = {"type": "TransferLot", "taker": "pairs", "instrument_id": 756733, "qty": "10.5"}
            body = {"booking": booking, "reason": "bought for it", "break_key": ""}
            answer = await web.http.post("/api/v1/bookings/preview", headers=headers, json=body)
            assert answer.status_code == 200, answer.text
            (command,) = web.commands
            assert (command.booking.taker, command.booking.qty) == ("pairs", Decimal("10.5"))
            for wrong in (
                {**body, "booking": {**booking, "type": "Steal"}},
                {**body, "booking": {**booking, "price": 1}},
                {**body, "booking": {**booking, "instrument_id": "SPY"}},
                {**body, "reason": ""},
                {**body, "break_key": "position:../../etc"},
            ):
                refused = await web.http.post("/api/v1/bookings/preview", headers=headers, json=wrong)
                assert refused.status_code == 422, refused.text
            path = "/api/v1/bookings/7f3a9c12e0/confirm"
            assert (await web.http.post(path)).status_code == 403  # no CSRF token
            assert (await web.http.post(path, headers=headers)).status_code == 409  # the key was another command's
            fresh = {**headers, "Idempotency-Key": "key-00000002"}
            assert (await web.http.post(path, headers=fresh)).status_code == 200
            assert web.commands[-1].preview_id == "7f3a9c12e0"

    run(story())
