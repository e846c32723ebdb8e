"""Tasks that nobody waits for, kept so that they are neither lost nor left behind."""

import asyncio
import logging
from collections.abc import Collection, Coroutine
from typing import Any

from chatroom.core.errors import Refused

#: Seconds after which a task that was cancelled and goes on is cancelled again.
AGAIN = 0.5

log = logging.getLogger(__name__)


async def end(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended."""
    left = set(tasks)
    while left:
        # Not once: wait_for of Python 3.11, by which the client of Redis sends, loses a
        # cancellation that comes together with its result.
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN)


class Work:
    """The tasks of one chatroom; a failure that nobody expects is logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Begin, and forget the task once it has ended."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def stop(self) -> None:
        """Cancel what is left and wait for its end."""
        await end(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, Refused):
            log.warning("%s was not done: %s", task.get_name(), error)
        else:
            log.error("%s failed", task.get_name(), exc_info=error)
