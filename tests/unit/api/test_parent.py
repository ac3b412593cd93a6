"""The web process outlives its floor by a moment, and says nothing of it."""

from __future__ import annotations

import contextlib
import os

import structlog

from ibfloor.api.parent import ToParent


def test_a_log_line_to_a_floor_that_was_killed_is_no_failure() -> None:
    reader, writer = os.pipe()
    try:
        with contextlib.redirect_stdout(ToParent(writer)):
            plain = [structlog.processors.KeyValueRenderer()]  # whatever another test has set up
            log = structlog.wrap_logger(structlog.PrintLogger(), plain, wrapper_class=structlog.BoundLogger)
            log.warning("floor connected")
            assert b"floor connected" in os.read(reader, 4096)
            os.close(reader)
            log.warning("floor lost")
            print("and again", flush=True)
    finally:
        os.close(writer)
