"""How far a job is, seen from outside: what is shown while somebody waits for it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks.errors import TaskError
from hashworld.tasks.models import Job
from hashworld.tasks.states import TERMINAL, State

#: Seconds between two looks.
INTERVAL = 0.25
#: Seconds that a node which is just starting is waited for.
START_PATIENCE = 8.0


class NoNodeAlive(TaskError):
    """No node is alive to fetch anything: start one with `make run`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A job's tasks by state, `seconds` after somebody began to wait for it."""

    counts: dict[State, int]
    seconds: float
    finished: bool

    @property
    def total(self) -> int:
        """How many tasks there are."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """How many are at their end."""
        return sum(self.counts[state] for state in TERMINAL)

    @property
    def rate(self) -> float:
        """Tasks ended per second."""
        return self.done / self.seconds if self.seconds else 0.0


def follow(job: Job) -> Iterator[Progress]:
    """Progress several times a second until the job is finished.

    Raises NoNodeAlive when all nodes have been silent for a good while: one that was killed may
    be started again at once, and then nothing needs to be said.
    """
    began = seen = time.monotonic()
    patience = settings.ENV.lease_seconds + START_PATIENCE
    while True:
        job.refresh_from_db()
        now = time.monotonic()
        yield Progress(job.counts(), now - began, job.finished_at is not None)
        if job.finished_at:
            return
        if _node_is_alive():
            seen = now
        elif now - seen > patience:
            raise NoNodeAlive(f"no node has been alive for {now - seen:.0f} s")
        time.sleep(INTERVAL)


def require_node(patience: float = START_PATIENCE) -> None:
    """Raise NoNodeAlive unless a node is alive or turns up within `patience` seconds."""
    deadline = time.monotonic() + patience
    while not _node_is_alive():
        if time.monotonic() > deadline:
            raise NoNodeAlive("no node is alive")
        time.sleep(INTERVAL)


def _node_is_alive() -> bool:
    return Node.objects.alive(clock.now()).exists()
