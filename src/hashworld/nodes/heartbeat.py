"""A node's presence: it joins, beats and leaves by writing its row.

The beat is a plain thread, so it says that the process lives and nothing of its work: that is
what leases are for (contract C5).
"""

import os
import socket
from collections.abc import Callable
from threading import Event, Thread

import psutil
import structlog
from django.db import DatabaseError, close_old_connections, connection, models

import hashworld
from hashworld.nodes import clock
from hashworld.nodes.models import Node, NodeState

log = structlog.get_logger(__name__)


def join(name: str, incarnation: str, max_tasks: int) -> Node:
    """Write the row of a node that starts; what its earlier incarnation said is overwritten."""
    now = clock.now()
    node, _ = Node.objects.update_or_create(
        name=name,
        defaults={
            "incarnation": incarnation,
            "state": NodeState.ALIVE,
            "hostname": socket.gethostname(),
            "pid": os.getpid(),
            "version": hashworld.__version__,
            "max_tasks": max_tasks,
            "in_flight": 0,
            "started_at": now,
            "seen_at": now,
        },
    )
    return node


def drain(node: Node) -> None:
    """Say that the node takes no new work."""
    _own(node).update(state=NodeState.DRAINING)


def leave(node: Node) -> None:
    """Say that the node is gone for good; nobody need wait for it."""
    _own(node).update(state=NodeState.LEFT, in_flight=0)


def beat(node: Node, in_flight: int, process: psutil.Process) -> bool:
    """Write what the node is doing; False when a newer incarnation has taken its name."""
    return bool(
        _own(node).update(
            seen_at=clock.now(),
            in_flight=in_flight,
            cpu_percent=process.cpu_percent(),
            memory_mb=process.memory_info().rss / 2**20,
        )
    )


def _own(node: Node) -> "models.QuerySet[Node]":
    return Node.objects.filter(pk=node.pk, incarnation=node.incarnation)


class Heartbeat:
    """Beats every `period` seconds until it is stopped; survives a database that is away."""

    def __init__(self, node: Node, period: float, in_flight: Callable[[], int]) -> None:
        self._node = node
        self._period = period
        self._in_flight = in_flight
        self._process = psutil.Process()
        self._stopped = Event()
        self._thread = Thread(target=self._loop, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start beating."""
        self._thread.start()

    def stop(self) -> None:
        """Stop beating and wait for the thread."""
        self._stopped.set()
        self._thread.join(timeout=self._period)

    def run_once(self) -> bool:
        """Beat now; False when the database is away or the name is another's."""
        close_old_connections()
        try:
            mine = beat(self._node, self._in_flight(), self._process)
        except DatabaseError as error:
            log.warning("heartbeat not written", node=self._node.name, error=str(error))
            connection.close()
            return False
        if not mine:
            log.error("another process has this node's name; give each its own HASHWORLD_NODE_NAME")
        return mine

    def _loop(self) -> None:
        while not self._stopped.wait(self._period):
            self.run_once()
        connection.close()
