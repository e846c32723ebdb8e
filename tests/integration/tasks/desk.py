"""A node's writer and renewer, turned by hand."""

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import content
from hashworld.tasks.attempts import Ended
from hashworld.tasks.content.packs import PackStore
from hashworld.tasks.holdings import Holdings
from hashworld.tasks.models import Job, Lease, Task
from hashworld.tasks.renewal import Renewer
from hashworld.tasks.writer import Writer
from tests.integration.tasks import world


@dataclass
class Desk:
    """A writer and a renewer that are turned by hand, and what they told the others."""

    node: Node
    folder: Path
    turning: bool = True
    #: Whether its engine hears that it shall cancel something.
    deaf: bool = False
    cancelled: list[int] = field(default_factory=list)
    freed: int = 0
    failed: threading.Event = field(default_factory=threading.Event)
    now: float = 1000.0

    def __post_init__(self) -> None:
        self._leases: dict[int, int] = {}
        self.holdings = Holdings(settings.ENV.lease_seconds)
        self.writer = Writer(
            self.node,
            self.holdings,
            PackStore(self.node.name, self.folder),
            freed=self._free,
            failed=self.failed.set,
        )
        self.renewer = Renewer(
            self.node,
            self.holdings,
            beat=lambda: Node.objects.update(seen_at=clock.now()),
            cancel=self._cancel,
            give_back=self.writer.give_back,
            turning=lambda: self.turning,
            failed=self.failed.set,
        )

    def hold(self, *leases: Lease) -> None:
        """Hold started leases; a task's key in the engine is its id and a hundred thousand."""
        for lease in leases:
            ids = list(Task.objects.filter(lease=lease).values_list("pk", flat=True))
            self._leases |= dict.fromkeys(ids, lease.pk)
            keys = {task_id: task_id + 100_000 for task_id in ids}
            self.holdings.add(lease.pk, keys, self.now)

    def turn(self, seconds: float = 0) -> None:
        self.now += seconds
        self.renewer.distrust(self.now)
        self.renewer.run_once(self.now)
        self.writer.run_once()

    def _cancel(self, keys: Iterable[int]) -> None:
        ids = [key - 100_000 for key in keys]
        self.cancelled += ids
        if not self.deaf:
            self.writer.cut((self._leases[task_id], task_id) for task_id in ids)

    def _free(self) -> None:
        self.freed += 1


def running(desk: Desk, number: int = 1) -> tuple[Job, list[Task]]:
    job = world.hand_in(*world.pages(number))
    desk.hold(*world.run())
    return job, world.tasks(job)


def fetched(task: Task, body: bytes = b"hello", **columns: Any) -> Ended:
    return world.end(
        task,
        sha256=hashlib.sha256(body).hexdigest(),
        size=len(body),
        compressed=content.compress(body),
        received=len(body),
        **columns,
    )
