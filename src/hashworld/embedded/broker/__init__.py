"""A message broker in one SQLite file, shared by the processes of one machine.

What it promises: a message is delivered at least once, each queue in order; a message a process
held when it died is delivered again; queues of dead processes go away. It promises nothing over a
network file system, where SQLite's write-ahead log does not work.
"""

import os
import sqlite3
import time
from functools import cache
from pathlib import Path

from hashworld.embedded.broker.errors import BrokerError
from hashworld.embedded.broker.keeper import Keeper
from hashworld.embedded.broker.messages import Messages
from hashworld.embedded.broker.owners import Owner, Owners
from hashworld.embedded.broker.queues import Queues
from hashworld.embedded.broker.store import Store

OLDEST_SQLITE = (3, 35, 0)
"""The first release that knows RETURNING."""


class Broker:
    """The parts that make a broker of the file at `path`. Use `broker_at` to get one."""

    def __init__(self, path: Path) -> None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise BrokerError(
                f"the embedded broker needs SQLite 3.35 or newer, Python has "
                f"{sqlite3.sqlite_version}: use a newer Python build, or RabbitMQ"
            )
        self.store = Store(path)
        self.queues = Queues(self.store)
        self.messages = Messages(self.store)
        self.owners = Owners(self.store)
        self.keeper = Keeper(self.owners, self.queues, self.messages)

    def open_owner(self, lease: float) -> Owner:
        """A new owner with a lease of so many seconds, renewed until it is closed.

        Before that, what dead processes held is given back: who restarts finds it at once.
        """
        now = time.monotonic()
        self.owners.sweep(now, by_lease=False)
        owner = self.owners.open(lease, now)
        self.keeper.start()
        return owner

    def close_owner(self, owner: Owner) -> None:
        """End an owner: its messages go back, the queues that were only for it go away."""
        self.owners.close(owner)
        self.queues.drop_unused(time.monotonic())


def broker_at(path: Path) -> Broker:
    """This process's one broker on the file at `path`."""
    return _broker_of(os.getpid(), path)


@cache
def _broker_of(pid: int, path: Path) -> Broker:
    return Broker(path)
