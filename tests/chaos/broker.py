"""What can be done to the broker, on either footing."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Protocol

from hashworld.celery import app, node_queue
from tests.services import RabbitMQ

#: Seconds for which the embedded broker's file is kept locked.
LOCKED = 3.0


class Broker(Protocol):
    """A broker that does not stay as it was."""

    def purge(self, nodes: Iterable[str]) -> int:
        """Delete the messages that wait for these nodes; how many there were."""

    @contextmanager
    def away(self) -> Iterator[None]:
        """Let it take and give nothing while the context lasts."""


class EmbeddedBroker:
    """The broker file: it is locked by somebody who does not let go."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def purge(self, nodes: Iterable[str]) -> int:
        names = [node_queue(node).name for node in nodes]
        marks = ", ".join("?" * len(names))
        with closing(sqlite3.connect(self._path, timeout=30)) as connection, connection:
            return connection.execute(
                f"DELETE FROM messages WHERE queue IN ({marks})", names
            ).rowcount

    @contextmanager
    def away(self) -> Iterator[None]:
        with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            Event().wait(LOCKED)
            connection.execute("ROLLBACK")


class ClusterBroker:
    """RabbitMQ: its queues are purged, or it is stopped and started again."""

    def __init__(self, rabbitmq: RabbitMQ) -> None:
        self._rabbitmq = rabbitmq

    def purge(self, nodes: Iterable[str]) -> int:
        with app.connection_for_write() as connection:
            channel = connection.default_channel
            return sum(int(channel.queue_purge(node_queue(node).name) or 0) for node in nodes)

    @contextmanager
    def away(self) -> Iterator[None]:
        self._rabbitmq.stop()
        yield
        self._rabbitmq.start()
