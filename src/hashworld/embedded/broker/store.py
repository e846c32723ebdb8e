"""The broker's SQLite file: its schema, its connections, its transactions."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hashworld.embedded.broker.locks import LockFile

BUSY_TIMEOUT = 30.0
"""Seconds a transaction waits for another writer before sqlite3.OperationalError."""

LARGEST_IDLE_LOG = 16 * 1024 * 1024
"""Bytes the write-ahead log is cut back to after a burst."""

SCHEMA_VERSION = 1

# Times are seconds. renewed_at and used_at are read from the monotonic clock, which all processes
# of a machine share and which neither a clock change nor a suspended laptop moves; expires_at
# outlives a reboot, so it is wall-clock time.
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE owners (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    lease REAL NOT NULL,
    renewed_at REAL NOT NULL
);
CREATE TABLE queues (
    name TEXT PRIMARY KEY,
    owner INTEGER REFERENCES owners ON DELETE CASCADE,
    auto_delete INTEGER NOT NULL,
    was_consumed INTEGER NOT NULL DEFAULT 0,
    expires REAL,
    message_ttl REAL,
    used_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX queues_owner ON queues (owner);
CREATE TABLE bindings (
    exchange TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    pattern TEXT NOT NULL,
    queue TEXT NOT NULL REFERENCES queues ON DELETE CASCADE,
    PRIMARY KEY (exchange, routing_key, pattern, queue)
) WITHOUT ROWID;
CREATE INDEX bindings_queue ON bindings (queue);
CREATE TABLE consumers (
    owner INTEGER NOT NULL REFERENCES owners ON DELETE CASCADE,
    tag TEXT NOT NULL,
    queue TEXT NOT NULL REFERENCES queues ON DELETE CASCADE,
    PRIMARY KEY (owner, tag)
) WITHOUT ROWID;
CREATE INDEX consumers_queue ON consumers (queue);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL REFERENCES queues ON DELETE CASCADE,
    payload TEXT NOT NULL,
    expires_at REAL NOT NULL,
    owner INTEGER REFERENCES owners,
    redelivered INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX messages_ready ON messages (queue, owner, id);
CREATE INDEX messages_owner ON messages (owner) WHERE owner IS NOT NULL;
CREATE INDEX messages_expiry ON messages (expires_at) WHERE expires_at < 9e999;
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""


class _Connection(sqlite3.Connection):
    """Closed when its thread ends, which Python 3.13 wants to be done by hand."""

    def __del__(self) -> None:
        self.close()


class Store:
    """The broker file at `path`, for all threads of this process.

    Every thread gets a connection of its own, and so does every process: a connection must not be
    carried over a fork (https://www.sqlite.org/howtocorrupt.html, section 2.6).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.locks = LockFile(path.with_name(f"{path.name}-owners"))
        self._local = threading.local()
        self._changed = threading.Condition()
        self._changes = 0

    def rows(self, sql: str, parameters: Mapping[str, Any]) -> list[Any]:
        """The rows of one reading statement."""
        return self._connection().execute(sql, parameters).fetchall()

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """One writing transaction, committed at the end of the block or rolled back on an error.

        A commit always survives the death of a process. A `durable` one also survives a power cut:
        it is synced to disk, with everything committed before it, before the block ends. What a
        power cut may undo without harm (who holds a message, that it was acknowledged: it is only
        delivered again) is spared the sync.
        """
        connection = self._connection()
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    def announce(self) -> None:
        """Wake the threads of this process that wait for a change."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    @property
    def changes(self) -> int:
        """How many changes this process announced."""
        return self._changes

    def wait_for_change(self, seen: int, timeout: float) -> None:
        """Wait until more than `seen` changes were announced, at most `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._changes != seen, timeout)

    def _connection(self) -> sqlite3.Connection:
        local = self._local
        if getattr(local, "pid", None) != os.getpid():
            # Kept, not closed: closing a parent's connection here would disturb the parent's file.
            local.inherited = getattr(local, "connection", None)
            local.connection = self._connect()
            local.pid = os.getpid()
        connection: sqlite3.Connection = local.connection
        return connection

    def _connect(self) -> sqlite3.Connection:
        # SQLite's busy timeout does not cover the switch to WAL, so only one may do it.
        with self.locks.mutex():
            self.path.touch(mode=0o600)  # whoever can write here can run tasks
            connection = sqlite3.connect(
                self.path,
                timeout=BUSY_TIMEOUT,
                isolation_level=None,
                check_same_thread=False,  # for whoever closes a dead thread's
                factory=_Connection,
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA journal_size_limit = {LARGEST_IDLE_LOG}")
            connection.execute("PRAGMA foreign_keys = ON")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                connection.executescript(_SCHEMA)
            elif version != SCHEMA_VERSION:
                raise sqlite3.DatabaseError(
                    f"{self.path} was written by another version of HashWorld (schema {version}, "
                    f"not {SCHEMA_VERSION}): stop all processes, delete it and start again; "
                    "queued work is published anew from the database"
                )
            return connection
