"""The floor's side of the watchdog: its death is alarmed of, its going with a floor that ends is not."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from ibfloor.config import FloorSettings
from ibfloor.ops import guard_dog
from ibfloor.ops.guard_dog import LOST, ON, GuardDog
from ibfloor.ops.heartbeat import WATCHDOG_FILE, Heartbeat


def answered() -> Future[None]:
    done: Future[None] = Future()
    done.set_result(None)
    return done


@pytest.mark.parametrize(("says_goodbye", "state"), [(True, ON), (False, LOST)])
def test_a_watchdog_that_goes_is_alarmed_of_unless_the_floor_said_goodbye(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says_goodbye: bool, state: str
) -> None:
    monkeypatch.setattr(guard_dog, "BEAT_S", 0.001)
    monkeypatch.setattr(GuardDog, "_start", lambda dog: None)
    off = ("max_order_qty", "max_order_notional", "max_position_qty", "max_position_notional", "collar_pct")
    settings = FloorSettings.model_validate(
        {
            "floor": {"home": tmp_path},
            "gateway": {"port": 4002},
            "risk": {**dict.fromkeys((*off, "max_gross_exposure"), "off"), "order_rate_per_s": 5, "order_burst": 10},
            "watchdog": {"enabled": True},
        }
    )
    alarms: list[str] = []
    beats = 0

    async def scene() -> None:
        nonlocal beats
        dog: Any = GuardDog(settings, alarms.append)  # type: ignore[arg-type]

        def ask() -> Future[None]:
            nonlocal beats
            beats += 1
            return answered()

        async def until_beats(more: int) -> None:
            wanted = beats + more
            async with asyncio.timeout(10):
                while beats < wanted:  # noqa: ASYNC110 - the dog's own beat is waited for
                    await asyncio.sleep(0)

        with Heartbeat(tmp_path / WATCHDOG_FILE) as watchdog, dog.watched():
            watchdog.beat()
            keeping = asyncio.create_task(dog.keep(ask))
            await until_beats(3)
            watchdog.beat()
            await until_beats(3)
            assert dog.state == ON
            if says_goodbye:
                dog.goodbye()
            watchdog.goodbye()
            await until_beats(20)
            assert dog.state == state
            keeping.cancel()

    asyncio.run(scene())
    assert len(alarms) == (not says_goodbye)
