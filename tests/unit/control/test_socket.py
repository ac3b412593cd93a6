from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ibfloor.control.client import ControlClient
from ibfloor.control.endpoint import Endpoint, endpoint_path, read_endpoint, write_endpoint
from ibfloor.control.framing import FrameSplitter, decode_from_floor, encode_frame
from ibfloor.control.once import fetch_snapshot, send_command
from ibfloor.control.peer import VIEW_FRAMES_MAX
from ibfloor.control.protocol import Hello, MarketColumns, RecorderReport, SubscribeViews, ViewChanges, ViewSnapshot
from ibfloor.model.command import AnyCommand, CancelAll, CommandResult, ConfirmBooking, Denied, Done, Kill, StartAll
from ibfloor.model.errors import ConfigError, ConnectivityError
from ibfloor.model.view import RiskView

Run = Callable[[Awaitable[Any]], Any]
CANCEL = CancelAll(command_id="c1", actor="me")
TICKS = MarketColumns(table="ticks", columns={"ts_ns": [1], "px": [2.0]})


def risk(refusals: int) -> RiskView:
    return RiskView(rule="r", limit="9", used="x" * 20_000, used_pct=None, refusals=refusals)


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_true():  # noqa: ASYNC110 - the condition is another task's doing
            await asyncio.sleep(0)


def test_the_endpoint_file_is_private_and_gone_after_the_floor(floor: Any, run: Run) -> None:
    async def story() -> None:
        path = endpoint_path(floor.home)
        async with floor.running():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert read_endpoint(path).pid == os.getpid()
            assert len(read_endpoint(path).token) >= 40
        assert not path.exists()

    run(story())


def test_a_snapshot_then_numbered_changes(floor: Any, run: Run) -> None:
    async def story() -> None:
        async with floor.running(), ControlClient.connect(floor.home, name="web") as client:
            floor.differ.update("risk", "r", risk(0))
            floor.publish()
            views = client.views()
            first = await anext(views)
            assert isinstance(first, ViewSnapshot)
            assert first.seq == 1
            floor.differ.update("risk", "r", risk(1))
            floor.publish()
            assert await anext(views) == ViewChanges(seq=2, rows={"risk": {"r": {"refusals": 1}}})

    run(story())


def test_a_slow_follower_gets_one_fresh_snapshot_instead_of_a_backlog(floor: Any, run: Run) -> None:
    async def story() -> None:
        async with floor.running():
            endpoint = read_endpoint(endpoint_path(floor.home))
            reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port, limit=1024)
            writer.write(encode_frame(Hello(token=endpoint.token, name="slow")) + encode_frame(SubscribeViews()))
            await until(lambda: bool(floor.server.clients))
            last = 0
            for last in range(1, 400):  # some 8 MB: more than every buffer between us
                floor.differ.update("risk", "r", RiskView(**{**_fields(risk(last)), "used": str(last) + "x" * 20_000}))
                floor.publish()
                await asyncio.sleep(0)
            seen = await _read_until(reader, last)
            snapshots = [message for message in seen if isinstance(message, ViewSnapshot)]
            assert len(snapshots) >= 2
            assert len(seen) < 400 - VIEW_FRAMES_MAX
            writer.close()

    run(story())


def _fields(row: RiskView) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


async def _read_until(reader: asyncio.StreamReader, last: int) -> list[ViewSnapshot | ViewChanges]:
    splitter, seen = FrameSplitter(), []
    while True:
        for body in splitter.feed(await reader.read(65536)):
            message = decode_from_floor(body)
            if isinstance(message, ViewSnapshot | ViewChanges):
                seen.append(message)
                if message.seq == last:
                    return seen


def test_a_command_is_carried_out_once_however_often_it_is_sent(floor: Any, run: Run) -> None:
    async def story() -> None:
        async with floor.running(), ControlClient.connect(floor.home, name="a") as client:
            async with ControlClient.connect(floor.home, name="b") as other:
                results = await asyncio.gather(client.call(CANCEL), other.call(CANCEL), client.call(CANCEL))
            assert list(results) == [Done("CancelAll")] * 3
            assert floor.commands == [CANCEL]
            reused = await client.call(StartAll(command_id="c1", actor="me"))
            assert isinstance(reused, Denied)
            assert "fresh id" in reused.text

    run(story())


def test_a_refusal_of_the_floor_reaches_the_caller_as_text(floor: Any, run: Run) -> None:
    async def refuse(command: AnyCommand) -> CommandResult:
        raise ConfigError("strategy.py: no Strategy in it")

    async def story() -> None:
        floor.carry_out = refuse
        async with floor.running(), ControlClient.connect(floor.home, name="a") as client:
            assert await client.call(CANCEL) == Denied("strategy.py: no Strategy in it")

    run(story())


def test_a_slow_command_holds_up_neither_another_nor_the_views(floor: Any, run: Run) -> None:
    async def story() -> None:
        gate = asyncio.Event()

        async def slow(command: AnyCommand) -> CommandResult:
            if isinstance(command, CancelAll):
                await gate.wait()
            return Done(type(command).__name__)

        floor.carry_out = slow
        async with floor.running(), ControlClient.connect(floor.home, name="a") as client:
            waiting = asyncio.create_task(client.call(CANCEL))
            await until(lambda: bool(floor.commands))
            assert await client.call(Kill(command_id="k", actor="me", reason="now")) == Done("Kill")
            assert not waiting.done()
            gate.set()
            assert await waiting == Done("CancelAll")

    run(story())


@pytest.mark.parametrize(
    "first",
    [
        b"\xff\xff\xff\xff",
        b"\0\0\0\x04junk",
        encode_frame(Hello(token="guess", name="x")),
        encode_frame(SubscribeViews()),
    ],
    ids=["huge", "junk", "wrong-token", "no-hello"],
)
def test_a_stranger_is_cut_off_and_the_others_go_on(floor: Any, run: Run, first: bytes) -> None:
    async def story() -> None:
        async with floor.running(), ControlClient.connect(floor.home, name="good") as good:
            reader, writer = await asyncio.open_connection("127.0.0.1", floor.server.port)
            writer.write(first)
            with pytest.raises(ConnectionResetError):  # noqa: PT012 - a reset or an end, as the kernel likes
                if await reader.read(100) == b"":
                    raise ConnectionResetError
            writer.close()
            assert floor.server.clients == ("good",)
            assert await good.call(CANCEL) == Done("CancelAll")

    run(story())


def test_bad_frames_of_a_known_client_hurt_only_that_client(floor: Any, run: Run) -> None:
    async def story() -> None:
        async with floor.running(), ControlClient.connect(floor.home, name="good") as good:
            endpoint = read_endpoint(endpoint_path(floor.home))
            reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
            writer.write(encode_frame(Hello(token=endpoint.token, name="bad")) + b"\0\0\0\x03\x81\x82\x83")
            await until(lambda: reader.at_eof() or reader.exception() is not None)
            assert floor.server.clients == ("good",)
            assert await good.call(CANCEL) == Done("CancelAll")
            writer.close()

    run(story())


def test_market_data_is_refused_when_no_recorder_takes_it(floor: Any, run: Run) -> None:
    async def story() -> None:
        async with floor.running():
            assert not floor.server.publish_market(TICKS)
            async with ControlClient.connect(floor.home, name="recorder") as recorder:
                feed = recorder.market()
                first = asyncio.ensure_future(anext(feed))
                await until(lambda: floor.server.publish_market(TICKS))
                assert await first == TICKS
                await recorder.report(RecorderReport(ticks_stored=1, bars_stored=0, gaps=0))
                await until(lambda: bool(floor.reports))
                for _ in range(1000):  # nobody yields to the loop, so the queue must fill
                    is_taken = floor.server.publish_market(TICKS)
                assert not is_taken

    run(story())


def test_bars_are_answered_from_memory(floor: Any, run: Run) -> None:
    async def story() -> None:
        async with floor.running(), ControlClient.connect(floor.home, name="web") as client:
            assert await client.bars(7, 60, limit=3) == [[60, 1.0, 2.0, 0.5, 1.5, 3.0, True]]

    run(story())


def test_followers_are_told_when_the_floor_goes(floor: Any, run: Run) -> None:
    async def story() -> None:
        async with contextlib.AsyncExitStack() as follower:
            async with floor.running():
                client = await follower.enter_async_context(ControlClient.connect(floor.home, name="web"))
                views = client.views()
                await anext(views)
            with pytest.raises(ConnectivityError, match="the floor closed the control connection"):
                await anext(views)
            with pytest.raises(ConnectivityError):
                await client.call(CANCEL)

    run(story())


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (CANCEL, "what was asked may have happened, or not"),
        (ConfirmBooking(command_id="c", actor="ann", preview_id="p"), "look at `ibfloor book entries` whether"),
    ],
)
@pytest.mark.parametrize("goes", [True, False], ids=["the floor goes", "no answer in time"])
def test_who_gets_no_answer_is_told_that_it_may_have_happened_and_where_to_look(
    floor: Any, run: Run, command: AnyCommand, hint: str, goes: bool
) -> None:
    async def story() -> None:
        taken, is_over = asyncio.Event(), asyncio.Event()

        async def work_long(_: AnyCommand) -> CommandResult:
            taken.set()
            await is_over.wait()
            return Done("too late")

        floor.carry_out = work_long
        async with contextlib.AsyncExitStack() as asker:
            async with floor.running():
                client = await asker.enter_async_context(ControlClient.connect(floor.home, name="cli"))
                asked = asyncio.create_task(client.call(command, timeout_s=30.0 if goes else 0.05))
                asked.add_done_callback(lambda _: is_over.set())
                await taken.wait()
                if not goes:
                    await asyncio.wait([asked])
            with pytest.raises(ConnectivityError, match=hint):
                await asked
            await until(lambda: client._is_lost)
            with pytest.raises(ConnectivityError) as never_sent:
                await client.call(command)
            assert hint not in str(never_sent.value)

    run(story())


def test_an_error_of_the_floors_own_leaves_the_server_unwrapped(floor: Any, run: Run) -> None:
    async def story() -> None:
        async with floor.running(), ControlClient.connect(floor.home, name="web"):
            raise ConfigError("mine")

    with pytest.raises(ConfigError, match="mine"):
        run(story())


def test_programs_without_a_loop_can_ask_and_command(floor: Any, run: Run) -> None:
    async def story() -> None:
        async with floor.running():
            floor.differ.update("risk", "r", risk(3))
            floor.publish()
            snapshot = await asyncio.to_thread(fetch_snapshot, floor.home)
            assert snapshot.rows["risk"]["r"]["refusals"] == 3  # type: ignore[index]
            assert await asyncio.to_thread(send_command, floor.home, CANCEL) == Done("CancelAll")

    run(story())


def test_without_a_floor_the_text_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(ConnectivityError, match=r"no floor is running here.*`ibfloor run`"):
        fetch_snapshot(tmp_path)


def test_a_leftover_of_a_killed_floor_is_named(tmp_path: Path) -> None:
    write_endpoint(endpoint_path(tmp_path), Endpoint(host="127.0.0.1", port=1, token="t", pid=1))
    with pytest.raises(ConnectivityError, match=r"nothing listens on 127\.0\.0\.1:1, the control file is a leftover"):
        fetch_snapshot(tmp_path)


def test_a_floor_that_runs_but_hangs_is_not_called_absent(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = Endpoint(host="127.0.0.1", port=silent.getsockname()[1], token="t", pid=os.getpid())
        write_endpoint(endpoint_path(tmp_path), endpoint)
        with pytest.raises(ConnectivityError, match=rf"the floor \(process {os.getpid()}\) runs but does not answer"):
            fetch_snapshot(tmp_path, timeout_s=0.2)


def test_a_damaged_control_file_is_named(tmp_path: Path) -> None:
    endpoint_path(tmp_path).write_text("{")
    with pytest.raises(ConnectivityError, match="the control file is damaged"):
        send_command(tmp_path, CANCEL)
