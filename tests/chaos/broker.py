"""What can be done to the broker, on either footing."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from threading import Event

from hashworld.celery import app, node_queue
from tests.services import RabbitMQ

#: Seconds for which the embedded broker's file is kept locked.
LOCKED = 3.0


class Broker(ABC):
    """A broker that does not stay as it was."""

    def purge(self, nodes: Iterable[str]) -> int:
        """Delete the messages that wait for these nodes; how many there were."""
        with app.connection_for_write() as connection:
            # A node that was only just born may not have declared its queue yet.
            queues = [node_queue(node)(connection) for node in nodes]
            for queue in queues:
                queue.declare()
            return sum(queue.purge() or 0 for queue in queues)

    @abstractmethod
    def away(self) -> AbstractContextManager[None]:
        """Let it take and give nothing while the context lasts."""


class EmbeddedBroker(Broker):
    """The broker file: somebody locks it and does not let go for a while."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def away(self) -> Iterator[None]:
        with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            Event().wait(LOCKED)
            connection.execute("ROLLBACK")


class ClusterBroker(Broker):
    """RabbitMQ: it is stopped, and started again."""

    def __init__(self, rabbitmq: RabbitMQ) -> None:
        self._rabbitmq = rabbitmq

    @contextmanager
    def away(self) -> Iterator[None]:
        self._rabbitmq.stop()
        yield
        self._rabbitmq.start()
