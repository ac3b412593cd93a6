"""The floor's end of the control socket with scripted, seeded views, so that pages can be tested alone.

It is a real ``ControlServer`` over a real ``ViewDiffer``; only what the rows say is made up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from ibfloor.control.differ import ViewDiffer
from ibfloor.control.endpoint import endpoint_path
from ibfloor.control.protocol import BarsQuery
from ibfloor.control.server import ControlServer
from ibfloor.model.command import (
    AnyCommand,
    CancelAll,
    CancelOrder,
    CommandResult,
    Denied,
    Done,
    FlattenKilled,
    Kill,
    PauseStrategy,
    ResumeStrategy,
    StartStrategy,
    StopStrategy,
    Unkill,
)
from ibfloor.model.ids import StrategyId
from ibfloor.model.kill import ACCOUNT, KillPlace, place_of
from ibfloor.model.view import (
    AccountView,
    BarView,
    BreakView,
    EquityView,
    FillView,
    FloorView,
    InstrumentView,
    KillView,
    LogView,
    OrderView,
    PositionView,
    RiskView,
    SessionView,
    StrategyView,
)

BEAT_S = 0.2
MINUTE_NS = 60_000_000_000
DAY_NS = 1440 * MINUTE_NS
OPEN_NS = 1_380_634_200_000_000_000  # 2013-10-01 09:30 in New York
HISTORY_MINUTES = 140
SPEED = 60.0
CROWD = 220
WORKING = ("NEW", "PARTIALLY_FILLED")
PASSPHRASE = "horse battery staple"
EVIL = "<img src=x onerror=alert(1)>"
"""What a broker's text may bring: it must reach the page as letters."""

PLAN: Sequence[tuple[str, str, str, tuple[str, ...]]] = (
    ("index-arb", "IndexArb", "FAILED", ("IWM",)),
    ("gap-fade", "GapFade", "RUNNING", ("SPY",)),
    ("orb-breakout", "OpeningRange", "RUNNING", ("SPY",)),
    ("turn-of-month", "TurnOfMonth", "PAUSED", ("QQQ",)),
    ("vwap-reversion", "VwapReversion", "RUNNING", ("AAPL",)),
    ("mean-reversion", "MeanReversion", "RUNNING", ("BAC",)),
    ("pairs-ko-pep", "Pair", "RUNNING", ("KO", "PEP")),
    ("sma-cross", "SmaCross", "RUNNING", ("SPY",)),
    ("trend-carry", "TrendCarry", "RUNNING", ("ES",)),
    ("eod-imbalance", "EodImbalance", "STOPPED", ("SPY",)),
    ("keltner-squeeze", "KeltnerSqueeze", "RUNNING", ("QQQ",)),
    ("fx-carry", "FxCarry", "RESTARTING", ("EUR.USD",)),
    ("vol-target", "VolTarget", "STOPPED", ("IWM",)),
)
PRICES = {
    "SPY": (756733, "168.12", "0.01"),
    "QQQ": (320227571, "78.91", "0.01"),
    "IWM": (9579970, "106.62", "0.01"),
    "AAPL": (265598, "478.45", "0.01"),
    "BAC": (10098, "13.88", "0.01"),
    "KO": (8894, "37.97", "0.01"),
    "PEP": (11017, "79.54", "0.01"),
    "ES": (11004968, "1684.25", "0.25"),
    "EUR.USD": (12087792, "1.35280", "0.00005"),
}


class Tape:
    """One instrument's minutes, walking at random from the seed."""

    def __init__(self, symbol: str, rng: random.Random) -> None:
        self.symbol = symbol
        number, price, tick = PRICES[symbol]
        self.instrument_id = number
        self.tick = Decimal(tick)
        self.px = float(price)
        self._rng = rng
        self.bars: list[BarView] = []
        for minute in range(HISTORY_MINUTES):
            self.walk(OPEN_NS + minute * MINUTE_NS, steps=12)
            self.bars[-1] = msgspec.structs.replace(self.bars[-1], is_closed=True)

    def walk(self, start_ns: int, steps: int = 1) -> None:
        for _ in range(steps):
            self.px *= math.exp(self._rng.gauss(0, 0.00022))
            px = float(round(self.px / float(self.tick)) * self.tick)
            volume = float(self._rng.randint(200, 4000))
            last = self.bars[-1] if self.bars else None
            if last is None or last.start_ns != start_ns:
                if last is not None:
                    self.bars[-1] = msgspec.structs.replace(last, is_closed=True)
                self.bars.append(_bar(start_ns, px, px, px, px, volume))
            else:
                high, low = max(last.high_px, px), min(last.low_px, px)
                self.bars[-1] = _bar(start_ns, last.open_px, high, low, px, last.volume + volume)

    @property
    def last(self) -> Decimal:
        return Decimal(round(self.px / float(self.tick))) * self.tick


class Feed:
    """A floor that only tells stories. Owner: the loop that runs it."""

    def __init__(self, seed: int, mode: str = "paper") -> None:
        self._rng = random.Random(seed)
        self._mode = mode
        self.differ = ViewDiffer({"log": 200, "equity": 500})
        self._tapes = {symbol: Tape(symbol, self._rng) for symbol in PRICES}
        self._now_ns = OPEN_NS + HISTORY_MINUTES * MINUTE_NS
        self._kills: dict[KillPlace, str] = {}
        self._logged = 0
        self._beats = 0
        self._forgotten = ""
        self._strategies: dict[str, StrategyView] = {}
        self._orders: dict[str, OrderView] = {}
        self._fills: dict[str, FillView] = {}
        self._set_up()

    async def run(self, server: ControlServer) -> None:
        """Move the day on, and publish, five times a second."""
        while True:
            self.step()
            changes = self.differ.take()
            if changes is not None:
                server.publish_changes(changes)
            await asyncio.sleep(BEAT_S)

    def step(self) -> None:
        self._beats += 1
        self._now_ns += int(BEAT_S * SPEED * 1e9)
        minute_ns = self._now_ns // MINUTE_NS * MINUTE_NS
        for tape in self._tapes.values():
            tape.walk(minute_ns)
            self.differ.update("bars", f"{tape.instrument_id}/1 min", tape.bars[-1])
        for name in self._strategies:
            self._move(name)
        if self._beats % 15 == 0:
            self._log("INFO", "data", f"bar 1 min {self._rng.choice(list(PRICES))} stored")
        if self._kills:
            self._cancel_one()
        self._show()

    async def on_call(self, command: AnyCommand) -> CommandResult:
        self._log("INFO", "audit", f"{type(command).__name__} by {command.actor}")
        match command:
            case StartStrategy() | ResumeStrategy():
                if ACCOUNT in self._kills:
                    return Denied("trading is halted: reset the kill switch first")
                return self._turn(command.strategy, "RUNNING")
            case StopStrategy():
                return self._turn(command.strategy, "STOPPED")
            case PauseStrategy():
                return self._turn(command.strategy, "PAUSED")
            case CancelOrder():
                return self._cancel(command.cl_ord_id)
            case CancelAll():
                working = [order.cl_ord_id for order in self._orders.values() if order.status in WORKING]
                for cl_ord_id in working:
                    self._cancel(cl_ord_id)
                return Done(f"{len(working)} orders asked to cancel")
            case Kill():
                place = place_of(command.scope, command.target)
                self._kills[place] = command.reason
                for name, row in self._strategies.items():
                    if row.state in ("RUNNING", "PAUSED", "RESTARTING") and place.covers_strategy(StrategyId(name)):
                        self._turn(name, "STOPPED")
                self._log("ERROR", "risk", f"kill switch latched: {command.reason}")
                return Done(f"{place} is halted")
            case FlattenKilled():
                place = place_of(command.scope, command.target)
                for name, row in self._strategies.items():
                    if place.covers_strategy(StrategyId(name)):
                        self._strategies[name] = msgspec.structs.replace(row, positions={})
                return Done("flat")
            case Unkill():
                if command.passphrase not in ("", PASSPHRASE):
                    return Denied("that is not the risk officer's passphrase")
                place = place_of(command.scope, command.target)
                self._kills.pop(place)
                self.differ.remove("kills", place.key)
                return Done("the kill switch is open")
        return Denied(f"the feed does not do {type(command).__name__}")

    def on_bars(self, query: BarsQuery) -> list[list[float | int | bool]]:
        for tape in self._tapes.values():
            if tape.instrument_id == query.instrument_id:
                return _folded(tape.bars, query.bar_ns)[-query.limit :]
        return []

    def _set_up(self) -> None:
        for number, (name, class_name, state, symbols) in enumerate(PLAN):
            traded = state not in ("STOPPED",)
            pnl = Decimal(self._rng.randint(-48000, 110000)) / 100 if traded else Decimal(0)
            positions = {symbol: Decimal(self._rng.choice((-200, -100, 100, 300))) for symbol in symbols}
            self._strategies[name] = StrategyView(
                name=name,
                class_name=class_name,
                state=state,
                reason=f"ZeroDivisionError: {EVIL}" if state == "FAILED" else "",
                symbols=symbols,
                positions=positions if traded and state != "FAILED" else {},
                realised_pnl=pnl,
                unrealised_pnl=Decimal(0),
                pnl=None,
                fees=Decimal("12.40") if traded else Decimal(0),
                orders=14 if traded else 0,
                orders_working=0,
                fills=11 if traded else 0,
                restarts=3 if state == "FAILED" else 1 if state == "RESTARTING" else 0,
                client_id=10 + number,
                loop_lag_ms=0.4,
                spark=(0.0,) * 2,
            )
            if traded:
                self._place_orders(name, symbols)
        for point in range(120):
            self._curve(point, OPEN_NS + point * MINUTE_NS)
        for session, client_id in (("master", 0), ("data", 1)):
            self._session(session, client_id)
        for row in self._strategies.values():
            if row.state in ("RUNNING", "PAUSED"):
                self._session(row.name, row.client_id)
        for rule, limit, used, pct in (
            ("max_order_qty", "1000", "300 (largest order)", 30.0),
            ("max_order_notional", "100000", "91400.5 (largest order)", 91.4),
            ("max_position", "1000", "300 (worst case)", 30.0),
            ("max_gross_exposure", "2000000", "1224000 (worst case)", 61.2),
            ("order_rate", "5 per s, 10 at once", "1 of 10", 10.0),
        ):
            self.differ.update("risk", rule, RiskView(rule=rule, limit=limit, used=used, used_pct=pct, refusals=0))
        self._log("WARNING", "broker", f"2104 market data farm says {EVIL}")
        for text in ("Session connected as client 0", "reconciled 9 positions, 0 breaks", "gate open"):
            self._log("INFO", "floor", text)
        self._show()

    def _place_orders(self, name: str, symbols: tuple[str, ...]) -> None:
        for number in range(4):
            symbol = symbols[number % len(symbols)]
            tape = self._tapes[symbol]
            side = self._rng.choice(("BUY", "SELL"))
            day_ns = DAY_NS if name == "turn-of-month" and number == 0 else 0
            bar = tape.bars[15 + number * 30 + self._rng.randint(0, 12)]
            px = Decimal(round(bar.close_px / float(tape.tick))) * tape.tick
            is_last = number == 3
            status = "NEW" if is_last and len(self._orders) % 3 == 0 else "FILLED"
            if is_last and status == "FILLED":
                status = self._rng.choice(("FILLED", "CANCELED", "PARTIALLY_FILLED", "REJECTED"))
            qty = Decimal(100)
            done = {"FILLED": qty, "PARTIALLY_FILLED": Decimal(40)}.get(status, Decimal(0))
            order = OrderView(
                cl_ord_id=f"{name}:{number + 1}",
                strategy=name,
                symbol=symbol,
                side=side,
                ord_type="LMT" if number % 2 else "MKT",
                order_qty=qty,
                cum_qty=done,
                avg_px=px if done else Decimal(0),
                limit_px=px + (5 if side == "BUY" else -5) * tape.tick if number % 2 else None,
                stop_px=None,
                time_in_force="DAY",
                status=status,
                text=EVIL if status == "REJECTED" else "",
                ts_submitted_ns=bar.start_ns + 4_000_000_000 - day_ns,
                ts_updated_ns=bar.start_ns + 5_000_000_000 - day_ns,
            )
            self._orders[order.cl_ord_id] = order
            if done:
                exec_id = f"0001.{len(self._fills):04d}.01"
                self._fills[exec_id] = FillView(
                    exec_id=exec_id,
                    cl_ord_id=order.cl_ord_id,
                    strategy=name,
                    instrument_id=tape.instrument_id,
                    symbol=symbol,
                    side=side,
                    last_qty=done,
                    last_px=px,
                    fee=Decimal("1.00") if number else None,
                    ts_ns=order.ts_updated_ns,
                )

    def _move(self, name: str) -> None:
        row = self._strategies[name]
        positions = [(self._tapes[symbol], qty) for symbol, qty in row.positions.items()]
        unrealised = Decimal(0)
        for tape, qty in positions:
            avg_px = Decimal(PRICES[tape.symbol][1])
            unrealised += ((tape.last - avg_px) * qty).quantize(Decimal("0.01"))
            self.differ.update(
                "positions",
                f"{name}/{tape.instrument_id}",
                PositionView(
                    strategy=name,
                    instrument_id=tape.instrument_id,
                    symbol=tape.symbol,
                    qty=qty,
                    avg_px=avg_px,
                    mark_px=tape.last,
                    mark_ts_ns=self._now_ns,
                    mark_source="mid",
                    unrealised_pnl=((tape.last - avg_px) * qty).quantize(Decimal("0.01")),
                    realised_pnl=row.realised_pnl or Decimal(0),
                    currency="USD",
                ),
            )
        pnl = (row.realised_pnl or Decimal(0)) + unrealised - (row.fees or Decimal(0))
        spark = row.spark
        if self._beats % 5 == 1 and row.state != "STOPPED":
            spark = (*spark, float(pnl))[-40:]
        self._strategies[name] = msgspec.structs.replace(row, unrealised_pnl=unrealised, pnl=pnl, spark=spark)

    def _show(self) -> None:
        if self._beats % 5 == 1:
            self._curve(120 + self._beats // 5, self._now_ns)
        working: dict[str, int] = {}
        for order in self._orders.values():
            if order.cl_ord_id != self._forgotten:
                self.differ.update("orders", order.cl_ord_id, order)
            if order.status in WORKING:
                working[order.strategy] = working.get(order.strategy, 0) + 1
        for fill in list(self._fills.values())[1 if self._forgotten else 0 :]:
            self.differ.update("fills", fill.exec_id, fill)
        for name, row in self._strategies.items():
            row = msgspec.structs.replace(row, orders_working=working.get(name, 0))
            self.differ.update("strategies", name, row)
        for tape in self._tapes.values():
            last = float(tape.last)
            self.differ.update(
                "instruments",
                str(tape.instrument_id),
                InstrumentView(
                    instrument_id=tape.instrument_id,
                    symbol=tape.symbol,
                    min_tick=tape.tick,
                    currency="USD",
                    bid_px=last,
                    ask_px=last + float(tape.tick),
                    last_px=last,
                    ts_ns=self._now_ns,
                    is_fresh=True,
                    subscribers=2,
                ),
            )
        self._show_account(sum(working.values()))

    def _show_account(self, working: int) -> None:
        rows = self._strategies.values()
        unrealised = sum((row.unrealised_pnl or Decimal(0) for row in rows), Decimal(0))
        realised = sum((row.realised_pnl or Decimal(0) for row in rows), Decimal(0))
        fees = sum((row.fees or Decimal(0) for row in rows), Decimal(0))
        self.differ.update(
            "account",
            "DU4519027",
            AccountView(
                account="DU4519027",
                base_currency="USD",
                net_liquidation=Decimal("1000000") + realised + unrealised - fees,
                day_pnl=realised + unrealised - fees,
                unrealised_pnl=unrealised,
                realised_pnl=realised,
                fees=fees,
                gross_exposure=Decimal("612000.00"),
                net_exposure=Decimal("212000.00"),
                drawdown_pct=Decimal("0.16"),
                books_equal_account=True,
                ts_reconciled_ns=self._now_ns,
            ),
        )
        self.differ.update(
            "floor",
            "floor",
            FloorView(
                name="demo",
                mode=self._mode,
                version="0.1.0",
                ts_ns=self._now_ns,
                speed=SPEED,
                kill_latched=ACCOUNT in self._kills,
                kill_reason=self._kills.get(ACCOUNT, ""),
                gate_open=ACCOUNT not in self._kills,
                has_risk_officer=self._mode == "live",
                strategies_running=sum(row.state == "RUNNING" for row in rows),
                strategies_total=len(self._strategies),
                orders_working=working,
                orders_total=len(self._orders),
                fills=len(self._fills),
                breaks=len(self.differ.snapshot().rows.get("breaks", {})),
                ticks=self._beats * 40,
                bars_stored=self._beats * 9,
                loop_lag_p99_ms=1.2,
                messages_per_s=38.0,
            ),
        )

    def _curve(self, number: int, ts_ns: int) -> None:
        wave = math.sin(number / 17) * 900 + self._rng.gauss(0, 90) + number * 9
        point = EquityView(
            ts_ns=ts_ns,
            net_liquidation=1_000_000 + wave,
            drawdown_pct=abs(math.sin(number / 23)) * 0.4,
            gross_exposure=612_000 + wave * 9,
            net_exposure=212_000 - wave * 20,
        )
        self.differ.update("equity", str(number), point)

    def crowd(self) -> None:
        """Let so many orders come and go that the working ones are the oldest; forget one of those, and a fill."""
        model = next(order for order in self._orders.values() if order.status in WORKING)
        for number in range(CROWD):
            cl_ord_id = f"crowd:{number}"
            self._orders[cl_ord_id] = msgspec.structs.replace(
                model, cl_ord_id=cl_ord_id, status="CANCELED", ts_submitted_ns=self._now_ns + number
            )
        self._forgotten = model.cl_ord_id
        self.differ.remove("orders", model.cl_ord_id)
        self.differ.remove("fills", next(iter(self._fills)))

    def _session(self, session: str, client_id: int, state: str = "CONNECTED") -> None:
        self.differ.update(
            "sessions",
            session,
            SessionView(session=session, client_id=client_id, state=state, detail="", round_trip_ms=1.8, reconnects=0),
        )

    def _turn(self, name: str, state: str) -> CommandResult:
        if name not in self._strategies:
            return Denied(f"there is no strategy called {name}")
        self._strategies[name] = msgspec.structs.replace(self._strategies[name], state=state, reason="")
        self._session(name, self._strategies[name].client_id, "CLOSED" if state == "STOPPED" else "CONNECTED")
        self._log("INFO", "manager", f"{name} is {state.lower()}")
        return Done(f"{name} is {state.lower()}")

    def _cancel(self, cl_ord_id: str) -> CommandResult:
        order = self._orders.get(cl_ord_id)
        if order is None or order.status not in WORKING:
            return Denied(f"{cl_ord_id} is not working")
        self._orders[cl_ord_id] = msgspec.structs.replace(order, status="CANCELED", ts_updated_ns=self._now_ns)
        self._log("INFO", "broker", f"order {cl_ord_id} canceled")
        return Done(f"{cl_ord_id} is asked to cancel")

    def _cancel_one(self) -> None:
        canceled = ""
        for place, reason in self._kills.items():
            left = [
                order
                for order in self._orders.values()
                if order.status in WORKING
                and (place.covers_strategy(StrategyId(order.strategy)) or place.target == order.symbol)
            ]
            if left and not canceled:
                canceled = left[0].cl_ord_id
                self._cancel(canceled)
            row = KillView(
                scope=place.scope,
                target=place.target,
                actor="ann (web)",
                reason=reason,
                ts_ns=self._now_ns if not left else OPEN_NS,
                phase="canceling" if left else "verified",
                orders_left=len(left),
            )
            self.differ.update("kills", place.key, row)

    def break_books(self) -> None:
        self.differ.update(
            "breaks",
            "position:756733",
            BreakView(
                key="position:756733",
                ours=Decimal(100),
                theirs=Decimal(300),
                text=f"SPY: books 100, account 300 {EVIL}",
                ts_ns=self._now_ns,
                symbol="SPY",
            ),
        )
        self.differ.update(
            "breaks",
            "cash:USD",
            BreakView(
                key="cash:USD",
                ours=Decimal("925461.1800000000"),
                theirs=Decimal("930461.1800000000"),
                text="USD: books have 925,461.18, the account 930,461.18",
                ts_ns=self._now_ns,
                symbol="USD",
                cause="DIVIDEND",
            ),
        )
        self._log("CRITICAL", "alarm", "books and account differ: USD: books have 925,461.18, the account 930,461.18")

    def _log(self, level: str, source: str, text: str) -> None:
        self._logged += 1
        row = LogView(number=self._logged, ts_ns=self._now_ns, level=level, source=source, text=text)
        self.differ.update("log", str(self._logged), row)


def _bar(start_ns: int, open_px: float, high_px: float, low_px: float, close_px: float, volume: float) -> BarView:
    return BarView(
        start_ns=start_ns,
        open_px=open_px,
        high_px=high_px,
        low_px=low_px,
        close_px=close_px,
        volume=volume,
        is_closed=False,
    )


def _folded(bars: list[BarView], bar_ns: int) -> list[list[float | int | bool]]:
    folded: list[list[float | int | bool]] = []
    for bar in bars:
        start = bar.start_ns // bar_ns * bar_ns
        if folded and folded[-1][0] == start:
            last = folded[-1]
            last[2], last[3] = max(last[2], bar.high_px), min(last[3], bar.low_px)
            last[4], last[5] = bar.close_px, last[5] + bar.volume
        else:
            folded.append([start, bar.open_px, bar.high_px, bar.low_px, bar.close_px, bar.volume, True])
    return folded


async def serve(home: Path, *, seed: int, mode: str, broken: bool, crowded: bool) -> None:
    """Run a feed until standard input ends; prints one ready line."""
    feed = Feed(seed, mode)
    if broken:
        feed.break_books()
    if crowded:
        feed.crowd()
    async with ControlServer(
        endpoint_path(home),
        floor="demo",
        version="0.1.0",
        on_call=feed.on_call,
        on_bars=feed.on_bars,
        snapshot=feed.differ.snapshot,
    ) as server:
        print(json.dumps({"event": "ready", "port": server.port}), flush=True)
        running = asyncio.create_task(feed.run(server))
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        running.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--mode", default="paper")
    parser.add_argument("--broken", action="store_true", help="show a break between books and account")
    parser.add_argument("--crowded", action="store_true", help="more orders than a page holds, working ones the oldest")
    given = parser.parse_args()
    asyncio.run(serve(given.home, seed=given.seed, mode=given.mode, broken=given.broken, crowded=given.crowded))
