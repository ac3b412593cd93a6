"""IB Gateway under IBC: started when nothing answers on the port, and started again when it ends.

IBC (IbcAlpha/IBC on GitHub) fills in the log-in and keeps IB Gateway's dialogs away. It takes user and
password from its ini file; here that file is anonymous memory that only its process tree can open, so
the two are in no file, no argument and no log. Waiting for a second factor is waiting for the port.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from ibfloor.config import FloorSettings, GatewaySection, IbcSection, Launcher, Mode
from ibfloor.manager.supervision import RestartBudget, RestartPolicy
from ibfloor.model.errors import ConfigError, ConnectivityError, FloorError
from ibfloor.ops.credentials import Credentials, read_credentials
from ibfloor.ops.gateway_probe import probe_gateway

log = structlog.get_logger("ibc")

POLL_S = 1.0
PROBE_TIMEOUT_S = 3.0
STOP_TIMEOUT_S = 15.0
RESTARTS = RestartPolicy(max_restarts=5, window_s=3600.0, backoff_s=5.0, backoff_max_s=300.0)
_SECRET_KEYS = ("ibloginid", "ibpassword", "fixloginid", "fixpassword")
# IBC's exit codes 1111 and 1112, as a shell sees them.
_ENDS = {87: "the second factor was not confirmed in time", 88: "the log-in window did not come up in time"}


class IbcGateway:
    """Starts and keeps one IB Gateway. Owner: the main loop.

    A lock that its processes hold tells whether they live, also those that an earlier floor started.
    """

    def __init__(
        self,
        gateway: GatewaySection,
        ibc: IbcSection,
        *,
        mode: Mode,
        home: Path,
        restarts: RestartPolicy = RESTARTS,
        credentials: Callable[[IbcSection], Credentials] = lambda ibc: read_credentials(ibc.credentials),
    ) -> None:
        self._gateway = gateway
        self._ibc = ibc
        self._mode = mode
        self._lock_path = home / "ibc.lock"
        self._log_path = home / "logs" / "ibc.log"
        self._budget = RestartBudget(restarts)
        self._read_credentials = credentials
        self._login: Credentials | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def open(self) -> None:
        """Return when the gateway answers; start it first where nothing does.

        Raises ``ConfigError`` when IBC is not where floor.toml says, ends, or does not log in in time.
        """
        check_ibc(self._ibc)
        self._login = self._read_credentials(self._ibc)
        if await self._answers():
            log.info("the gateway is up already", port=self._gateway.port)
            return
        if not self._is_alive():
            await self._start()
        await self._wait_for_answer()

    async def keep(self) -> None:
        """Start it again whenever its processes are gone, with backoff; give up when it fails too often."""
        while True:
            while self._is_alive() or await self._answers():  # noqa: ASYNC110 - it may be no child of ours
                await asyncio.sleep(POLL_S)
            delay_s = self._budget.next_delay_s(asyncio.get_running_loop().time())
            if delay_s is None:
                log.error("IB Gateway ends again and again: it is not started any more", log=str(self._log_path))
                return
            log.error("IB Gateway has ended; it is started again", why=self._why_ended(), in_s=delay_s)
            await asyncio.sleep(delay_s)
            try:
                await self._start()
                await self._wait_for_answer()
            except FloorError as error:
                log.error("IB Gateway did not come up", reason=str(error))

    async def close(self) -> None:
        """End it where floor.toml says so; else it stays logged in for the next floor."""
        if not self._ibc.stop_with_floor or not self._is_alive():
            return
        group = int(self._lock_path.read_text() or 0)
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.killpg(group, number)
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    while self._is_alive():  # noqa: ASYNC110 - it may be no child of ours
                        await asyncio.sleep(POLL_S / 10)
                return
            except TimeoutError:
                log.error("IB Gateway does not end", signal=number.name)

    async def _start(self) -> None:
        ini = self._ini_in_memory()
        lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        out = os.open(self._log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments(f"/proc/self/fd/{ini}"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=(ini, lock),
                start_new_session=True,  # Ctrl-C is for the floor; a log-in with a second factor is dear
            )
            os.ftruncate(lock, 0)
            os.write(lock, str(self._process.pid).encode())
        except OSError as error:
            raise ConfigError(f"[ibc] path: {self._ibc.path} cannot be started: {error}") from error
        finally:
            for descriptor in (ini, lock, out):
                os.close(descriptor)
        log.info("IB Gateway is starting under IBC", pid=self._process.pid, log=str(self._log_path))

    def _arguments(self, ini: str) -> list[str]:
        ibc = self._ibc
        settings_path = ibc.settings_path or ibc.tws_path
        return [
            str(_script(ibc)),
            str(ibc.version),
            "--gateway",
            f"--tws-path={ibc.tws_path}",
            f"--tws-settings-path={settings_path}",
            f"--ibc-path={ibc.path}",
            f"--ibc-ini={ini}",
            f"--mode={self._mode.value}",
            f"--on2fatimeout={ibc.on_2fa_timeout}",
        ]

    def _ini_in_memory(self) -> int:
        assert self._login is not None
        text = self._ibc.ini.read_text() if self._ibc.ini else ""
        ours = {
            "IbLoginId": self._login.user,
            # Java's properties take a backslash for an escape.
            "IbPassword": self._login.password.replace("\\", "\\\\"),
            "TradingMode": self._mode.value,
            "OverrideTwsApiPort": str(self._gateway.port),
            "CommandServerPort": "0",
        }
        text += "\n" + "".join(f"{key}={value}\n" for key, value in ours.items())
        ini = os.memfd_create("ibc.ini", os.MFD_CLOEXEC)
        os.write(ini, text.encode())
        return ini

    async def _wait_for_answer(self) -> None:
        try:
            async with asyncio.timeout(self._ibc.login_timeout_s):
                while not await self._answers():
                    if not self._is_alive():
                        raise ConfigError(f"[ibc]: IB Gateway ended before it answered: {self._why_ended()}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise ConfigError(
                f"[ibc] login_timeout_s: IB Gateway did not answer on port {self._gateway.port} within "
                f"{self._ibc.login_timeout_s:g} s; is a second factor waiting? See {self._log_path}"
            ) from None
        log.info("IB Gateway answers", port=self._gateway.port)

    async def _answers(self) -> bool:
        host, port = self._gateway.host, self._gateway.port
        try:
            await asyncio.to_thread(probe_gateway, host, port, timeout_s=PROBE_TIMEOUT_S)
        except ConnectivityError:
            return False
        return True

    def _is_alive(self) -> bool:
        try:
            lock = os.open(self._lock_path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def _why_ended(self) -> str:
        code = self._process.returncode if self._process else None
        if code is None:
            return f"see {self._log_path}"
        return f"{_ENDS.get(code, f'exit code {code}')}; see {self._log_path}"


@asynccontextmanager
async def gateway_kept_up(settings: FloorSettings) -> AsyncIterator[None]:
    """Have IB Gateway up while the body runs, where floor.toml names a launcher; else do nothing."""
    if settings.gateway.launcher is Launcher.NONE:
        yield
        return
    gateway = IbcGateway(settings.gateway, settings.ibc, mode=settings.floor.mode, home=settings.home)
    await gateway.open()
    keeping = asyncio.create_task(gateway.keep(), name="ibc")
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})
        await gateway.close()


def check_ibc(ibc: IbcSection) -> None:
    """Raise ``ConfigError`` when IBC is not there, or its ini file holds what must be in no file."""
    script = _script(ibc)
    if not os.access(script, os.X_OK):
        raise ConfigError(
            f"[ibc] path: {script} is not there or not executable; give the folder where IBC is installed"
        )
    if ibc.ini is None:
        return
    try:
        lines = ibc.ini.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"[ibc] ini: {ibc.ini} cannot be read: {error}") from None
    for number, line in enumerate(lines, 1):
        key, _, value = line.partition("=")
        if key.strip().lower() in _SECRET_KEYS and value.strip():
            raise ConfigError(
                f"{ibc.ini}:{number}: {key.strip()} is written in a file; empty it, and keep it where "
                f'[ibc] credentials = "{ibc.credentials}" reads it'
            )


def _script(ibc: IbcSection) -> Path:
    return ibc.path / "scripts" / "ibcstart.sh"
