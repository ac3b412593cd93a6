"""The demo: a simulated gateway as a child process, and a floor of five strategies on it."""

from __future__ import annotations

import json
import re
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ibfloor.app import FloorReady, FloorSummary, run_floor
from ibfloor.config import load_settings
from ibfloor.examples_dir import DEMO_STRATEGIES, examples_dir
from ibfloor.ledger.lock import running_pid
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.model.errors import ConfigError, ConnectivityError
from ibfloor.ops.home import make_home

GATEWAY_START_TIMEOUT_S = 30.0
GATEWAY_END_TIMEOUT_S = 5.0
BAD_INPUT = 2  # the exit code of a command whose arguments cannot work
BOOK = "gateway-book.json"
START_ET = "09:26"
EARLIER = ("journal", "ledger.sqlite*", "market")
FLOOR_TOML = """\
# Written anew at every start of the demo.
[floor]
name = "demo"
home = "."

[gateway]
port = {port}
connect_timeout_s = 20

[clock]
follow = "gateway"

[risk]
max_order_qty = 500
max_order_notional = 200_000
max_position_qty = 1_000
max_position_notional = 300_000
collar_pct = 5
quote_age_max_s = {quote_age_max_s:g}
order_rate_per_s = 1
order_burst = 20
max_gross_exposure = 1_000_000

[recorder]
min_free_gb = 0.5

[web]
port = 0

[restart]
max_restarts = 5
backoff_s = 1

"""


class DemoReady(msgspec.Struct, frozen=True, kw_only=True):
    """What the person who started the demo wants to know when it is up."""

    floor: FloorReady
    home: Path
    is_kept: bool
    """Whether the home stays when the demo ends."""
    earlier: Path | None
    """Where the books of an earlier demo in this home are now."""


class DemoSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo may be told. ``home=None`` takes a folder that is removed at the end."""

    home: Path | None = None
    market: str = "generated"
    data: Path | None = None
    speed: float = 60.0
    seed: int = 1
    for_s: float | None = None
    open_browser: bool = True


def run_demo(settings: DemoSettings, *, on_ready: Callable[[DemoReady], None]) -> FloorSummary:
    """Run gateway and floor until the time is over or Ctrl-C, and end both.

    Raises ``ConfigError`` for settings that cannot work, ``ConnectivityError`` when the gateway does not start.
    """
    with _home(settings.home) as home, _gateway(settings, home) as port:
        earlier = _set_earlier_books_aside(home)
        config = home / "floor.toml"
        config.write_text(_floor_toml(port, settings.speed), encoding="utf-8")
        return run_floor(
            load_settings(config),
            for_s=settings.for_s,
            open_browser=settings.open_browser,
            on_ready=lambda floor: on_ready(
                DemoReady(floor=floor, home=home, is_kept=settings.home is not None, earlier=earlier)
            ),
        )


@contextmanager
def _home(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        make_home(kept, "--home")
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="ibfloor-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _set_earlier_books_aside(home: Path) -> Path | None:
    # The simulated account starts afresh each time, so books of an earlier run would not be its books.
    paths = LedgerPaths(home)
    pid = running_pid(paths.lock)
    if pid is not None:
        raise ConfigError(f"a floor already runs in {home} (process {pid}): stop it, or take another --home")
    earlier = [path for name in EARLIER for path in sorted(home.glob(name))]
    if not earlier:
        return None
    aside = home / "earlier" / f"{len(list(home.glob('earlier/*'))) + 1:03d}"
    aside.mkdir(mode=0o700, parents=True)
    for path in earlier:
        path.rename(aside / path.name)
    return aside


@contextmanager
def _gateway(settings: DemoSettings, home: Path) -> Iterator[int]:
    (home / "logs").mkdir(mode=0o700, exist_ok=True)
    with open(home / "logs" / "gateway.log", "wb") as log:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter, arguments checked above
            [sys.executable, "-m", "ibfloor", "gateway", *_gateway_arguments(settings, home)],
            stdin=subprocess.PIPE,  # its end tells the gateway that we are gone, however we went
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the floor; the gateway must outlive its orderly end
        )
    try:
        yield _port_of(child, Path(log.name))
    finally:
        _end(child)


def _gateway_arguments(settings: DemoSettings, home: Path) -> list[str]:
    arguments = ["--port", "0", "--parent-pipe", "--hold-until-client", "--start", START_ET]
    arguments += ["--speed", f"{settings.speed:g}", "--seed", str(settings.seed), "--market", settings.market]
    arguments += ["--book", str(home / BOOK)]
    if settings.data is not None:
        arguments += ["--data", str(settings.data)]
    return arguments


def _port_of(child: subprocess.Popen[bytes], log: Path) -> int:
    assert child.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        line = child.stdout.readline() if selector.select(GATEWAY_START_TIMEOUT_S) else b""
    if line:
        return int(json.loads(line)["port"])
    code = _end(child)
    said = log.read_text(errors="replace").strip().splitlines()
    text = said[-1].removeprefix("ibfloor: ") if said else f"no ready line within {GATEWAY_START_TIMEOUT_S:g} s"
    kind = ConfigError if code == BAD_INPUT else ConnectivityError
    raise kind(f"the simulated gateway did not start: {text}")


def _end(child: subprocess.Popen[bytes]) -> int:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.close()
    for harder in (child.terminate, child.kill):
        try:
            child.wait(GATEWAY_END_TIMEOUT_S)
            break
        except subprocess.TimeoutExpired:
            harder()
    child.stdout.close()
    return child.wait()


def _floor_toml(port: int, speed: float) -> str:
    folder = examples_dir()
    strategies = (folder / DEMO_STRATEGIES).read_text(encoding="utf-8")
    files = re.sub(r'^file = "', lambda _: f'file = "{folder.as_posix()}/', strategies, flags=re.MULTILINE)
    # A second of market time is short when time runs fast: half a wall second is what a quote may be old.
    return FLOOR_TOML.format(port=port, quote_age_max_s=max(10.0, speed / 2)) + files
