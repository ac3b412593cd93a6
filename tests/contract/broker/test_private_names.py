"""What we use of ib_async behind its public face: a new version must not move it unnoticed."""

from __future__ import annotations

import asyncio
import importlib.metadata
import inspect
import re
from collections.abc import Callable, Mapping

import ib_async
import pytest
from ib_async import decoder as library_decoder
from ib_async.client import Client
from ib_async.connection import Connection

from ibfloor.broker.ib.client import LeanClient
from ibfloor.broker.ib.decoder import LoudDecoder
from ibfloor.broker.ib.pacing import MessageBudget
from ibfloor.broker.ib.wrapper import EVERY_MESSAGE, IbWrapper


class Hooks:
    def __init__(self) -> None:
        self.lean: Mapping[bytes, Callable[[list[bytes]], None]] = {}
        self.failures: list[tuple[Exception, str]] = []

    def packet_started(self) -> None: ...

    def packet_done(self) -> None: ...

    def message_failed(self, error: Exception, message: str) -> None:
        self.failures.append((error, message))

    def frames_unsent(self, unsent: object) -> None: ...

    def bars_order(self, order_id: int) -> str:
        return ""

    def order_barred(self, order_id: int, why: str) -> None: ...


def test_library_is_the_version_this_was_read_from() -> None:
    assert importlib.metadata.version("ib_async").startswith("2.1.")
    assert (Client.MinClientVersion, Client.MaxClientVersion) == (157, 178)


def test_client_has_the_private_names_we_use() -> None:
    client = Client(None)  # type: ignore[no-untyped-call]
    for name in ("_apiReady", "_data", "_reqIdSeq", "_serverVersion", "connState", "conn", "decoder", "_accounts"):
        assert hasattr(client, name), name
    for name in ("_onSocketHasData", "_onSocketDisconnected", "sendMsg", "startApi", "reset", "getAccounts"):
        assert callable(getattr(Client, name)), name
    assert {"transport"} <= vars(Connection()).keys()  # type: ignore[no-untyped-call]
    assert list(inspect.signature(Client._onSocketHasData).parameters) == ["self", "data"]
    assert list(inspect.signature(Client.sendMsg).parameters) == ["self", "msg"]
    assert list(inspect.signature(library_decoder.Decoder.wrap).parameters) == ["self", "methodName", "types", "skip"]


def test_wrapper_knows_every_name_the_decoder_may_call() -> None:
    source = inspect.getsource(library_decoder)
    called = set(re.findall(r"self\.wrapper\.(\w+)\(", source)) | set(re.findall(r"self\.wrap\(\s*\"(\w+)\"", source))
    assert len(called) > 80
    assert called <= EVERY_MESSAGE
    assert {"defaultTimezone", "ib"} <= vars(IbWrapper({}, naive_zone="UTC")).keys()


def test_wrapper_refuses_a_handler_the_decoder_never_calls() -> None:
    with pytest.raises(ValueError, match="orderStatsu"):
        IbWrapper({"orderStatsu": lambda *_: None}, naive_zone="UTC")


def test_message_nobody_asked_for_is_counted_not_lost() -> None:
    wrapper = IbWrapper({}, naive_zone="UTC")
    LoudDecoder(wrapper, lambda error, message: pytest.fail(message)).interpret(["49", "1", "1382000000"])
    assert wrapper.unasked == {"currentTime": 1}


@pytest.mark.parametrize(
    "fields",
    [
        ["49", "1", "soon"],
        ["4", "2", "-1", "many", "text", ""],
        ["5", "1", "short"],
        ["9999", "1"],
        ["17", "1", "", "", "1", "x"],
    ],
)
def test_failure_in_a_handler_is_reported_with_its_message(fields: list[str]) -> None:
    failures: list[tuple[Exception, str]] = []
    decoder = LoudDecoder(IbWrapper({}, naive_zone="UTC"), lambda error, message: failures.append((error, message)))
    decoder.serverVersion = 178
    decoder.interpret(fields)
    ((error, message),) = failures
    assert isinstance(error, (ValueError, IndexError, KeyError, StopIteration))
    assert message.startswith(fields[0])


def test_failure_in_our_own_handler_is_reported() -> None:
    failures: list[Exception] = []

    def broken(_: int) -> None:
        raise RuntimeError("ours")

    wrapper = IbWrapper({"currentTime": broken}, naive_zone="UTC")
    LoudDecoder(wrapper, lambda error, _: failures.append(error)).interpret(["49", "1", "5"])
    assert [str(error) for error in failures] == ["ours"]


def test_frames_split_anywhere_come_out_whole() -> None:
    async def test() -> None:
        seen: list[tuple[bytes, ...]] = []
        hooks = Hooks()
        hooks.lean = {b"1": lambda fields: seen.append(tuple(fields))}
        bodies = [f"1\x006\x00{n}\x001\x00170.{n}\x00{n}\x000\x00".encode() for n in range(40)]
        stream = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
        for step in (1, 2, 3, 7, 64, len(stream)):
            seen.clear()
            client = LeanClient(IbWrapper({}, naive_zone="UTC"), hooks, MessageBudget(0))
            client._apiReady = True
            for start in range(0, len(stream), step):
                client._onSocketHasData(stream[start : start + step])
            assert seen == [tuple(body.split(b"\0")) for body in bodies]
            assert client._data == b""

    asyncio.run(test())


def test_library_is_only_ever_asked_for_what_it_encodes_itself() -> None:
    assert callable(ib_async.Client.placeOrder)
    assert LeanClient.MaxRequests == 0
