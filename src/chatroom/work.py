"""Tasks that nobody waits for, kept so that they are neither lost nor left behind."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from chatroom.core.errors import Refused

log = logging.getLogger(__name__)


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
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

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
