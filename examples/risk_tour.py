"""One account through a bad day on the simulated gateway; in the end every number equals the gateway's own book.

A trade by hand, a split, an assignment, a gap of the base currency, a strategy that sends a hundred orders a second, a
drawdown, a kill, a restart and a reset. Everything is done as a person would do it: by the `ibfloor` command.

    python examples/risk_tour.py
"""

from __future__ import annotations

import argparse
import asyncio
import json
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

from ib_async import IB, MarketOrder
from ib_async import Stock as IbStock

from ibfloor.clock import FloorClock
from ibfloor.control.once import fetch_snapshot
from ibfloor.model.errors import ConnectivityError
from ibfloor.sim.gateway.clock import last_trading_day
from ibfloor.sim.market.listing import WORLD, read_listing

PASSPHRASE = "nobody else knows this"  # noqa: S105 - the tour's own, gone with its folder
PATIENCE_S = 120.0
STRATEGIES = Path(__file__).with_name("risk_tour_strategies.py")
ENTRIES_MAX = 20
ZERO, CENT = Decimal(0), Decimal("0.01")
STRIKE, CONTRACTS = 475, 2  # in the money, so that somebody exercises early

FLOOR_TOML = """\
[floor]
name = "risk tour"
home = "{home}"

[gateway]
port = {port}
reconcile_every_s = 2

[clock]
follow = "gateway"

[risk]
max_order_qty = 2000
max_order_notional = 1_000_000
max_position_qty = 4000
max_position_notional = 2_000_000
max_gross_exposure = 5_000_000
collar_pct = 5
quote_age_max_s = 60
order_rate_per_s = 1
order_burst = 10

[risk.strategy.runaway]
repeat_entries_max = {entries_max}
repeat_window_s = 600

[risk.strategy.leveraged]
drawdown_max = 20_000

[risk.account]
day_loss_max = 50_000

[web]
enabled = false

[recorder]
enabled = false

[[strategy]]
name = "investor"
file = "{file}"
class = "Holder"
params = {{ symbol = "AAPL", qty = 100 }}

[[strategy]]
name = "writer"
file = "{file}"
class = "PutWriter"
params = {{ symbol = "SPY", expiry = "{expiry}", strike = {strike}, contracts = {contracts} }}

[[strategy]]
name = "leveraged"
file = "{file}"
class = "Holder"
stop_policy = "flatten"
params = {{ symbol = "QQQ", qty = 1000 }}

[[strategy]]
name = "runaway"
file = "{file}"
class = "Runaway"
autostart = false
params = {{ symbol = "KO" }}
"""

EVENTS = """\
[[event]]
kind = "split"
symbol = "AAPL"
at = "{day} 10:00"
ratio = "4"

[[event]]
kind = "exercise"
symbol = "{put}"
at = "{day} 10:06"
qty = "-{contracts}"

[[event]]
kind = "gap"
symbol = "EUR.USD"
at = "{day} 10:12"
percent = 3.0

[[event]]
kind = "gap"
symbol = "QQQ"
at = "{day} 10:30"
percent = -12.0

[[event]]
kind = "gap"
symbol = "SPY"
at = "{day} 10:40"
percent = -30.0
"""


class Tour:
    """The gateway and the floor as processes, and what a person does about them."""

    def __init__(self, folder: Path, stack: ExitStack, *, is_quiet: bool) -> None:
        self._folder, self._stack, self._is_quiet = folder, stack, is_quiet
        self._home, self._config = folder / "floor-home", folder / "floor.toml"
        self._steps = 0
        day = last_trading_day(FloorClock().now_ns())
        self.put = next(
            one.security.instrument
            for one in read_listing(WORLD, day).listed
            if (one.security.instrument.contract.symbol, one.security.instrument.contract.right) == ("SPY", "P")
            and one.security.instrument.contract.strike == STRIKE
            and one.security.instrument.contract.expiry > f"{day:%Y%m%d}"
        )
        events = folder / "events.toml"
        events.write_text(EVENTS.format(day=day, put=self.put.local_symbol, contracts=CONTRACTS), encoding="utf-8")
        self._gateway = self._start(
            [
                *("gateway", "--port", "0", "--speed", "60", "--seed", "7", "--start", "09:29", "--hold-until-client"),
                *("--securities", "world", "--events", str(events), "--currency", "EUR", "--parent-pipe"),
            ],
            "gateway.log",
        )
        self.port = int(json.loads(_line(self._gateway))["port"])
        self._config.write_text(
            FLOOR_TOML.format(
                home=self._home,
                port=self.port,
                file=STRATEGIES,
                expiry=self.put.contract.expiry,
                strike=STRIKE,
                contracts=CONTRACTS,
                entries_max=ENTRIES_MAX,
            ),
            encoding="utf-8",
        )

    def say(self, text: str) -> None:
        """Tell the next step."""
        self._steps += 1
        if not self._is_quiet:
            say(f"{self._steps:2}. {text}")

    def run_floor(self) -> None:
        """Start the floor and wait until it trades, or says that it may not."""
        self._floor = self._start(["run", "--config", str(self._config), "--json"], "floor.log")
        self.until("a running floor", lambda: self.account().get("books_equal_account") is not None)

    def stop_floor(self) -> dict[str, Any]:
        """Stop the floor as `systemctl stop` does; return what it says at the end."""
        self._floor.send_signal(signal.SIGTERM)
        out, _ = self._floor.communicate(timeout=PATIENCE_S)
        summary: dict[str, Any] = json.loads(out.splitlines()[-1])
        return summary

    def ibfloor(self, *arguments: str, words: str = "", fails: bool = False) -> str:
        """Run one command as a person does; return what it prints."""
        done = subprocess.run(  # noqa: S603 - our own interpreter and words
            [sys.executable, "-m", "ibfloor", *arguments, "--config", str(self._config)],
            input=words,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        if (done.returncode != 0) is not fails:
            raise SystemExit(f"ibfloor {' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stderr if fails else done.stdout

    def view(self, topic: str) -> dict[str, Any]:
        """Return the rows of a topic as the pages see them; empty while no floor answers."""
        try:
            return dict(fetch_snapshot(self._home).rows.get(topic, {}))
        except ConnectivityError:
            return {}

    def account(self) -> dict[str, Any]:
        """Return the account's row; empty while no floor answers."""
        return next(iter(self.view("account").values()), {})

    def strategy(self, name: str) -> dict[str, Any]:
        """Return a strategy's row."""
        row: dict[str, Any] = self.view("strategies").get(name, {"rejected": 0})
        return row

    def phase(self) -> str:
        """Return how far the account's kill switch is; empty when it is open."""
        return str(self.view("kills").get("account", {}).get("phase", ""))

    def rate(self) -> Decimal:
        """Return what a dollar is worth in euros."""
        return Decimal(self.view("rates").get("USD", {}).get("rate") or 0)

    def book(self) -> dict[str, Any]:
        """Return the broker's own book."""
        done = subprocess.run(  # noqa: S603 - our own interpreter and words
            [sys.executable, "-m", "ibfloor", "gateway", "book", "--port", str(self.port), "--json"],
            capture_output=True,
            check=True,
            timeout=PATIENCE_S,
        )
        book: dict[str, Any] = json.loads(done.stdout)
        return book

    def until(self, what: str, is_so: Callable[[], Any]) -> Any:
        """Wait for something; give up with what the floor says."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := is_so()):
            if time.monotonic() > deadline or self._floor.poll() is not None:
                raise SystemExit(f"{what} did not come about: {(self._folder / 'floor.log').read_text()[-4000:]}")
            time.sleep(0.1)
        return found

    def held(self, strategy: str, symbol: str) -> Decimal:
        """Return what a book holds."""
        rows = self.view("positions").values()
        return sum(
            (Decimal(row["qty"]) for row in rows if (row["strategy"], row["symbol"]) == (strategy, symbol)), Decimal(0)
        )

    def _start(self, arguments: list[str], log: str) -> subprocess.Popen[bytes]:
        with (self._folder / log).open("ab") as words:
            child = subprocess.Popen(  # noqa: S603 - our own interpreter and words
                [sys.executable, "-m", "ibfloor", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                start_new_session=True,
            )
        self._stack.callback(_end, child)
        return child


def _line(child: subprocess.Popen[bytes]) -> bytes:
    assert child.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        if not selector.select(PATIENCE_S):
            raise SystemExit("the gateway does not start")
    return child.stdout.readline()


def _end(child: subprocess.Popen[bytes]) -> None:
    for push in (child.terminate, child.kill):
        if child.poll() is None:
            push()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                continue


async def trade_by_hand(port: int) -> None:
    """Buy as a person does in TWS, past the floor."""
    ib = IB()
    await ib.connectAsync("127.0.0.1", port, clientId=77)
    stock = IbStock("PEP", "SMART", "USD")
    await ib.qualifyContractsAsync(stock)
    trade = ib.placeOrder(stock, MarketOrder("BUY", 50))
    while not trade.isDone():
        await asyncio.wait_for(trade.statusEvent, PATIENCE_S)
    ib.disconnect()


def walk(tour: Tour) -> None:
    """Go through the day."""
    put = tour.put.local_symbol
    tour.ibfloor("officer", "--stdin", words=f"{PASSPHRASE}\n")
    tour.run_floor()
    tour.until("the investor's shares", lambda: tour.held("investor", "AAPL") == 100)
    tour.until("the fund", lambda: tour.held("leveraged", "QQQ") == 1000)
    tour.until("the puts", lambda: tour.held("writer", put) == -CONTRACTS)
    rate = tour.rate()
    tour.say("Three strategies take their positions: the account is in euros, what they hold in dollars.")

    asyncio.run(trade_by_hand(tour.port))
    tour.until("the trade by hand", lambda: tour.held("UNASSIGNED", "PEP") == 50)
    tour.ibfloor("book", "assign", "PEP", "investor", "--reason", "bought by hand for it", "--yes")
    tour.until("the shares in their book", lambda: tour.held("investor", "PEP") == 50)
    tour.say("Somebody buys 50 PEP in TWS. They are nobody's, until a person gives them to the investor.")

    resolve(tour, "SPLIT", "4 for 1")
    tour.until("the new shares", lambda: tour.held("investor", "AAPL") == 400)
    tour.say("AAPL is split, 4 for 1. Books and account differ, the floor says why, a person confirms.")

    resolve(tour, "ASSIGNMENT", "somebody exercised early")
    tour.until("the assigned shares", lambda: tour.held("writer", "SPY") == 100 * CONTRACTS)
    tour.say("The puts are exercised against the writer: the shares come at the strike, in the writer's book.")

    tour.until("the gap of the euro", lambda: tour.rate() < rate * Decimal("0.98"))
    tour.say(f"The euro jumps: a dollar was {rate:.4f} euros, and is {tour.rate():.4f}.")

    tour.ibfloor("strategy", "start", "runaway")
    row = tour.until(
        "the end of the runaway", lambda: (row := tour.strategy("runaway"))["rejected"] > ENTRIES_MAX and row
    )
    sent = [each for each in tour.book()["orders"] if each["order_ref"].startswith("runaway:")]
    assert len(sent) <= ENTRIES_MAX, len(sent)
    tour.say(
        f"A strategy sends 100 orders a second: {len(sent)} pass, {row['rejected']} are refused, and it is shut out."
    )
    tour.ibfloor("strategy", "stop", "runaway")

    tour.until("the drawdown", lambda: tour.held("leveraged", "QQQ") == 0)
    tour.say("QQQ falls by an eighth: the drawdown guard stops its holder, whose stop policy sells everything.")

    tour.until("the kill", lambda: tour.phase() == "verified")
    tour.say("The assigned shares fall by a third: that is too much for a day, and the kill switch closes by itself.")

    kept = tour.stop_floor()
    assert kept["books_equal_account"], kept
    tour.run_floor()
    tour.until("the proof that nothing works", lambda: tour.phase() == "verified")
    tour.say("Somebody restarts the floor: nothing is sent, the switch is still latched.")

    told = tour.ibfloor("unkill", "slept on it", "--stdin", words="a guess\n", fails=True)
    assert "passphrase" in told, told
    tour.ibfloor("unkill", "slept on it", "--stdin", words=f"{PASSPHRASE}\n")
    tour.until("an open gate", lambda: not tour.phase())
    tour.say("Only the risk officer's passphrase opens it again, with a reason, while books and account agree.")


def resolve(tour: Tour, cause: str, reason: str) -> None:
    """Wait for a break of a cause, look at what the floor proposes, and confirm it."""
    found = tour.until(
        f"a break by {cause}", lambda: [row for row in tour.view("breaks").values() if row["cause"] == cause]
    )
    tour.ibfloor("book", "resolve", found[0]["key"], "--reason", reason, "--preview")
    tour.ibfloor("book", "resolve", found[0]["key"], "--reason", reason, "--yes")
    tour.until("agreement", lambda: not tour.view("breaks"))


def compare(tour: Tour) -> list[tuple[str, Decimal, Decimal]]:
    """Return every number of the account's final statement beside the gateway's: what, ours, theirs."""
    tour.stop_floor()
    book = tour.book()
    (account,) = book["accounts"]
    statements = json.loads(tour.ibfloor("statement", "--json"))
    ours = statements["ACCOUNT"]
    parts = [one for name, one in statements.items() if name != "ACCOUNT"]
    rows: list[tuple[str, Decimal, Decimal]] = []
    cash = {each["currency"]: Decimal(each["cash"]) for each in ours["currencies"]}
    for currency in sorted(cash | account["cash"]):
        rows.append((f"cash {currency}", cash.get(currency, ZERO), Decimal(account["cash"].get(currency, "0"))))
        in_books = sum(
            (Decimal(each["cash"]) for one in parts for each in one["currencies"] if each["currency"] == currency), ZERO
        )
        rows.append((f"cash {currency} of all books", in_books, Decimal(account["cash"].get(currency, "0"))))
    held = {each["instrument_id"]: each for each in ours["positions"]}
    theirs = {row["con_id"]: row for row in account["positions"] if Decimal(row["qty"])}
    for con_id in sorted(held | theirs):
        qty = Decimal(held[con_id]["position"]["qty"]) if con_id in held else ZERO
        name = held[con_id]["name"] if con_id in held else theirs[con_id]["symbol"]
        rows.append((f"position {name}", qty, Decimal(theirs[con_id]["qty"]) if con_id in theirs else ZERO))
    executions = book["executions"]
    rows.append(("executions", Decimal(len(ours["executions"])), Decimal(len(executions))))
    fees = sum((Decimal(row["commission"]) for row in executions), ZERO)
    rows.append(("fees USD", sum((Decimal(each["fee"]["amount"]) for each in ours["executions"]), ZERO), fees))
    rates = {each["currency"]: Decimal(each["rate"]["value"]) for each in ours["currencies"]}
    worth = sum((Decimal(amount) * rates[currency] for currency, amount in account["cash"].items()), ZERO)
    for con_id, row in theirs.items():
        worth += (
            Decimal(row["qty"]) * Decimal(held[con_id]["mark"]["value"]) * rates[held[con_id]["position"]["currency"]]
        )
    closing = Decimal(ours["bridge"]["closing"]["value"])
    rows.append(("equity EUR", closing.quantize(CENT), worth.quantize(CENT)))
    bridge = [ours["bridge"]["opening"], *ours["bridge"]["steps"].values()]
    explained = sum((Decimal(each["value"]) for each in bridge), ZERO)
    rows.append(("equity EUR, explained by what happened", explained.quantize(CENT), worth.quantize(CENT)))
    return rows


def say(text: str) -> None:
    """Tell whoever watches."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Walk the tour; return 0 when every number is the gateway's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the checks as JSON at the end, and nothing else")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ibfloor-tour-") as folder, ExitStack() as stack:
        tour = Tour(Path(folder), stack, is_quiet=options.json)
        walk(tour)
        rows = compare(tour)
    if options.json:
        say(json.dumps([{"what": what, "ours": str(ours), "gateway": str(theirs)} for what, ours, theirs in rows]))
    else:
        say(f"\n{'':40}{'statement':>18}{'gateway':>18}")
        for what, ours, theirs in rows:
            say(f"{what:40}{ours:>18,}{theirs:>18,}{'' if ours == theirs else '  DIFFERS'}")
    return 0 if all(ours == theirs for _, ours, theirs in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
