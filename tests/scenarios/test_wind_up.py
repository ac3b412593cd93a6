"""However a floor ends, no order is left behind that its stop policy would not leave; what is left is named."""

from __future__ import annotations

import json
import signal
import socket
import threading
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WORKING = ("PreSubmitted", "Submitted", "PendingSubmit")

RESTING = """
from decimal import Decimal
from ibfloor import Quote, Stock, Strategy, StrategyParams

class Params(StrategyParams):
    symbol: str = "SPY"
    fills: int = 0

class Resting(Strategy[Params]):
    def on_start(self) -> None:
        self.stock = Stock(self.params.symbol)
        self.subscribe_quotes(self.stock)
        self.is_placed = False

    def on_quote(self, quote: Quote) -> None:
        if not self.is_placed and quote.bid_px == quote.bid_px:
            self.is_placed = True
            self.buy(self.stock, 10, limit=round(quote.bid_px * 0.97, 2))
            for _ in range(self.params.fills):
                self.buy(self.stock, 10)
"""
HANGING = (
    RESTING.replace("class Resting", "class Hanging")
    + """
        elif self.is_placed and self.orders:
            while True:
                pass
"""
)


def resting(scene: Any, name: str = "resting", text: str = RESTING, *, extra: str = "", **params: object) -> str:
    file = scene.folder / f"{name}.py"
    file.write_text(text)
    fields = ", ".join(f"{key} = {json.dumps(value)}" for key, value in params.items())
    return f'[[strategy]]\nname = "{name}"\nfile = "{file}"\nparams = {{ {fields} }}\n{extra}'


def working(scene: Any, of: str = "") -> list[Any]:
    return [row for row in scene.book().orders if row.status in WORKING and row.order_ref.startswith(of)]


def test_a_strategy_that_never_returns_has_its_orders_ended_over_its_head(scene: Any) -> None:
    table = resting(scene, "hanging", HANGING)
    scene.write_config(table, extra="[stop]\nhandler_s = 1\ncancel_s = 4\n")
    floor = scene.floor()
    scene.until(lambda: working(scene, "hanging:"), floor)
    floor.signal(signal.SIGTERM)
    summary = json.loads(floor.output().splitlines()[-1])
    assert floor.wait() == 1, floor.words()
    assert working(scene) == []
    assert "hanging has not stopped, a handler does not return; its orders were ended" in summary["not_stopped"]
    assert summary["left_working"] == []
    assert summary["books_equal_account"] is True
    assert scene.cli("ledger", "verify").returncode == 0


def test_a_hanging_strategy_that_keeps_its_orders_names_them_and_the_exit_code_tells(scene: Any) -> None:
    table = resting(scene, "hanging", HANGING, extra='stop_policy = "keep"\n')
    scene.write_config(table, extra="[stop]\nhandler_s = 1\n")
    floor = scene.floor()
    scene.until(lambda: working(scene, "hanging:"), floor)
    floor.signal(signal.SIGTERM)
    summary = json.loads(floor.output().splitlines()[-1])
    assert floor.wait() == 1, floor.words()
    assert len(working(scene, "hanging:1")) == 1
    assert [row.split()[:2] for row in summary["left_working"]] == [["hanging:1", "BUY"]]


def test_a_floor_that_fails_after_its_strategies_started_ends_their_orders(scene: Any) -> None:
    scene.write_config(resting(scene))
    first = scene.floor()
    scene.until(lambda: working(scene), first)
    first.signal(signal.SIGKILL)
    first.wait()
    # The control file cannot be written where a folder stands: the start fails when strategies already trade.
    (scene.home / "control.json").unlink()
    (scene.home / "control.json").mkdir()
    second = scene.start_floor()
    assert second.wait(60) != 0
    assert working(scene) == []
    assert "control.json" in second.words()


def test_the_orders_of_strategies_that_do_not_start_are_canceled_or_kept_as_told(scene: Any) -> None:
    both = resting(scene, "alpha") + resting(scene, "beta") + resting(scene, "gamma", extra='stop_policy = "keep"\n')
    scene.write_config(both)
    floor = scene.floor()
    scene.until(lambda: len(working(scene)) == 3, floor)
    floor.signal(signal.SIGKILL)
    floor.wait()
    idle = "autostart = false\n"
    scene.write_config(
        resting(scene, "beta", extra=idle) + resting(scene, "gamma", extra=idle + 'stop_policy = "keep"\n')
    )
    second = scene.floor()
    scene.until(lambda: {row.order_ref for row in working(scene)} == {"gamma:1"}, second)
    second.signal(signal.SIGTERM)
    summary = json.loads(second.output().splitlines()[-1])
    assert second.wait() == 0, second.words()
    assert [row.split()[0] for row in summary["left_working"]] == ["gamma:1"]

    scene.write_config(resting(scene, "beta"), extra='[orphans]\npolicy = "keep"\n')
    third = scene.floor()
    scene.until(lambda: working(scene, "beta:"), third)
    assert working(scene, "gamma:1")
    third.signal(signal.SIGTERM)
    summary = json.loads(third.output().splitlines()[-1])
    assert third.wait() == 0, third.words()
    assert {row.order_ref for row in working(scene)} == {"gamma:1"}


def test_told_to_end_while_it_opens_a_floor_starts_no_strategy(scene: Any) -> None:
    scene.write_config(resting(scene))
    with deaf_relay(scene) as relay:
        scene.config.write_text(scene.config.read_text().replace(f"port = {scene.port}", f"port = {relay.port}"))
        floor = scene.start_floor()
        scene.until(relay.has_client, floor)
        floor.signal(signal.SIGTERM)
        relay.open()
        floor.wait(60)
    assert scene.book().orders == []


class deaf_relay:  # noqa: N801 - reads as a statement
    """Passes bytes between floor and gateway, but only once it is opened: a floor caught while it opens."""

    def __init__(self, scene: Any) -> None:
        self._to = scene.port
        self._gate = threading.Event()
        self._clients = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> deaf_relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._gate.set()
        for sock in (self._server, *self._sockets):
            sock.close()

    def has_client(self) -> bool:
        return self._clients > 0

    def open(self) -> None:
        self._gate.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._clients += 1
            peer = socket.create_connection(("127.0.0.1", self._to))
            self._sockets += [client, peer]
            for one, other in ((client, peer), (peer, client)):
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                self._gate.wait()
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            return
