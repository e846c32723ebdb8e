"""A task's way through the database alone: dispatch, start, flush; nothing is fetched.

Everything is done by HashWorld's own functions but the fetch and the pack. When a round has been
measured its tasks are made to wait again, so that the backlog keeps its size.
"""

import hashlib
from collections.abc import Callable, Sequence
from time import monotonic, perf_counter
from typing import TypeVar

import psutil

from benchmarks import entrant, filling
from hashworld.nodes import heartbeat, lands
from hashworld.nodes.heartbeat import Work
from hashworld.nodes.models import Node
from hashworld.tasks import moves, requests
from hashworld.tasks.accounts import Moved
from hashworld.tasks.attempts import Ended
from hashworld.tasks.content import Body, Place
from hashworld.tasks.dispatch import dispatch
from hashworld.tasks.holdings import Holdings
from hashworld.tasks.models import Content
from hashworld.tasks.states import Verb
from hashworld.tasks.writer import Writer

R = TypeVar("R")

HEADERS = "\n".join(
    (
        "Server: nginx/1.22.1",
        "Date: Sat, 21 Nov 2026 10:00:00 GMT",
        "Content-Type: text/html; charset=utf-8",
        "Transfer-Encoding: chunked",
        "Connection: keep-alive",
        "Vary: Accept-Encoding",
    )
)


class Prompt:
    """A broker that confirms at once."""

    def __init__(self) -> None:
        self.leases: list[int] = []

    def reach(self) -> None:
        """Always there."""

    def publish(self, lease_id: int, node: str) -> None:
        """Keep the lease for `Cycle` to start."""
        self.leases.append(lease_id)


class Weightless:
    """A store that keeps no bytes, but says where they would be."""

    name = "packs"

    def keep(self, bodies: Sequence[Body]) -> list[Place]:
        """A place for each."""
        return [Place(b.sha256, b.size, b.size // 4, self.name, "none.pack") for b in bodies]

    def read(self, content: Content) -> bytes:
        """Nothing can be read."""
        raise LookupError(f"{content} was never kept")

    def close(self) -> None:
        """Nothing is open."""


def _failed() -> None:
    raise RuntimeError("the writer failed")


class Cycle:
    """One node's rounds."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._holdings = Holdings(lease_seconds=15.0)
        self._writer = Writer(
            node,
            self._holdings,
            Weightless(),
            freed=lambda: None,
            failed=_failed,
        )
        self._process = psutil.Process()
        self._round = 0

    def run_once(self) -> dict[str, float]:
        """Give the node all that it has room for, and record all; seconds by part, and tasks."""
        self._round += 1
        heartbeat.beat(self._node, Work(), self._process)
        broker = Prompt()
        tasks, dispatching = _timed(lambda: dispatch(broker))
        ended, starting = _timed(lambda: [e for id_ in broker.leases for e in self._start(id_)])
        self._writer.put(ended)
        _, flushing = _timed(self._flush)
        moves.retry([each.task_id for each in ended])
        return {"tasks": tasks, "dispatch": dispatching, "start": starting, "flush": flushing}

    def _start(self, lease_id: int) -> list[Ended]:
        started = moves.start(lease_id, self._node.incarnation)
        loaded = requests.load(lease_id, started)
        keys = {running.task.id: request.key for running, request in loaded}
        self._holdings.add(lease_id, keys, monotonic())
        return [self._ended(running.task) for running, _ in loaded]

    def _ended(self, task: Moved) -> Ended:
        return Ended(
            task=task,
            node_id=self._node.pk,
            verb=Verb.SUCCEED,
            seconds=0.05,
            status=200,
            headers=HEADERS,
            ip="192.0.2.1",
            received=20_480,
            sha256=hashlib.sha256(f"{task.id}/{self._round}".encode()).hexdigest(),
            size=20_480,
            content_type="text/html; charset=utf-8",
            charset="utf-8",
            title="A page of the benchmark",
            timings=(None, None, None, 12.5, 50.0),
        )

    def _flush(self) -> None:
        while len(self._holdings):
            self._writer.run_once()


def _timed(work: Callable[[], R]) -> tuple[R, float]:
    began = perf_counter()
    answer = work()
    return answer, perf_counter() - began


def main(arguments: list[str]) -> None:
    """Fill in so many tasks, then run a round whenever told to."""
    (tasks,) = map(int, arguments)
    filling.fill(tasks)
    node = heartbeat.join("backlog", "1", max_tasks=512)
    heartbeat.ready(node)
    lands.make()
    lands.replan()
    cycle = Cycle(node)
    going = entrant.ready()
    while going:
        entrant.tell(cycle.run_once())
        going = entrant.told()
