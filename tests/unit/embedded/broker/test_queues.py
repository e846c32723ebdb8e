import time

import pytest

from hashworld.embedded.broker import Broker
from hashworld.embedded.broker.errors import QueueNotFoundError
from hashworld.embedded.broker.owners import Owner

EVER = 10.0**9


def test_a_plain_queue_stays(broker: Broker, owner: Owner) -> None:
    broker.queues.add_consumer("work", owner.id, "tag")
    broker.close_owner(owner)
    broker.queues.drop_unused(EVER)
    assert broker.queues.names() == ["work"]


def test_an_exclusive_queue_ends_with_its_owner_and_takes_bindings_and_messages_along(
    broker: Broker, owner: Owner
) -> None:
    broker.queues.declare("private", now=0, exclusive_to=owner.id)
    broker.queues.bind("news", "", "", "private")
    broker.messages.put(["private"], "a", now=0)
    broker.close_owner(owner)
    assert not broker.queues.exists("private")
    assert broker.queues.bindings("news") == []
    assert broker.store.rows("SELECT * FROM messages", {}) == []


def test_the_exclusive_queue_of_a_killed_process_disappears(broker: Broker, hold) -> None:
    holder = hold(3600)
    assert broker.queues.names() == ["private", "work"]
    broker.messages.put(["private"], "unread", now=time.time())
    holder.kill()
    holder.wait()
    broker.keeper.run_once(time.monotonic(), time.time())
    assert broker.queues.names() == ["work"]
    assert broker.queues.bindings("news") == []


def test_an_exclusive_queue_passes_to_the_owner_that_declares_it_anew(
    broker: Broker, owner: Owner
) -> None:
    successor = broker.owners.open(lease=30, now=0)
    broker.queues.declare("private", now=0, exclusive_to=owner.id, auto_delete=True)
    broker.queues.add_consumer("private", owner.id, "tag")
    broker.queues.declare("private", now=0, exclusive_to=successor.id, auto_delete=True)
    broker.close_owner(owner)
    assert broker.queues.exists("private")
    broker.close_owner(successor)
    assert not broker.queues.exists("private")


def test_an_auto_delete_queue_ends_with_its_last_consumer(broker: Broker, owner: Owner) -> None:
    broker.queues.declare("shared", now=0, auto_delete=True)
    broker.queues.drop_unused(EVER)
    broker.queues.add_consumer("shared", owner.id, "one")
    broker.queues.add_consumer("shared", owner.id, "two")
    broker.queues.remove_consumer("shared", owner.id, "one", now=0)
    assert broker.queues.exists("shared")
    broker.queues.remove_consumer("shared", owner.id, "two", now=0)
    assert not broker.queues.exists("shared")


def test_an_exclusive_auto_delete_queue_ends_with_its_consumer_unless_it_passed_to_another(
    broker: Broker, owner: Owner
) -> None:
    successor = broker.owners.open(lease=30, now=0)
    for name, holder in (("mine", owner), ("passed", successor)):
        broker.queues.declare(name, now=0, exclusive_to=owner.id, auto_delete=True)
        broker.queues.add_consumer(name, owner.id, name)
        broker.queues.declare(name, now=0, exclusive_to=holder.id, auto_delete=True)
        broker.queues.remove_consumer(name, owner.id, name, now=0)
    assert broker.queues.names() == ["passed", "work"]


def test_a_queue_expires_when_it_was_not_used_for_its_time(broker: Broker) -> None:
    broker.queues.declare("replies", now=100, expires=10)
    broker.queues.drop_unused(110)
    assert broker.queues.exists("replies")
    broker.queues.drop_unused(110.1)
    assert not broker.queues.exists("replies")


def test_declaring_a_queue_again_is_a_use_of_it(broker: Broker) -> None:
    broker.queues.declare("replies", now=100, expires=10)
    broker.queues.declare("replies", now=109, expires=10)
    broker.queues.drop_unused(119)
    assert broker.queues.exists("replies")


def test_a_consumed_queue_does_not_expire_and_its_time_starts_when_the_consumer_goes(
    broker: Broker, owner: Owner
) -> None:
    broker.queues.declare("replies", now=100, expires=10)
    broker.queues.add_consumer("replies", owner.id, "tag")
    broker.queues.drop_unused(EVER)
    broker.queues.remove_consumer("replies", owner.id, "tag", now=200)
    broker.queues.drop_unused(210)
    assert broker.queues.exists("replies")
    broker.queues.drop_unused(211)
    assert not broker.queues.exists("replies")


def test_a_living_consumer_is_a_use_of_its_queue_even_if_it_dies_later(broker: Broker) -> None:
    broker.queues.declare("replies", now=100, expires=60)
    owner = broker.owners.open(lease=30, now=100)
    broker.queues.add_consumer("replies", owner.id, "tag")
    broker.owners.renew(190)
    broker.owners.close(owner)
    broker.queues.drop_unused(200)
    assert broker.queues.exists("replies")


def test_a_queue_last_used_before_a_reboot_expires(broker: Broker) -> None:
    broker.queues.declare("replies", now=50_000, expires=10)
    broker.queues.drop_unused(30)
    assert not broker.queues.exists("replies")


def test_a_queue_is_deleted_only_if_unused_or_empty_when_asked_so(
    broker: Broker, owner: Owner
) -> None:
    broker.messages.put(["work"], "a", now=0)
    broker.queues.delete("work", if_empty=True)
    broker.messages.purge("work")
    broker.queues.add_consumer("work", owner.id, "tag")
    broker.queues.delete("work", if_unused=True)
    assert broker.queues.exists("work")
    broker.queues.delete("work")
    assert not broker.queues.exists("work")


def test_binding_twice_is_binding_once(broker: Broker) -> None:
    broker.queues.bind("news", "key", "", "work")
    broker.queues.bind("news", "key", "", "work")
    assert broker.queues.bindings("news") == [("key", "", "work")]
    broker.queues.unbind("news", "key", "", "work")
    assert broker.queues.bindings("news") == []


def test_a_queue_that_was_not_declared_is_neither_bound_nor_consumed(
    broker: Broker, owner: Owner
) -> None:
    with pytest.raises(QueueNotFoundError, match="declare it first"):
        broker.queues.bind("news", "", "", "nowhere")
    with pytest.raises(QueueNotFoundError, match="declare it first"):
        broker.queues.add_consumer("nowhere", owner.id, "tag")
