import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from hashworld.embedded.broker.store import Store

SYNCED_AT_COMMIT, SYNCED_LATER = 2, 1


@pytest.fixture
def store(path: Path) -> Store:
    return Store(path)


def synchronous(connection: sqlite3.Connection) -> int:
    (value,) = connection.execute("PRAGMA synchronous").fetchone()
    return int(value)


def count_queues(store: Store) -> int:
    ((count,),) = store.rows("SELECT COUNT(*) FROM queues", {})
    return int(count)


def insert_queue(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO queues (name, auto_delete, used_at) VALUES ('work', 0, 0)")


def test_only_the_files_user_may_read_or_write_it(store: Store, path: Path) -> None:
    store.rows("SELECT 1", {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_transaction_is_committed(store: Store, path: Path) -> None:
    with store.transaction() as connection:
        insert_queue(connection)
    assert count_queues(Store(path)) == 1


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store.transaction() as connection:
            insert_queue(connection)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert count_queues(store) == 0


def test_what_a_transaction_reads_stays_true_until_it_writes(store: Store, path: Path) -> None:
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    with store.transaction(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.close()


def test_only_a_durable_transaction_waits_for_the_disk(store: Store) -> None:
    with store.transaction(durable=True) as connection:
        assert synchronous(connection) == SYNCED_AT_COMMIT
    with store.transaction() as connection:
        assert synchronous(connection) == SYNCED_LATER


def test_each_thread_has_a_connection_of_its_own(store: Store) -> None:
    seen: list[sqlite3.Connection] = []

    def look() -> None:
        with store.transaction() as connection:
            seen.append(connection)
            connection.execute("SELECT 1")

    look()
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen[0] is not seen[1]


def test_a_forked_process_has_a_connection_of_its_own(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.transaction() as inherited:
        pass
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with store.transaction() as connection:
        assert connection is not inherited


def test_only_one_process_at_a_time_prepares_the_file(store: Store, path: Path) -> None:
    opened = threading.Event()

    def open_file() -> None:
        store.rows("SELECT 1", {})
        opened.set()

    with store.locks.mutex():
        thread = threading.Thread(target=open_file)
        thread.start()
        assert not opened.wait(0.2)
        assert not path.exists()
    assert opened.wait(10)
    thread.join()


def test_a_file_of_another_version_is_refused_with_what_to_do(store: Store, path: Path) -> None:
    with store.transaction() as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(sqlite3.DatabaseError, match="delete it and start again"):
        Store(path).rows("SELECT 1", {})


def test_waiting_ends_with_a_change_of_another_thread(store: Store) -> None:
    seen = store.changes
    thread = threading.Thread(target=store.announce)
    thread.start()
    store.wait_for_change(seen, timeout=30)
    thread.join()
    assert store.changes == seen + 1


def test_a_change_before_the_wait_is_not_missed(store: Store) -> None:
    seen = store.changes
    store.announce()
    store.wait_for_change(seen, timeout=3600)
