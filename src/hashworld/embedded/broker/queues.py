"""Queues, what is bound to them, who consumes them, and when they cease to be."""

import sqlite3

from hashworld.embedded.broker.errors import QueueNotFoundError
from hashworld.embedded.broker.store import Store

Binding = tuple[str, str, str]
"""Routing key, pattern (a regular expression, for topic exchanges) and queue."""

_DECLARE = """
INSERT INTO queues (name, owner, auto_delete, expires, message_ttl, used_at)
VALUES (:name, :owner, :auto_delete, :expires, :message_ttl, :now)
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, used_at = excluded.used_at
"""

_LEAVE = """
UPDATE queues
SET used_at = :now,
    -- the one it is exclusive to keeps it no longer; a successor that declared it anew does
    owner = CASE WHEN auto_delete THEN NULLIF(owner, :owner) ELSE owner END
WHERE name = :name
"""

_DROP_UNUSED = """
DELETE FROM queues
WHERE NOT EXISTS (SELECT 1 FROM consumers WHERE consumers.queue = queues.name)
  AND ((auto_delete AND was_consumed AND owner IS NULL)
       -- a used_at after now is of an earlier boot
       OR (expires IS NOT NULL AND NOT :now BETWEEN used_at AND used_at + expires))
"""


class Queues:
    """The queues of a broker file, with RabbitMQ's rules for those that are not for ever.

    `exclusive` queues end with the owner that declared them, `auto_delete` ones with their last
    consumer, and those with `expires` when nobody consumed or declared them for so many seconds
    (https://www.rabbitmq.com/docs/queues, https://www.rabbitmq.com/docs/ttl). A queue takes its
    bindings and its messages with it, so what a dead process listened to does not pile up.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def declare(
        self,
        name: str,
        *,
        now: float,
        exclusive_to: int | None = None,
        auto_delete: bool = False,
        expires: float | None = None,
        message_ttl: float | None = None,
    ) -> None:
        """Make the queue if there is none, and count it as used `now` (monotonic).

        An exclusive queue that exists passes to the owner that declares it: a node that comes back
        under its name does not wait for the end of its former self.
        """
        parameters = {
            "name": name,
            "owner": exclusive_to,
            "auto_delete": auto_delete,
            "expires": expires,
            "message_ttl": message_ttl,
            "now": now,
        }
        with self._store.transaction() as connection:
            connection.execute(_DECLARE, parameters)

    def exists(self, name: str) -> bool:
        """Whether the queue is declared."""
        return bool(self._store.rows("SELECT 1 FROM queues WHERE name = :name", {"name": name}))

    def names(self) -> list[str]:
        """The names of all queues."""
        return [name for (name,) in self._store.rows("SELECT name FROM queues ORDER BY name", {})]

    def delete(self, name: str, *, if_unused: bool = False, if_empty: bool = False) -> None:
        """Delete the queue, unless it has consumers (`if_unused`) or messages (`if_empty`)."""
        sql = "DELETE FROM queues WHERE name = :name"
        if if_unused:
            sql += " AND NOT EXISTS (SELECT 1 FROM consumers WHERE queue = :name)"
        if if_empty:
            sql += " AND NOT EXISTS (SELECT 1 FROM messages WHERE queue = :name)"
        with self._store.transaction() as connection:
            connection.execute(sql, {"name": name})

    def bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Let messages of the exchange reach the queue. QueueNotFoundError if there is none."""
        try:
            with self._store.transaction() as connection:
                connection.execute(
                    "INSERT INTO bindings VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (exchange, routing_key, pattern, queue),
                )
        except sqlite3.IntegrityError as error:
            raise QueueNotFoundError(queue) from error

    def unbind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Take one binding away."""
        with self._store.transaction() as connection:
            connection.execute(
                "DELETE FROM bindings WHERE (exchange, routing_key, pattern, queue) = (?, ?, ?, ?)",
                (exchange, routing_key, pattern, queue),
            )

    def unbind_all(self, exchange: str) -> None:
        """Take all bindings of the exchange away; the queues stay."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM bindings WHERE exchange = ?", (exchange,))

    def bindings(self, exchange: str) -> list[Binding]:
        """What is bound to the exchange."""
        sql = "SELECT routing_key, pattern, queue FROM bindings WHERE exchange = :exchange"
        return self._store.rows(sql, {"exchange": exchange})

    def add_consumer(self, queue: str, owner: int, tag: str) -> None:
        """Note that the owner consumes the queue, which keeps it from expiring.

        QueueNotFoundError if there is no such queue.
        """
        try:
            with self._store.transaction() as connection:
                connection.execute(
                    "INSERT INTO consumers (owner, tag, queue) VALUES (?, ?, ?)",
                    (owner, tag, queue),
                )
                connection.execute("UPDATE queues SET was_consumed = 1 WHERE name = ?", (queue,))
        except sqlite3.IntegrityError as error:
            raise QueueNotFoundError(queue) from error

    def remove_consumer(self, queue: str, owner: int, tag: str, now: float) -> None:
        """Forget the consumer; the queue goes too if it was only for its consumers."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM consumers WHERE (owner, tag) = (?, ?)", (owner, tag))
            connection.execute(_LEAVE, {"name": queue, "owner": owner, "now": now})
            connection.execute(_DROP_UNUSED, {"now": now})

    def drop_unused(self, now: float) -> None:
        """Delete the queues whose time is over."""
        with self._store.transaction() as connection:
            connection.execute(_DROP_UNUSED, {"now": now})
