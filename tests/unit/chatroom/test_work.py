"""Tasks that nobody waits for, and their end."""

import asyncio
from contextlib import suppress

from chatroom.work import Work


async def test_a_task_that_swallows_a_cancellation_is_ended_all_the_same():
    begun = asyncio.Event()

    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            begun.set()
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    work = Work()
    task = work.start(stubborn(), "stubborn")
    await begun.wait()
    await asyncio.wait_for(work.stop(), 10)
    assert task.cancelled()
    assert not len(work)


async def test_what_has_failed_does_not_hold_the_others_up(caplog):
    async def broken() -> None:
        raise RuntimeError("broken")

    work = Work()
    work.start(broken(), "a broken task")
    waiting = work.start(asyncio.sleep(100), "waiting")
    await asyncio.wait_for(work.stop(), 10)
    assert waiting.cancelled()
