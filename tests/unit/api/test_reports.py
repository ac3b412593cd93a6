from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from ibfloor.ledger.journal import JournalWriter
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.ledger.replay import recover
from ibfloor.model.capital import CapitalBasis, CapitalRule
from ibfloor.model.command import SetCapital
from ibfloor.model.fact import AnyFact, CashMoved
from ibfloor.model.ids import UNASSIGNED, StrategyId
from ibfloor.model.marking import BooksMarked
from ibfloor.model.money import USD, Money

Run = Callable[[Awaitable[Any]], Any]
NOON = 1_772_557_200_000_000_000  # 2026-03-03
HOUR = 3600 * 10**9


def keep_journal(home: Any) -> None:
    def moved(ts_ns: int, amount: int) -> CashMoved:
        money = Money(Decimal(amount), USD)
        return CashMoved(ts_event_ns=ts_ns, ts_init_ns=ts_ns, strategy=UNASSIGNED, amount=money, reason="<b>told</b>")

    def marked(ts_ns: int) -> BooksMarked:
        return BooksMarked(ts_event_ns=ts_ns, ts_init_ns=ts_ns, base=USD)

    facts: list[AnyFact] = [moved(NOON, 1000), marked(NOON + 1), moved(NOON + HOUR, 500), marked(NOON + 2 * HOUR)]
    paths = LedgerPaths(home)
    paths.make_folders()
    with JournalWriter(paths.facts_journal, "process") as journal:
        for seq, fact in enumerate(facts, start=1):
            journal.append(fact, seq)
    with recover(home):
        pass


def test_statements_are_told_as_json_csv_and_a_page_that_needs_nothing(web: Any, run: Run) -> None:
    async def story() -> None:
        keep_journal(web.home)
        async with web.running():
            await web.log_in()
            assert (await web.http.get("/api/v1/reports/days")).json() == {"days": ["2026-03-03"]}
            place = "/api/v1/reports/statements/2026-03-03"
            told = (await web.http.get(place)).json()
            assert told["bridge"]["closing"]["value"] == "1500"
            text = await web.http.get(place, params={"book": "UNASSIGNED", "form": "csv"})
            assert "2026-03-03-UNASSIGNED.csv" in text.headers["content-disposition"]
            assert "total,Closing equity,1500.00" in text.text
            page = await web.http.get(place, params={"form": "html"})
            assert page.headers["content-type"].startswith("text/html")
            assert "style-src 'sha256-" in page.headers["content-security-policy"]
            assert len(page.headers.get_list("content-security-policy")) == 1
            assert "&lt;b&gt;told&lt;/b&gt;" in page.text
            assert "<b>" not in page.text

    run(story())


@pytest.mark.slow
def test_what_is_not_there_is_told_by_name(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running():
            await web.log_in()
            missing = await web.http.get("/api/v1/reports/days")
            assert missing.status_code == 404
            assert "there is no ledger" in missing.json()["error"]["text"]
        keep_journal(web.home)

    run(story())

    async def other() -> None:
        async with web.running():
            await web.log_in()
            for place, status, text in (
                ("statements/2026-03-03?book=nobody", 404, "there are UNASSIGNED, ACCOUNT"),
                ("statements/2026-03-01", 404, "nothing was booked"),
                ("statements/2026-99-99", 404, "is no day"),
                ("statements/2026-03-03?form=pdf", 422, "json, html, csv"),
                ("performance?book=nobody", 404, "there is no book"),
            ):
                answer = await web.http.get(f"/api/v1/reports/{place}")
                assert (answer.status_code, text in answer.json()["error"]["text"]) == (status, True), answer.text

    run(other())


def test_performance_is_told_per_book(web: Any, run: Run) -> None:
    async def story() -> None:
        keep_journal(web.home)
        async with web.running():
            await web.log_in()
            told = (await web.http.get("/api/v1/reports/performance")).json()
            assert Decimal(told["time_weighted"]["value"]) == 0
            assert told["track"]["bridge"]["steps"]["flows"]["value"] == "500"

    run(story())


def test_capital_is_set_by_a_command_and_a_rule_without_sense_is_refused_here(web: Any, run: Run) -> None:
    async def story() -> None:
        async with web.running():
            headers = await web.log_in()
            async with asyncio.timeout(10):
                while (await web.http.get("/api/v1/status")).json()["stale"]:  # noqa: ASYNC110 - asks until it is so
                    await asyncio.sleep(0)
            rule = {"basis": "weight", "weight": "0.2", "band_max": 0.25}
            done = await web.http.put("/api/v1/strategies/alpha/capital", json=rule, headers=headers)
            assert done.status_code == 200, done.text
            (command,) = web.commands
            assert isinstance(command, SetCapital)
            assert command.strategy == StrategyId("alpha")
            assert command.rule == CapitalRule(
                basis=CapitalBasis.WEIGHT, weight=Decimal("0.2"), band_max=Decimal("0.25")
            )
            for body, status in (({"basis": "weight"}, 422), ({"basis": "fixed", "amount": "NaN"}, 422), (rule, 403)):
                sent = headers if status == 422 else {}
                answer = await web.http.put("/api/v1/strategies/alpha/capital", json=body, headers=sent)
                assert answer.status_code in (status, 422), answer.text
            assert len(web.commands) == 1

    run(story())
