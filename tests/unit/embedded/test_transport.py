import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue
from kombu.exceptions import ChannelError

from hashworld.embedded.broker import Broker, broker_at
from hashworld.embedded.broker.errors import LeaseLostError, QueueNotFoundError
from hashworld.embedded.transport import Transport, database_path, register

WORK = Queue("work", Exchange("tasks", "direct"), "work")


@pytest.fixture
def url(path: Path) -> str:
    register()
    return f"hashworld:///{path}"


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    with Connection(url) as connection:
        yield connection


@pytest.fixture
def file(path: Path, connection: Connection) -> Broker:
    """What the connection's broker is made of."""
    return broker_at(path)


def publish(connection: Connection, *bodies: Any, queue: Queue = WORK, **options: Any) -> None:
    producer = connection.Producer()
    for body in bodies:
        producer.publish(
            body,
            exchange=queue.exchange,
            routing_key=options.pop("routing_key", queue.routing_key),
            declare=[queue],
            **options,
        )


def drain(connection: Connection, *queues: Queue, no_ack: bool = True) -> list[Any]:
    """All messages that are ready in the queues."""
    bodies: list[Any] = []
    with connection.Consumer(
        list(queues), callbacks=[lambda body, _: bodies.append(body)], no_ack=no_ack
    ):
        while True:
            try:
                connection.drain_events(timeout=0.01)
            except TimeoutError:
                return bodies


def test_the_url_names_the_file(url: str, path: Path, connection: Connection) -> None:
    connection.connect()
    assert isinstance(connection.transport, Transport)
    assert path.exists()


def test_a_printed_url_names_the_same_file(connection: Connection, path: Path) -> None:
    assert database_path(Connection(connection.as_uri()).virtual_host) == path


@pytest.mark.parametrize("virtual_host", ["/", "broker.sqlite3", "data/broker.sqlite3"])
def test_a_url_without_an_absolute_path_is_refused(virtual_host: str) -> None:
    with pytest.raises(ValueError, match="four slashes"):
        database_path(virtual_host)


def test_a_second_connection_gets_messages_in_order(url: str, connection: Connection) -> None:
    publish(connection, *range(20))
    with Connection(url) as second:
        assert drain(second, WORK) == list(range(20))


def test_a_message_outlives_the_connection_that_published_it(url: str) -> None:
    with Connection(url) as publisher:
        publish(publisher, "a")
    with Connection(url) as consumer:
        assert drain(consumer, WORK) == ["a"]


def test_a_message_sent_to_a_queue_by_name_waits_for_the_queues_declaration(
    connection: Connection,
) -> None:
    connection.Producer().publish("early", exchange="", routing_key="work")
    assert drain(connection, WORK) == ["early"]


def test_a_direct_exchange_routes_by_key(connection: Connection) -> None:
    exchange = Exchange("direct-exchange", "direct")
    one, two = Queue("one", exchange, "1"), Queue("two", exchange, "2")
    one(connection).declare(), two(connection).declare()
    publish(connection, "a", queue=one)
    assert (drain(connection, one), drain(connection, two)) == (["a"], [])


def test_a_topic_exchange_routes_by_pattern(connection: Connection) -> None:
    exchange = Exchange("topic-exchange", "topic")
    every, some = Queue("every", exchange, "#"), Queue("some", exchange, "job.*")
    every(connection).declare(), some(connection).declare()
    publish(connection, "a", queue=every, routing_key="job.7")
    publish(connection, "b", queue=every, routing_key="node.1")
    assert (drain(connection, every), drain(connection, some)) == (["a", "b"], ["a"])


def test_a_fanout_exchange_copies_to_all(url: str, connection: Connection) -> None:
    exchange = Exchange("fanout-exchange", "fanout")
    one, two = Queue("one", exchange), Queue("two", exchange)
    one(connection).declare(), two(connection).declare()
    with Connection(url) as publisher:
        publisher.Producer().publish("a", exchange=exchange, declare=[exchange])
    assert (drain(connection, one), drain(connection, two)) == (["a"], ["a"])


def test_an_unbound_queue_gets_nothing_more(connection: Connection) -> None:
    exchange = Exchange("direct-exchange", "direct")
    queue = Queue("one", exchange, "1")(connection)
    queue.declare()
    queue.unbind_from(exchange, "1")
    connection.Producer().publish("a", exchange=exchange, routing_key="1")
    assert drain(connection, queue) == []


def test_a_deleted_exchange_has_no_bindings(connection: Connection, file: Broker) -> None:
    WORK(connection).declare()
    WORK.exchange(connection).delete()
    assert file.queues.bindings("tasks") == []


def test_no_more_messages_are_delivered_than_may_be_unacknowledged(
    connection: Connection,
) -> None:
    publish(connection, *range(5))
    with connection.channel() as channel:
        channel.basic_qos(0, 2, False)
        messages = []
        consumer = connection.Consumer(
            [WORK], channel=channel, on_message=messages.append, auto_declare=False
        )
        with consumer:
            connection.drain_events(timeout=5)
            connection.drain_events(timeout=5)
            with pytest.raises(TimeoutError):
                connection.drain_events(timeout=0.1)
            messages[0].ack()
            connection.drain_events(timeout=5)
    assert [message.decode() for message in messages] == [0, 1, 2]


def test_an_acknowledged_message_is_gone(connection: Connection, file: Broker) -> None:
    publish(connection, "a")
    message = WORK(connection).get()
    assert message
    message.ack()
    assert file.store.rows("SELECT * FROM messages", {}) == []


def test_a_rejected_message_is_gone(connection: Connection, file: Broker) -> None:
    publish(connection, "a")
    message = WORK(connection).get()
    assert message
    message.reject()
    assert file.store.rows("SELECT * FROM messages", {}) == []


def test_a_requeued_message_comes_again_first_and_says_so(connection: Connection) -> None:
    publish(connection, "a", "b")
    message = WORK(connection).get()
    assert message
    assert message.delivery_info["redelivered"] is False
    message.requeue()
    again = WORK(connection).get()
    assert again
    assert again.decode() == "a"
    assert again.delivery_info["redelivered"] is True


def test_a_message_fetched_without_acknowledgement_is_gone(
    connection: Connection, file: Broker
) -> None:
    publish(connection, "a")
    assert WORK(connection).get(no_ack=True)
    assert WORK(connection).get() is None
    assert file.store.rows("SELECT * FROM messages", {}) == []


def test_a_message_consumed_without_acknowledgement_is_gone(
    connection: Connection, file: Broker
) -> None:
    publish(connection, "a")
    assert drain(connection, WORK, no_ack=True) == ["a"]
    assert file.store.rows("SELECT * FROM messages", {}) == []


def test_a_message_whose_expiration_is_over_is_not_delivered(connection: Connection) -> None:
    publish(connection, "old", expiration=0)
    publish(connection, "fresh", expiration=60)
    assert drain(connection, WORK) == ["fresh"]


@pytest.mark.parametrize("closing", ["channel", "connection"])
def test_what_was_not_acknowledged_is_ready_at_once_when_it_is_closed(
    url: str, connection: Connection, closing: str
) -> None:
    publish(connection, "a")
    other = Connection(url)
    channel = other.channel()
    assert WORK(channel).get()
    assert WORK(connection).get() is None
    (channel if closing == "channel" else other).close()
    assert WORK(connection).get()
    other.close()


def test_a_closed_connections_private_queues_are_gone(url: str, file: Broker) -> None:
    with Connection(url) as other:
        Queue("private", WORK.exchange, "private", exclusive=True)(other).declare()
        assert file.queues.exists("private")
    assert not file.queues.exists("private")


def test_a_late_acknowledgement_after_the_close_does_not_take_the_next_owners_message(
    url: str, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    publish(connection, "a")
    other = Connection(url)
    late = WORK(other).get()
    assert late
    other.close()
    message = WORK(connection).get()
    late.ack()
    assert "given back before it was acknowledged" in caplog.text
    assert message
    message.requeue()
    assert WORK(connection).get()


def test_a_consumer_taken_for_dead_is_told_to_reconnect(
    connection: Connection, file: Broker
) -> None:
    with connection.Consumer([WORK], on_message=lambda _: None):
        with file.store.transaction() as transaction:
            transaction.execute("DELETE FROM owners")
        file.owners.renew(0)
        with pytest.raises(LeaseLostError):
            connection.drain_events(timeout=5)
    assert issubclass(LeaseLostError, connection.connection_errors)


def test_after_a_reconnect_the_consumer_gets_messages_again(
    connection: Connection, file: Broker
) -> None:
    drain(connection, WORK)
    with file.store.transaction() as transaction:
        transaction.execute("DELETE FROM owners")
    file.owners.renew(0)
    connection.collect()
    publish(connection, "a")
    assert drain(connection, WORK) == ["a"]


def test_a_message_of_this_process_wakes_the_consumer(url: str, connection: Connection) -> None:
    connection.transport.polling_interval = 3600
    bodies: list[str] = []
    with connection.Consumer([WORK], callbacks=[lambda body, _: bodies.append(body)], no_ack=True):
        with Connection(url) as other:
            thread = threading.Thread(target=publish, args=(other, "a"))
            thread.start()
            connection.drain_events(timeout=60)
            thread.join()
    assert bodies == ["a"]


def test_a_private_queue_is_dropped_with_its_consumer_and_declared_and_bound_again(
    connection: Connection, file: Broker
) -> None:
    exchange = Exchange("fanout-exchange", "fanout")
    private = Queue("private", exchange, exclusive=True, auto_delete=True, durable=False)
    for body in ("first", "second"):
        bodies: list[str] = []
        with connection.Consumer(
            [private], callbacks=[lambda text, _, seen=bodies: seen.append(text)], no_ack=True
        ):
            connection.Producer().publish(body, exchange=exchange)
            connection.drain_events(timeout=5)
        assert bodies == [body]
        assert not file.queues.exists("private")


def test_queue_limits_are_honoured(connection: Connection, file: Broker) -> None:
    Queue("brief", WORK.exchange, "brief", expires=30, message_ttl=5)(connection).declare()
    limits = file.store.rows("SELECT expires, message_ttl FROM queues", {})
    assert limits == [(30, 5)]


def test_a_declaration_says_how_many_messages_wait_and_a_purge_how_many_went(
    connection: Connection,
) -> None:
    publish(connection, 1, 2, 3)
    assert WORK(connection).queue_declare(passive=True).message_count == 3
    assert WORK(connection).purge() == 3
    assert WORK(connection).queue_declare(passive=True).message_count == 0


def test_asking_for_a_queue_that_is_not_there_is_an_error(connection: Connection) -> None:
    with pytest.raises(ChannelError):
        WORK(connection).queue_declare(passive=True)
    with pytest.raises(QueueNotFoundError):
        connection.Consumer([WORK], auto_declare=False).consume()
    assert issubclass(QueueNotFoundError, connection.channel_errors)


@pytest.mark.parametrize(("mode", "durable"), [("persistent", True), ("transient", False)])
def test_only_persistent_messages_wait_for_the_disk(
    connection: Connection,
    file: Broker,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    durable: bool,
) -> None:
    WORK(connection).declare()
    seen: list[bool] = []
    real = file.messages.put
    monkeypatch.setattr(
        file.messages,
        "put",
        lambda *args, **options: seen.append(options["durable"]) or real(*args, **options),
    )
    publish(connection, "a", delivery_mode=mode)
    assert seen == [durable]
