"""The doctor: everything a floor needs to run, looked at one by one, each failure with its mend."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from ibfloor.clock import FloorClock
from ibfloor.config import ClockSource, FloorSettings, Mode, load_settings
from ibfloor.ledger.latch import KillLatches
from ibfloor.ledger.lock import running_pid
from ibfloor.ledger.paths import LedgerPaths
from ibfloor.manager.risk_officer import officer_path
from ibfloor.model.errors import ConfigError, ConnectivityError, StrategyError
from ibfloor.model.moment import NS_PER_S
from ibfloor.ops.gateway_probe import GatewayReport, NotIb, probe_gateway
from ibfloor.ops.home import make_home
from ibfloor.strategy.registry import make_strategy

SKEW_WARN_S, SKEW_FAIL_S = 2.0, 10.0
FREE_BYTES_MIN = 1_000_000_000
STORE_TIMEOUT_S = 60.0
LICENCE = (
    "ArcticDB is under the Business Source License: commercial use may need an agreement with its makers "
    "(docs/adr/0005-arcticdb-licence.md)"
)


class Health(StrEnum):
    """The outcome of one check."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at: what was found, and what to do about it."""

    name: str
    health: Health
    text: str
    mend: str = ""


def examine(config: Path, home: Path | None = None) -> Iterator[Check]:
    """Yield one check after the other; those that need settings or home only when these can be read.

    ``home`` replaces the folder that floor.toml names.
    """
    yield _python()
    yield _dependencies()
    try:
        settings = load_settings(config, home=home)
    except ConfigError as error:
        yield _fail("settings", str(error), "mend the lines named here, then run the doctor again")
        return
    yield _ok("settings", f"{config}: {settings.floor.mode} floor with {len(settings.strategies)} strategies")
    yield from _strategies(settings)
    home_check = _home(settings.home)
    yield home_check
    has_home = home_check.health is not Health.FAIL
    if has_home:
        yield _disk(settings)
        yield _kill_switch(settings.home)
        yield from _risk_officer(settings)
    yield from _gateway(settings)
    if has_home:
        yield _store(settings)
        yield _pages(settings)


def _ok(name: str, text: str) -> Check:
    return Check(name=name, health=Health.OK, text=text)


def _warn(name: str, text: str, mend: str) -> Check:
    return Check(name=name, health=Health.WARN, text=text, mend=mend)


def _fail(name: str, text: str, mend: str) -> Check:
    return Check(name=name, health=Health.FAIL, text=text, mend=mend)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):  # noqa: UP036 - an install forced onto an old Python should be told
        return _fail("python", f"Python {version}", "install Python 3.11 or newer and make the environment anew")
    return _ok("python", f"Python {version} on {sys.platform}")


def _dependencies() -> Check:
    missing = []
    needed = [line for line in importlib.metadata.requires("ibfloor") or () if "extra ==" not in line]
    names = [re.split(r"[\s<>=!~;\[(]", line, maxsplit=1)[0] for line in needed]
    for name in names:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return _fail("dependencies", f"not installed: {', '.join(missing)}", "run make, or install ibfloor again")
    return _ok("dependencies", f"{len(names)} packages, ib_async {importlib.metadata.version('ib_async')}")


def _strategies(settings: FloorSettings) -> Iterator[Check]:
    for section in settings.strategies:
        name = f"strategy {section.name}"
        try:
            made = make_strategy(section.name, file=section.file, class_name=section.class_name, params=section.params)
        except (ConfigError, StrategyError) as error:
            yield _fail(name, str(error), f"mend {section.file}, or the strategy's entry in floor.toml")
        else:
            yield _ok(name, f"{made.loaded.class_name} of {section.file.name}, version {made.loaded.version}")


def _home(home: Path) -> Check:
    try:
        make_home(home, "[floor] home")
    except ConfigError as error:
        return _fail("home", str(error), "give the folder to the floor's user, or mend home in floor.toml")
    if home.stat().st_mode & 0o077:
        return _warn("home", f"{home} can be entered by other users", f"chmod 700 {home}")
    return _ok("home", f"{home} can be written, by its owner only")


def _disk(settings: FloorSettings) -> Check:
    free = shutil.disk_usage(settings.home).free
    text = f"{free / 1e9:.1f} GB free where {settings.home} is"
    if free < FREE_BYTES_MIN:
        return _fail("disk", text, "free at least 1 GB: without room for the journal nothing may be sent")
    if settings.recorder.enabled and free < settings.recorder.min_free_gb * 1e9:
        return _warn("disk", text, f"the recorder stops under {settings.recorder.min_free_gb:g} GB: free some space")
    return _ok("disk", text)


def _kill_switch(home: Path) -> Check:
    latched = KillLatches(home).states()
    if latched:
        told = "; ".join(f"{place} by {state.actor}: {state.reason}" for place, state in latched.items())
        return _warn("kill switch", f"latched: {told}", "run the floor, then: ibfloor unkill REASON")
    pid = running_pid(LedgerPaths(home).lock)
    return _ok("kill switch", "open" + (f"; a floor runs here, process {pid}" if pid else ""))


def _risk_officer(settings: FloorSettings) -> Iterator[Check]:
    if officer_path(settings.home).exists():
        yield _ok("risk officer", "named: kill switches open and limits rise by their passphrase")
    elif settings.floor.mode is Mode.LIVE:
        text = "none is named: no kill switch of a live floor opens and no limit rises without one"
        yield _warn("risk officer", text, "run `ibfloor officer`")


def _gateway(settings: FloorSettings) -> Iterator[Check]:
    gateway = settings.gateway
    where = f"{gateway.host}:{gateway.port}"
    asked_ns = FloorClock().now_ns()
    try:
        report = probe_gateway(gateway.host, gateway.port, timeout_s=min(gateway.connect_timeout_s, 10.0))
    except NotIb as error:
        yield _fail("gateway", str(error), "mend [gateway] port; 4002 and 4001 are IB Gateway's, 7497 and 7496 TWS's")
        return
    except ConnectivityError as error:
        yield _fail(
            "gateway",
            str(error),
            "start IB Gateway or TWS and log in; in its API settings enable socket clients, and compare the port",
        )
        return
    yield _ok("gateway", f"{where} speaks the TWS protocol, server version {report.server_version}")
    yield _account(settings, report)
    yield _clock(settings, report, asked_ns)


def _account(settings: FloorSettings, report: GatewayReport) -> Check:
    accounts, wanted = report.accounts, settings.floor.account
    if not accounts:
        return _fail(
            "account", "the gateway names no account", "log in to the gateway and look whether it asks something"
        )
    if wanted and wanted not in accounts:
        return _fail("account", f"{wanted} is not among {', '.join(accounts)}", "mend [floor] account")
    if not wanted and len(accounts) > 1:
        return _fail("account", f"the login has {', '.join(accounts)}", "write the one to trade as [floor] account")
    account = wanted or accounts[0]
    is_paper = account.startswith("D")
    if settings.floor.mode is Mode.PAPER and not is_paper:
        return _fail(
            "account", f"{account} is a live account, the floor is in paper mode", "log in to the paper account"
        )
    if settings.floor.mode is Mode.LIVE and is_paper:
        return _warn("account", f"{account} is a paper account, the floor is in live mode", 'write mode = "paper"')
    return _ok("account", account)


def _clock(settings: FloorSettings, report: GatewayReport, asked_ns: int) -> Check:
    if report.is_simulated_clock and settings.floor.mode is Mode.LIVE:
        return _fail(
            "clock",
            "the gateway is simulated, and a live floor cannot run on one",
            'mend [gateway] port, or write mode = "paper" in [floor]',
        )
    if report.is_simulated_clock:
        if settings.clock.follow is ClockSource.GATEWAY:
            return _ok("clock", "the gateway's clock is simulated, and the floor follows it")
        return _fail("clock", "the gateway's clock is simulated", 'write follow = "gateway" in [clock]')
    skew_s = (report.time_ns - asked_ns) / NS_PER_S
    text = f"this machine's clock and the gateway's differ by {abs(skew_s):.0f} s"
    if abs(skew_s) > SKEW_FAIL_S:
        return _fail("clock", text, "let this machine's time be kept by NTP")
    if abs(skew_s) > SKEW_WARN_S:
        return _warn("clock", text, "let this machine's time be kept by NTP")
    return _ok("clock", text)


def _store(settings: FloorSettings) -> Check:
    if not settings.recorder.enabled:
        return _ok("recorder", "switched off in [recorder]")
    # In a process of its own, and beside the real store: ArcticDB can take its process down.
    with tempfile.TemporaryDirectory(dir=settings.home, prefix=".doctor-") as folder:
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter, our own arguments
                [sys.executable, "-m", "ibfloor.ops.store_check", folder],
                capture_output=True,
                text=True,
                timeout=STORE_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return _fail(
                "recorder", f"ArcticDB did not answer in {STORE_TIMEOUT_S:g} s", "look at the disk under the home"
            )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return _fail("recorder", f"ArcticDB cannot write: {reason}", "free disk space, or install ibfloor again")
    return _ok("recorder", f"ArcticDB writes and reads under {settings.home}. {LICENCE}")


def _pages(settings: FloorSettings) -> Check:
    if not settings.web.enabled:
        return _ok("pages", "switched off in [web]")
    vendor = Path(__file__).resolve().parents[1] / "gui" / "vendor" / "preact.mjs"
    if not vendor.is_file():
        return _fail("pages", "the pages' libraries are missing", "run `npm ci`, then install ibfloor again")
    if not settings.web.password_file.is_file():
        return _ok("pages", "in place; no password is set, so entry is by the one-time link that a start prints")
    return _ok("pages", "in place, with a password")
