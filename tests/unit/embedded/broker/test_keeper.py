import sqlite3
import threading
import time

from hashworld.embedded.broker import Broker
from hashworld.embedded.broker.keeper import INTERVAL

LEASE = 2.0


def owners(broker: Broker) -> int:
    return len(broker.store.rows("SELECT id FROM owners", {}))


def keeper_threads() -> int:
    return sum(thread.name == "broker-keeper" for thread in threading.enumerate())


def test_a_round_drops_what_is_over(broker: Broker) -> None:
    broker.queues.declare("replies", now=100, expires=10)
    broker.messages.put(["work"], "a", now=0, expires_at=5)
    broker.keeper.run_once(now=200, wall_now=6)
    assert broker.queues.names() == ["work"]
    assert broker.store.rows("SELECT * FROM messages", {}) == []


def test_a_keeper_that_was_away_judges_no_lease_until_others_could_renew(
    broker: Broker, hold
) -> None:
    hold(LEASE)
    later = time.monotonic() + 3600
    broker.keeper.run_once(later, 0)
    assert owners(broker) == 1
    broker.keeper.run_once(later + INTERVAL, 0)
    assert owners(broker) == 0


def test_a_process_that_only_publishes_makes_a_round_now_and_then(broker: Broker) -> None:
    broker.keeper.run_if_due(1000, 0)
    broker.queues.declare("replies", now=900, expires=10)
    broker.keeper.run_if_due(1000 + 5 * INTERVAL, 0)
    assert broker.queues.exists("replies")
    broker.keeper.run_if_due(1000 + 11 * INTERVAL, 0)
    assert not broker.queues.exists("replies")


def test_the_thread_runs_while_there_is_an_owner(broker: Broker, wait_until) -> None:
    wait_until(lambda: keeper_threads() == 0)
    first, second = broker.open_owner(30), broker.open_owner(30)
    assert keeper_threads() == 1
    broker.close_owner(first)
    broker.close_owner(second)
    wait_until(lambda: keeper_threads() == 0)
    broker.close_owner(broker.open_owner(30))


def test_the_thread_survives_a_file_that_cannot_be_written(
    broker: Broker, monkeypatch, wait_until, caplog
) -> None:
    rounds: list[float] = []

    def fail(now: float, wall_now: float) -> None:
        rounds.append(now)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(broker.keeper, "run_once", fail)
    owner = broker.open_owner(30)
    wait_until(lambda: len(rounds) >= 2)
    broker.close_owner(owner)
    assert "could not be kept up" in caplog.text
