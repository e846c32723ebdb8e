import os
import signal
import time

import pytest

from hashworld.embedded.broker import Broker
from hashworld.embedded.broker.owners import Owner

LEASE = 2.0


@pytest.fixture
def message(broker: Broker) -> None:
    broker.messages.put(["work"], "a", now=time.time())


def ready(broker: Broker) -> int:
    return broker.messages.size("work", time.time())


def renewed_at(broker: Broker) -> float:
    ((value,),) = broker.store.rows("SELECT renewed_at FROM owners", {})
    return float(value)


def test_a_closed_owners_messages_are_ready_again(broker: Broker, owner: Owner, message) -> None:
    broker.messages.claim("work", owner, time.time())
    broker.owners.close(owner)
    delivery = broker.messages.take("work", time.time())
    assert delivery
    assert delivery.redelivered
    assert not broker.owners.holds(owner)


def test_a_forked_child_does_not_close_its_parents_owner(
    broker: Broker, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        broker.owners.close(owner)
    assert broker.owners.holds(owner)


def test_a_killed_owners_messages_are_ready_at_once_long_before_its_lease_is_over(
    broker: Broker, hold, message
) -> None:
    holder = hold(3600)
    assert ready(broker) == 0
    holder.kill()
    holder.wait()
    assert len(broker.owners.sweep(time.monotonic(), by_lease=False)) == 1
    assert ready(broker) == 1


def test_a_new_owner_finds_what_a_killed_one_held(broker: Broker, hold, message) -> None:
    holder = hold(3600)
    holder.kill()
    holder.wait()
    broker.close_owner(broker.open_owner(30))
    assert ready(broker) == 1


def test_a_running_owner_keeps_its_messages(broker: Broker, hold, message) -> None:
    hold(3600)
    assert broker.owners.sweep(time.monotonic(), by_lease=True) == []
    assert ready(broker) == 0


def test_a_hung_consumer_that_renews_keeps_its_messages_beyond_its_first_lease(
    broker: Broker, hold, message, wait_until
) -> None:
    hold(LEASE)
    first = renewed_at(broker)
    wait_until(lambda: renewed_at(broker) > first)
    assert broker.owners.sweep(first + LEASE + 0.001, by_lease=True) == []
    assert ready(broker) == 0


def test_a_frozen_owner_loses_its_messages_when_its_lease_is_over_and_learns_it(
    broker: Broker, hold, message, wait_until
) -> None:
    holder = hold(LEASE)
    # Not while it renews: SQLite has one lock, and who freezes with it in hand keeps it.
    with broker.store.transaction():
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
    end = renewed_at(broker) + LEASE

    assert broker.owners.sweep(end, by_lease=True) == []
    assert len(broker.owners.sweep(end + 0.001, by_lease=True)) == 1
    assert ready(broker) == 1

    holder.send_signal(signal.SIGCONT)

    def has_learnt_it() -> bool:
        holder.stdin.write("?\n")
        return holder.stdout.readline() == "LOST\n"

    wait_until(has_learnt_it)


def test_a_lease_is_judged_only_on_demand(broker: Broker, hold, message) -> None:
    hold(LEASE)
    assert broker.owners.sweep(time.monotonic() + 3600, by_lease=False) == []


def test_a_lease_is_renewed_when_a_third_of_it_is_gone(broker: Broker) -> None:
    broker.owners.open(lease=30, now=1000)
    broker.owners.renew(1009)
    assert renewed_at(broker) == 1000
    broker.owners.renew(1010)
    assert renewed_at(broker) == 1010


def test_an_owner_ended_by_others_is_found_out_by_the_next_renewal(
    broker: Broker, owner: Owner
) -> None:
    with broker.store.transaction() as connection:
        connection.execute("DELETE FROM owners")
    broker.owners.renew(time.monotonic())
    assert not broker.owners.holds(owner)
    assert not broker.owners.any_open


def test_an_owner_opened_while_others_are_renewed_is_not_taken_for_lost(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, opened = broker.store.rows, []

    def open_after_reading(sql: str, parameters: dict[str, object]) -> list[object]:
        rows = read(sql, parameters)
        opened.append(broker.owners.open(lease=30, now=0))
        return rows

    monkeypatch.setattr(broker.store, "rows", open_after_reading)
    broker.owners.renew(1)
    assert [broker.owners.holds(owner) for owner in opened] == [True]
