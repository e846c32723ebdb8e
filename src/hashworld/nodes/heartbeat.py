"""A node's presence: it joins, beats and leaves by writing its row.

The beat is a plain thread, so it says that the process lives and nothing of its work: that is
what leases are for (contract C5).
"""

import os
import signal
import socket
from collections.abc import Callable
from threading import Event, Thread
from typing import Any, NamedTuple

import psutil
import structlog
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    close_old_connections,
    connection,
    models,
)

import hashworld
from hashworld.nodes import clock, identity, pulse
from hashworld.nodes.models import Node, NodeState, suspicion

log = structlog.get_logger(__name__)

#: Seconds between two looks at a process that may or may not beat.
LOOK = 0.2


class NameTaken(Exception):
    """Another process that is alive has this node's name."""

    def __init__(self, node: Node) -> None:
        super().__init__(
            f"{node.name} is the name of a node that is alive on {node.hostname}, pid {node.pid}"
        )


class Work(NamedTuple):
    """What a node has in hand: its fetches, and how long ago its engine's loop turned."""

    in_flight: int = 0
    tick_age: float = 0.0


def join(name: str, incarnation: str, max_tasks: int, address: str = "", queues: str = "") -> Node:
    """Take the row of a name for a process that starts; it takes work once it is `ready`.

    What an earlier incarnation said is overwritten. Raises NameTaken while that one is alive:
    waits up to two heartbeats for a sign of life where nothing else can tell.
    """
    row: dict[str, Any] = {
        "incarnation": incarnation,
        "state": NodeState.JOINING,
        "hostname": socket.gethostname(),
        "pid": os.getpid(),
        "boot_id": identity.boot_id(),
        "address": address,
        "queues": queues,
        "version": hashworld.__version__,
        "max_tasks": max_tasks,
        "in_flight": 0,
        "tick_age": 0,
        "deaf_at": None,
    }
    while True:
        earlier = Node.objects.filter(name=name).first()
        if earlier and _is_alive(earlier):
            raise NameTaken(earlier)
        row |= {"started_at": (now := clock.now()), "seen_at": now}
        # Of two that start at once under one name, the second finds the first's incarnation.
        if not earlier:
            try:
                return Node.objects.create(name=name, **row)
            except IntegrityError:
                continue
        if _own(earlier).update(**row):
            # Not read again: by now the row may be another's.
            return Node(pk=earlier.pk, name=name, **row)


def _is_alive(node: Node) -> bool:
    """Whether the process that has this row is still there."""
    if node.state == NodeState.LEFT or identity.is_gone(node.boot_id, node.pid):
        return False
    # A frozen or killed process says nothing more; one that lives, elsewhere or here, beats.
    while clock.now() < node.seen_at + suspicion():
        Event().wait(LOOK)
        if not _own(node).filter(seen_at=node.seen_at).exclude(state=NodeState.LEFT).exists():
            node.refresh_from_db()
            return node.state != NodeState.LEFT
    return False


def ready(node: Node) -> None:
    """Say that the node takes work from now on."""
    _own(node).filter(state=NodeState.JOINING).update(state=NodeState.ALIVE)


def drain(node: Node) -> None:
    """Say that the node takes no new work."""
    _own(node).update(state=NodeState.DRAINING)


def resume(node: Node) -> None:
    """Say that a node that drained takes work again."""
    _own(node).filter(state=NodeState.DRAINING).update(state=NodeState.ALIVE)


def resize(node: Node, max_tasks: int) -> None:
    """Say how many fetches the node may have in flight from now on; its lands' weight follows."""
    _own(node).update(max_tasks=max_tasks)


def leave(node: Node) -> None:
    """Say that the node is gone for good; nobody need wait for it."""
    _own(node).update(state=NodeState.LEFT, in_flight=0)


def beat(node: Node, work: Work, process: psutil.Process) -> bool:
    """Write what the node is doing; False when a newer incarnation has taken its name."""
    return bool(
        _own(node).update(
            seen_at=clock.now(),
            in_flight=work.in_flight,
            tick_age=work.tick_age,
            cpu_percent=process.cpu_percent(),
            memory_mb=process.memory_info().rss / 2**20,
        )
    )


def _own(node: Node) -> "models.QuerySet[Node]":
    return Node.objects.filter(pk=node.pk, incarnation=node.incarnation)


def stop_process() -> None:
    """Ask this process to drain and end; what supervises it starts another."""
    os.kill(os.getpid(), signal.SIGTERM)


class Heartbeat:
    """Beats every `period` seconds until it is stopped; survives a database that is away.

    When another process has taken the node's name, it calls `lost`, once, and beats no more.
    """

    def __init__(
        self,
        node: Node,
        period: float,
        work: Callable[[], Work],
        lost: Callable[[], None] = stop_process,
    ) -> None:
        self._node = node
        self._period = period
        self._work = work
        self._lost = lost
        self._process = psutil.Process()
        self._stopped = False
        self._woken = Event()
        self._thread = Thread(target=self._loop, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start beating."""
        self._thread.start()

    def stop(self) -> None:
        """Stop beating and wait for the thread."""
        self._stopped = True
        self._woken.set()
        self._thread.join(timeout=self._period)

    def request(self) -> None:
        """Ask for a beat at once; returns at once."""
        self._woken.set()

    def run_once(self) -> bool:
        """Beat now; False when the database is away or the name is another's."""
        close_old_connections()
        try:
            mine = beat(self._node, self._work(), self._process)
        except (DatabaseError, InterfaceError) as error:
            log.warning("heartbeat not written", node=self._node.name, error=str(error))
            connection.close()
            return False
        if not mine:
            log.error(
                "another process has taken this node's name; this one stops."
                " Give each node its own HASHWORLD_NODE_NAME",
                node=self._node.name,
            )
            self._stopped = True
            self._lost()
        return mine

    def _loop(self) -> None:
        while not self._stopped:
            self._woken.wait(self._period)
            self._woken.clear()
            if not self._stopped:
                self._round()
        connection.close()

    def _round(self) -> None:
        """Beat, and go on whatever fails: a node that works must not be taken for dead."""
        try:
            self.run_once()
            pulse.show(self._work().tick_age)
        except Exception:
            log.exception("a heartbeat failed; trying again", node=self._node.name)
            connection.close()
