"""Tasks of the floor: none of them may keep it from ending."""

from __future__ import annotations

import asyncio

from ibfloor.manager.guarded import Guarded


def test_a_task_that_waits_for_an_answer_nobody_gives_any_more_does_not_keep_the_floor_from_ending() -> None:
    failures: list[BaseException] = []

    async def live() -> asyncio.Task[None]:
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            guarded = Guarded(tasks, failures.append)
            stuck = guarded.create_task(asyncio.Event().wait())
            done = guarded.create_task(asyncio.sleep(0))
            await done
            guarded.cancel()
        return stuck

    assert asyncio.run(live()).cancelled()
    assert failures == []
