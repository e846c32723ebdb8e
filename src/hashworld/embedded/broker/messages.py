"""Messages: put in a queue, claimed by an owner, acknowledged or given back."""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass

from hashworld.embedded.broker.owners import Owner
from hashworld.embedded.broker.store import Store

NEVER = math.inf
"""The expiry of a message that waits for as long as it takes."""

_PUT = """
INSERT INTO messages (queue, payload, expires_at)
SELECT name, :payload, MIN(:expires_at, COALESCE(:now + message_ttl, :expires_at))
FROM queues WHERE name = :queue
"""

_OLDEST_READY = """
SELECT id FROM messages
WHERE queue = :queue AND owner IS NULL AND expires_at > :now
ORDER BY id LIMIT 1
"""

_CLAIM = f"""
UPDATE messages SET owner = :owner
WHERE id = ({_OLDEST_READY}) AND EXISTS (SELECT 1 FROM owners WHERE id = :owner)
RETURNING id, payload, redelivered
"""  # noqa: S608

_TAKE = f"""
DELETE FROM messages WHERE id = ({_OLDEST_READY})
RETURNING id, payload, redelivered
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way to a consumer."""

    id: int
    payload: str
    redelivered: bool


class Messages:
    """The messages of a broker file: each delivered at least once, each queue in order.

    A delivered message stays where it is, marked with its owner, until it is acknowledged. It keeps
    its place in the queue when it is given back. `now` is wall-clock time here.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(
        self,
        queues: Iterable[str],
        payload: str,
        *,
        now: float,
        expires_at: float = NEVER,
        durable: bool = True,
    ) -> int:
        """Append the payload to each queue, all or none; answer how many of them exist.

        A `durable` message is on disk, safe from a power cut, when this answers.
        """
        values = {"payload": payload, "expires_at": expires_at, "now": now}
        with self._store.transaction(durable=durable) as connection:
            count = sum(
                connection.execute(_PUT, {**values, "queue": queue}).rowcount for queue in queues
            )
        self._store.announce()
        return count

    def claim(self, queue: str, owner: Owner, now: float) -> Delivery | None:
        """Hand the oldest ready message to the owner, or None. It is the owner's until `ack`.

        An owner whose lease was lost gets nothing.
        """
        return self._remove_or_mark(_CLAIM, {"queue": queue, "owner": owner.id, "now": now})

    def take(self, queue: str, now: float) -> Delivery | None:
        """Remove the oldest ready message and answer it, for consumers that do not acknowledge."""
        return self._remove_or_mark(_TAKE, {"queue": queue, "now": now})

    def ack(self, message_id: int, owner: Owner) -> bool:
        """Delete a message the owner is done with; False if it is not the owner's any more."""
        with self._store.transaction() as connection:
            cursor = connection.execute(
                "DELETE FROM messages WHERE id = ? AND owner = ?", (message_id, owner.id)
            )
        self._store.announce()
        return cursor.rowcount == 1

    def give_back(self, message_ids: Iterable[int], owner: Owner) -> None:
        """Put the owner's messages back where they were in their queues, marked as redelivered.

        Does nothing in a process forked from the owner's: the messages are not the child's.
        """
        if owner.pid != os.getpid():
            return
        with self._store.transaction() as connection:
            connection.executemany(
                "UPDATE messages SET owner = NULL, redelivered = 1 WHERE id = ? AND owner = ?",
                [(message_id, owner.id) for message_id in message_ids],
            )
        self._store.announce()

    def size(self, queue: str, now: float) -> int:
        """How many messages of the queue are ready, that is neither delivered nor expired."""
        sql = (
            "SELECT COUNT(*) FROM messages"
            " WHERE queue = :queue AND owner IS NULL AND expires_at > :now"
        )
        ((count,),) = self._store.rows(sql, {"queue": queue, "now": now})
        return int(count)

    def purge(self, queue: str) -> int:
        """Delete the ready messages of the queue; answer how many there were."""
        with self._store.transaction() as connection:
            return connection.execute(
                "DELETE FROM messages WHERE queue = ? AND owner IS NULL", (queue,)
            ).rowcount

    def drop_expired(self, now: float) -> None:
        """Delete the messages that nobody may be given any more."""
        with self._store.transaction() as connection:
            connection.execute(
                "DELETE FROM messages"
                " WHERE expires_at <= ? AND expires_at < 9e999 AND owner IS NULL",
                (now,),
            )

    def _remove_or_mark(self, sql: str, parameters: dict[str, object]) -> Delivery | None:
        # An idle consumer asks many times a second: a look needs no lock, a write does.
        if not self._store.rows(_OLDEST_READY, parameters):
            return None
        with self._store.transaction() as connection:
            rows = connection.execute(sql, parameters).fetchall()
        return Delivery(rows[0][0], rows[0][1], bool(rows[0][2])) if rows else None
