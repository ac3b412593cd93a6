from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibfloor.sim.gateway.wire import MAX_FRAME_BYTES, FrameReader, WireError, frame, negotiate, split_fields

_TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]))


def test_the_server_speaks_the_clients_newest_version_up_to_200() -> None:
    assert negotiate(b"v157..178") == 178
    assert negotiate(b"v100..157") == 157
    assert negotiate(b"v100..226 +PACEAPI") == 200
    assert negotiate(b"v187") == 187


@pytest.mark.parametrize("payload", [b"", b"v", b"v100..150", b"GET / HTTP/1.1", b"v1..x", b"\xff\xfe"])
def test_what_is_no_version_range_is_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        negotiate(payload)


@given(st.lists(st.lists(_TEXT, min_size=1), max_size=5), st.lists(st.integers(1, 7), min_size=1))
def test_frames_come_out_whole_however_the_stream_is_cut(messages: list[list[str]], cuts: list[int]) -> None:
    stream = b"API\0" + b"".join(frame(fields) for fields in messages)
    reader = FrameReader()
    got: list[bytes] = []
    at = n = 0
    while at < len(stream):
        size = cuts[n % len(cuts)]
        got += reader.feed(stream[at : at + size])
        at, n = at + size, n + 1
    assert [split_fields(payload) for payload in got] == messages


def test_a_stream_without_the_preamble_is_refused_at_its_first_wrong_byte() -> None:
    with pytest.raises(WireError):
        FrameReader().feed(b"AX")


def test_an_absurd_length_is_refused_before_its_bytes_are_awaited() -> None:
    with pytest.raises(WireError):
        FrameReader().feed(b"API\0" + struct.pack(">I", MAX_FRAME_BYTES + 1))


def test_bytes_that_are_no_text_are_kept_escaped() -> None:
    assert split_fields(b"4\0\xff\0") == ["4", "\\xff"]
