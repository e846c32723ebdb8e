"""How far a job is, seen from outside: what is shown while somebody waits for it."""

import time
from collections import deque
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
RATE_SECONDS = 3.0
#: Seconds that a node which is just starting is waited for.
START_PATIENCE = 8.0


class NoNodeAlive(TaskError):
    """No node is alive to fetch anything: start one with `make run`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A job's tasks by state, `seconds` after somebody began to wait for it."""

    counts: dict[State, int]
    seconds: float
    rate: float
    """Tasks ended per second, over the last RATE_SECONDS."""
    finished: bool

    @property
    def total(self) -> int:
        """How many tasks there are."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """How many are at their end."""
        return sum(self.counts[state] for state in TERMINAL)


def follow(job: Job) -> Iterator[Progress]:
    """Progress several times a second until the job is finished.

    Raises NoNodeAlive when all nodes have been silent for a good while: one that was killed may
    be started again at once, and then nothing needs to be said.
    """
    began = seen = time.monotonic()
    rate = _Rate()
    patience = settings.ENV.lease_seconds + START_PATIENCE
    while True:
        job.refresh_from_db()
        now = time.monotonic()
        finished = job.finished_at is not None
        yield Progress(job.counts(), now - began, rate.at(now, job.done), finished)
        if finished:
            return
        if _node_is_alive():
            seen = now
        elif now - seen > patience:
            raise NoNodeAlive(f"no node has been alive for {now - seen:.0f} s")
        time.sleep(INTERVAL)


def require_node(patience: float) -> None:
    """Raise NoNodeAlive unless a node is alive or turns up within `patience` seconds."""
    deadline = time.monotonic() + patience
    while not _node_is_alive():
        if time.monotonic() > deadline:
            raise NoNodeAlive("no node is alive")
        time.sleep(INTERVAL)


class _Rate:
    """Counts over a window that moves with the time."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, now: float, done: int) -> float:
        self._seen.append((now, done))
        while now - self._seen[0][0] > RATE_SECONDS:
            self._seen.popleft()
        then, before = self._seen[0]
        return (done - before) / (now - then) if now > then else 0.0


def _node_is_alive() -> bool:
    return Node.objects.alive(clock.now()).exists()
