"""Owners: the connections that hold messages, and how others know that they still live."""

import logging
import os
import sqlite3
import threading
from dataclasses import dataclass

from hashworld.embedded.broker.store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Owner:
    """A connection that may hold messages; an `id` is never given twice."""

    id: int
    pid: int


class Owners:
    """Who may hold messages, and until when. Times are monotonic seconds.

    An owner has a lease, which its process renews for as long as it runs, whatever its consumers
    are busy with, and a lock, which the kernel takes away the moment the process is gone. So a
    killed process is found out at once and a frozen one when its lease is over; either way what it
    held goes back to the queues, and when it wakes up it learns that it is an owner no more.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._mine: dict[int, Owner] = {}
        self._mutex = threading.Lock()

    def open(self, lease: float, now: float) -> Owner:
        """Register a new owner whose lease lasts `lease` seconds from `now`."""
        with self._mutex, self._store.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO owners (lease, renewed_at) VALUES (?, ?) RETURNING id", (lease, now)
            )
            ((owner_id,),) = cursor.fetchall()
            # Locked before others can see the row: at no moment does it look dead.
            self._store.locks.hold(owner_id)
            owner = self._mine[owner_id] = Owner(id=owner_id, pid=os.getpid())
        return owner

    def close(self, owner: Owner) -> None:
        """End an owner: what it holds goes back to the queues, its exclusive queues go away.

        Does nothing in a process forked from the owner's, which has no say in it.
        """
        if owner.pid != os.getpid():
            return
        with self._mutex:
            self._mine.pop(owner.id, None)
        with self._store.transaction() as connection:
            _end(connection, owner.id)
        self._store.locks.release(owner.id)
        self._store.announce()

    def holds(self, owner: Owner) -> bool:
        """Whether the owner has its lease, as far as this process knows."""
        return owner.id in self._mine

    @property
    def any_open(self) -> bool:
        """Whether this process has an owner."""
        return bool(self._mine)

    def renew(self, now: float) -> None:
        """Renew the leases of this process that ran for a third of their time.

        Also notes which owners of this process were ended by others.
        """
        with self._mutex:
            mine = list(self._mine)  # before the rows are read: one opened later is in neither
        alive = {owner_id: now - seen >= lease / 3 for owner_id, lease, seen in self._rows()}
        due = [(now, owner_id) for owner_id in mine if alive.get(owner_id)]
        if due:
            with self._store.transaction() as connection:
                connection.executemany("UPDATE owners SET renewed_at = ? WHERE id = ?", due)
                connection.executemany(
                    "UPDATE queues SET used_at = ? WHERE expires IS NOT NULL"
                    " AND name IN (SELECT queue FROM consumers WHERE owner = ?)",
                    due,
                )
        for owner_id in mine:
            if owner_id not in alive:
                self._forget(owner_id)

    def sweep(self, now: float, *, by_lease: bool) -> list[int]:
        """End the owners whose process is gone and, `by_lease`, those whose lease is over.

        Answers their ids.
        """
        if not self._dead(now, by_lease):
            return []
        with self._store.transaction() as connection:
            dead = self._dead(now, by_lease)  # again, now that nobody can renew
            for owner_id in dead:
                _end(connection, owner_id)
        if dead:
            logger.warning("Gave back the messages of %d dead broker connection(s).", len(dead))
            self._store.announce()
        return dead

    def _forget(self, owner_id: int) -> None:
        with self._mutex:
            lost = self._mine.pop(owner_id, None)
        if lost:  # and not closed in the meantime
            self._store.locks.release(owner_id)
            logger.warning("Lost a broker connection: its lease was not renewed in time.")

    def _dead(self, now: float, by_lease: bool) -> list[int]:
        return [
            owner_id
            for owner_id, lease, seen in self._rows()
            if owner_id not in self._mine
            and (self._store.locks.is_free(owner_id) or (by_lease and now - seen > lease))
        ]

    def _rows(self) -> list[tuple[int, float, float]]:
        return self._store.rows("SELECT id, lease, renewed_at FROM owners", {})


def _end(connection: sqlite3.Connection, owner_id: int) -> None:
    connection.execute(
        "UPDATE messages SET owner = NULL, redelivered = 1 WHERE owner = ?", (owner_id,)
    )
    connection.execute("DELETE FROM owners WHERE id = ?", (owner_id,))
