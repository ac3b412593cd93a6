from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.control.framing import FrameError, FrameSplitter, decode_from_floor, decode_to_floor, encode_frame
from ibfloor.control.protocol import Answer, Call, Hello, MarketColumns, SubscribeViews
from ibfloor.model.command import AddStrategy, Done
from ibfloor.model.ids import StrategyId


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 11))
def test_frames_come_out_whole_however_the_bytes_arrive(bodies: list[bytes], step: int) -> None:
    stream = b"".join(struct.pack(">I", len(body)) + body for body in bodies)
    splitter = FrameSplitter()
    out = [body for at in range(0, len(stream), step) for body in splitter.feed(stream[at : at + step])]
    assert out == bodies


def test_an_oversized_frame_is_refused_before_it_is_held() -> None:
    with pytest.raises(FrameError, match="at most 100"):
        FrameSplitter(100).feed(struct.pack(">I", 101))


@pytest.mark.parametrize("body", [b"", b"\x81", b"\xc1", b"junk", b"\x81\xa4type\xa7Unknown", b"\x91" * 100_000])
def test_bytes_that_are_no_message_are_an_error_of_the_peer(body: bytes) -> None:
    with pytest.raises(FrameError):
        decode_to_floor(body)
    with pytest.raises(FrameError):
        decode_from_floor(body)


def test_a_command_survives_the_wire() -> None:
    command = AddStrategy(command_id="1", actor="me", strategy=StrategyId("a"), file="a.py", params={"n": 1})
    for message in (Hello(token="t", name="n"), SubscribeViews(), Call(call_id=7, command=command)):
        assert decode_to_floor(encode_frame(message)[4:]) == message
    assert decode_from_floor(encode_frame(Answer(call_id=7, result=Done("ok")))[4:]) == Answer(
        call_id=7, result=Done("ok")
    )


def test_market_columns_keep_times_exact_and_prices_float() -> None:
    columns = MarketColumns(table="ticks", columns={"ts_ns": [1_380_634_200_000_000_001], "px": [168.25]})
    back = decode_from_floor(encode_frame(columns)[4:])
    assert isinstance(back, MarketColumns)
    assert list(back.columns["ts_ns"]) == [1_380_634_200_000_000_001]
    assert list(back.columns["px"]) == [168.25]
