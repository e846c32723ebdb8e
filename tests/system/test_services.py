"""The private servers themselves: fault tests build on their coming back with what they had."""

from contextlib import closing

import amqp
import pytest

from tests.services import Cluster, MariaDB, RabbitMQ

pytestmark = pytest.mark.usefixtures("services")


def amqp_connection(rabbitmq: RabbitMQ) -> amqp.Connection:
    connection = amqp.Connection(
        f"127.0.0.1:{rabbitmq.port}",
        userid="hashworld",
        password=rabbitmq.password,
        virtual_host="hashworld",
        confirm_publish=True,
    )
    connection.connect()
    return connection


def execute(mariadb: MariaDB, *statements: str) -> list[tuple[object, ...]]:
    """The rows of the last statement; all are committed."""
    pytest.importorskip("MySQLdb")
    with closing(mariadb.connect(database="hashworld")) as connection:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        rows = list(cursor.fetchall())
        connection.commit()
        return rows


def test_a_restarted_rabbitmq_has_its_port_and_its_persistent_messages(services: Cluster) -> None:
    rabbitmq = services.rabbitmq
    port = rabbitmq.port
    with amqp_connection(rabbitmq) as connection:
        channel = connection.channel()
        channel.queue_declare("services.durable", durable=True, auto_delete=False)
        message = amqp.Message("kept", delivery_mode=2)
        channel.basic_publish(message, routing_key="services.durable")

    # A queue that was just declared may be gone after a crash: its declaration is not synced.
    rabbitmq.stop()
    assert not rabbitmq.is_up()
    rabbitmq.start()

    assert rabbitmq.port == port
    with amqp_connection(rabbitmq) as connection:
        channel = connection.channel()
        found = channel.basic_get("services.durable", no_ack=True)
        assert found is not None
        assert found.body == "kept"
        channel.queue_delete("services.durable")


def test_a_killed_mariadb_comes_back_with_what_was_committed(services: Cluster) -> None:
    mariadb = services.mariadb
    execute(
        mariadb,
        "CREATE TABLE kept (number INT) ENGINE=InnoDB",
        "INSERT INTO kept VALUES (6666)",
    )

    mariadb.kill()
    assert not mariadb.is_up()
    mariadb.start()

    assert execute(mariadb, "SELECT number FROM kept") == [(6666,)]
    execute(mariadb, "DROP TABLE kept")


def test_redis_lets_nobody_in_without_the_password_and_keeps_keys(services: Cluster) -> None:
    redis = pytest.importorskip("redis")
    with redis.Redis(port=services.redis.port) as stranger:
        with pytest.raises(redis.AuthenticationError):
            stranger.ping()
    with redis.Redis.from_url(services.redis.url) as client:
        client.set("services:kept", "1", ex=60)

    services.redis.stop()
    services.redis.start()

    with redis.Redis.from_url(services.redis.url) as client:
        assert client.get("services:kept") == b"1"


def test_another_process_finds_a_service_by_its_folder(services: Cluster) -> None:
    again = MariaDB(services.root)

    assert again.is_running()
    assert again.url == services.mariadb.url
