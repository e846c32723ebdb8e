import os

import pytest

from hashworld.embedded.broker import Broker
from hashworld.embedded.broker.messages import NEVER
from hashworld.embedded.broker.owners import Owner

NOW = 1_000_000.0


def put(broker: Broker, *payloads: str, expires_at: float = NEVER) -> None:
    for payload in payloads:
        broker.messages.put(["work"], payload, now=NOW, expires_at=expires_at)


def claim(broker: Broker, owner: Owner, now: float = NOW) -> str | None:
    delivery = broker.messages.claim("work", owner, now)
    return delivery and delivery.payload


def rows(broker: Broker) -> list[str]:
    return [payload for (payload,) in broker.store.rows("SELECT payload FROM messages", {})]


def test_messages_come_in_the_order_they_were_put(broker: Broker, owner: Owner) -> None:
    put(broker, "a", "b", "c")
    assert [claim(broker, owner) for _ in range(4)] == ["a", "b", "c", None]


def test_a_claimed_message_is_given_to_nobody_else(broker: Broker, owner: Owner) -> None:
    put(broker, "a")
    other = broker.owners.open(lease=30, now=NOW)
    assert claim(broker, owner) == "a"
    assert claim(broker, other) is None
    assert broker.messages.take("work", NOW) is None


def test_a_claimed_message_stays_in_the_file_until_it_is_acknowledged(
    broker: Broker, owner: Owner
) -> None:
    put(broker, "a")
    delivery = broker.messages.claim("work", owner, NOW)
    assert delivery
    assert rows(broker) == ["a"]
    assert broker.messages.ack(delivery.id, owner)
    assert rows(broker) == []


def test_only_its_owner_acknowledges_a_message(broker: Broker, owner: Owner) -> None:
    put(broker, "a")
    delivery = broker.messages.claim("work", owner, NOW)
    other = broker.owners.open(lease=30, now=NOW)
    assert delivery
    assert not broker.messages.ack(delivery.id, other)
    assert rows(broker) == ["a"]


def test_a_message_given_back_keeps_its_place_and_is_marked_as_redelivered(
    broker: Broker, owner: Owner
) -> None:
    put(broker, "a", "b")
    first = broker.messages.claim("work", owner, NOW)
    assert first
    assert not first.redelivered
    broker.messages.give_back([first.id], owner)
    again = broker.messages.claim("work", owner, NOW)
    assert again
    assert again.payload == "a"
    assert again.redelivered


def test_only_its_owner_gives_a_message_back(broker: Broker, owner: Owner) -> None:
    put(broker, "a")
    delivery = broker.messages.claim("work", owner, NOW)
    other = broker.owners.open(lease=30, now=NOW)
    assert delivery
    broker.messages.give_back([delivery.id], other)
    assert claim(broker, other) is None


def test_a_forked_child_does_not_give_its_parents_messages_back(
    broker: Broker, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(broker, "a")
    delivery = broker.messages.claim("work", owner, NOW)
    assert delivery
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        broker.messages.give_back([delivery.id], owner)
    assert claim(broker, owner) is None


def test_an_owner_whose_lease_was_lost_gets_no_message(broker: Broker, owner: Owner) -> None:
    put(broker, "a")
    broker.owners.close(owner)
    assert claim(broker, owner) is None
    assert broker.messages.size("work", NOW) == 1


def test_taking_a_message_removes_it(broker: Broker) -> None:
    put(broker, "a", "b")
    delivery = broker.messages.take("work", NOW)
    assert delivery
    assert delivery.payload == "a"
    assert rows(broker) == ["b"]


def test_an_expired_message_is_not_delivered(broker: Broker, owner: Owner) -> None:
    put(broker, "old", expires_at=NOW + 5)
    put(broker, "fresh")
    assert broker.messages.size("work", NOW + 5) == 1
    assert claim(broker, owner, now=NOW + 5) == "fresh"
    assert claim(broker, owner, now=NOW + 5) is None


def test_expired_messages_are_dropped_but_not_from_their_owner(
    broker: Broker, owner: Owner
) -> None:
    put(broker, "running", "waiting", expires_at=NOW + 5)
    put(broker, "patient")
    claim(broker, owner)
    broker.messages.drop_expired(NOW + 5)
    assert rows(broker) == ["running", "patient"]


def test_a_queue_may_limit_the_life_of_its_messages(broker: Broker) -> None:
    broker.queues.declare("events", now=0, message_ttl=5)
    broker.messages.put(["events"], "a", now=NOW)
    broker.messages.put(["events"], "b", now=NOW, expires_at=NOW + 1)
    sizes = [broker.messages.size("events", NOW + seconds) for seconds in (0, 1, 4, 5)]
    assert sizes == [2, 1, 1, 0]


def test_a_message_is_put_in_each_queue_that_exists(broker: Broker, owner: Owner) -> None:
    broker.queues.declare("copy", now=0)
    assert broker.messages.put(["work", "copy", "gone"], "a", now=NOW) == 2
    assert broker.messages.size("work", NOW) == broker.messages.size("copy", NOW) == 1


def test_a_purge_removes_what_waits_and_leaves_what_is_delivered(
    broker: Broker, owner: Owner
) -> None:
    put(broker, "running", "a", "b")
    claim(broker, owner)
    assert broker.messages.purge("work") == 2
    assert rows(broker) == ["running"]
