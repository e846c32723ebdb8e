"""What the users that a stack makes may do at real servers, and what not."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import amqp
import pytest
import redis
from amqp.exceptions import AccessRefused, NotAllowed
from celery import Celery
from kombu import Consumer

from hashworld.celery import SETTINGS, control_queue, node_queue
from hashworld.tasks import moves
from hashworld.tasks.dispatch import dispatch
from hashworld.tasks.lifetimes import start_time
from hashworld.tasks.models import Attempt, Lease
from hashworld.tasks.publisher import CeleryPublisher
from hashworld.tasks.reaper import reap
from hashworld.tasks.states import State
from tests.conftest import Footing, WaitUntil
from tests.integration.tasks import world
from tests.services import Cluster, RabbitMQ

ROOT = Path(__file__).parents[3]
USERS = ("submitter", "worker", "monitor")
LIMIT = 10

#: It changes servers that others use.
pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stack") / "secrets"
    subprocess.run(
        [str(ROOT / "scripts" / "secrets.sh"), str(folder)], check=True, capture_output=True
    )
    return folder


@pytest.fixture(scope="module")
def imported(secrets: Path, footing: Footing) -> Iterator[RabbitMQ]:
    """The private RabbitMQ with a stack's users, rights and policy, for as long as it is needed."""
    if footing == "embedded":
        pytest.skip("needs the servers of the cluster footing: python -m tests.services run")
    rabbitmq = Cluster(Path(os.environ["HASHWORLD_TEST_SERVICES"])).rabbitmq
    rabbitmq.control("import_definitions", str(secrets / "rabbitmq_definitions"))
    yield rabbitmq
    rabbitmq.control("clear_policy", "-p", "hashworld", "leases")
    for user in USERS:
        rabbitmq.control("delete_user", user)


@pytest.fixture
def urls(imported: RabbitMQ, secrets: Path) -> dict[str, str]:
    """The URL of each user."""
    place = f"@127.0.0.1:{imported.port}/"
    return {
        user: (secrets / f"broker_url_{user}").read_text().strip().replace("@rabbitmq:5672/", place)
        for user in USERS
    }


@contextmanager
def channel(url: str) -> Iterator[amqp.Channel]:
    parts = urlsplit(url)
    connection = amqp.Connection(
        f"127.0.0.1:{parts.port}",
        userid=parts.username,
        password=parts.password,
        virtual_host="hashworld",
    )
    try:
        connection.connect()
        yield connection.channel()
    finally:
        connection.collect()


@contextmanager
def application(url: str) -> Iterator[Celery]:
    with Celery("hashworld", broker=url, set_as_current=False) as app:
        app.conf.update(SETTINGS)
        yield app


def test_a_submitter_hands_out_leases_and_a_worker_takes_them(urls: dict[str, str]) -> None:
    queue = node_queue("rights-1")
    with application(urls["submitter"]) as app:
        app.send_task("hashworld.take_lease", args=[7], queue=queue)
    taken: list[object] = []
    with application(urls["worker"]) as app, app.connection_for_read() as connection:
        consumer = Consumer(connection, [queue], accept=["json"])
        consumer.register_callback(lambda body, message: (taken.append(body[0]), message.ack()))
        with consumer:
            connection.drain_events(timeout=5)
    assert taken == [[7]]


@pytest.mark.parametrize("user", ["submitter", "monitor"])
def test_only_a_worker_takes_leases(urls: dict[str, str], user: str) -> None:
    with application(urls["worker"]) as app, app.connection_for_write() as connection:
        control_queue()(connection).declare()
    with channel(urls[user]) as opened, pytest.raises(AccessRefused):
        opened.basic_get("control")


def test_who_watches_hands_out_nothing(urls: dict[str, str]) -> None:
    with channel(urls["monitor"]) as opened, pytest.raises(AccessRefused):
        opened.exchange_declare("hashworld", "topic", durable=True, auto_delete=False)


@pytest.mark.parametrize("user", USERS)
def test_nobody_makes_other_queues(urls: dict[str, str], user: str) -> None:
    with channel(urls[user]) as opened, pytest.raises(AccessRefused):
        opened.queue_declare("mine")


@pytest.mark.parametrize("user", ["worker", "monitor"])
def test_control_commands_are_answered(urls: dict[str, str], user: str) -> None:
    """The channel for replies is made, and nobody answers; a right that lacks would raise."""
    with application(urls[user]) as app:
        assert app.control.ping(timeout=0.2) == []


def test_a_user_of_another_installation_is_not_let_in(urls: dict[str, str]) -> None:
    wrong = urls["worker"].replace("worker:", "worker:0")
    with pytest.raises((AccessRefused, NotAllowed)), channel(wrong):
        pytest.fail("was let in")


def give_back(urls: dict[str, str], queue: str, wait_until: WaitUntil) -> int:
    """Take the message of a queue and give it back until the broker drops it; how often it came."""
    seen = 0
    with channel(urls["worker"]) as worker:

        def gone() -> bool:
            nonlocal seen
            message = worker.basic_get(queue)
            if message is None:
                return seen > 0
            seen += 1
            worker.basic_reject(message.delivery_tag, requeue=True)
            return seen > 2 * LIMIT

        wait_until(gone)
    return seen


def test_a_message_that_is_never_acknowledged_is_given_up(
    urls: dict[str, str], wait_until: WaitUntil
) -> None:
    queue = node_queue("rights-2")
    with application(urls["submitter"]) as app:
        app.send_task("hashworld.take_lease", args=[8], queue=queue)
    assert LIMIT <= give_back(urls, queue.name, wait_until) <= LIMIT + 1


@pytest.mark.django_db(transaction=True)
def test_the_tasks_of_a_message_that_was_given_up_go_on(
    urls: dict[str, str], wait_until: WaitUntil
) -> None:
    """No dead letter tells of it: a lease that nobody starts in its time is taken back."""
    node = world.node("rights-3")
    job = world.hand_in(*world.pages(2))
    with application(urls["submitter"]) as app:
        dispatch(CeleryPublisher(app), [node.pk])
        give_back(urls, node_queue(node.name).name, wait_until)
        [lease] = Lease.objects.open()
        wait_until(lambda: reap().leases == 1, timeout=2 * start_time().total_seconds())
        assert {(task.state, task.losses) for task in world.tasks(job)} == {(State.WAITING, 0)}
        assert not moves.start(lease.pk, lease.incarnation)
        # Nothing ran, so no attempt is told of, and nothing is held against the tasks.
        assert not Attempt.objects.exists()
        dispatch(CeleryPublisher(app), [node.pk])
    with channel(urls["worker"]) as worker:
        message = worker.basic_get(node_queue(node.name).name)
        again = json.loads(message.body)[0][0]
    assert moves.start(again, lease.incarnation)
    world.finish(*(world.end(task) for task in world.tasks(job)))
    assert {task.state for task in world.tasks(job)} == {State.SUCCEED}
    world.check_books()


def test_redis_users_keep_to_their_keys(services: Cluster, secrets: Path) -> None:
    """The private Redis has a default user, which the stack's has not: the others are the same."""
    url = services.redis.url
    with redis.Redis.from_url(url) as administrator:
        for line in (secrets / "redis_acl").read_text().splitlines():
            words = line.split()
            if words[1] != "default":
                administrator.execute_command("ACL", "SETUSER", words[1], "reset", *words[2:])
        try:
            _try_keys(services.redis.port, secrets)
        finally:
            administrator.execute_command("ACL", "DELUSER", "hashworld", "chatroom", "health")
            administrator.delete("hashworld:events")


def _try_keys(port: int, secrets: Path) -> None:
    place = f"@127.0.0.1:{port}/"

    def user(name: str) -> redis.Redis:
        text = (secrets / f"redis_url_{name}").read_text().strip()
        return redis.Redis.from_url(text.replace("@redis:6379/", place))

    with user("hashworld") as ours, user("chatroom") as chat:
        told = ours.xadd("hashworld:events", {"kind": "master.new"})
        assert [id_ for id_, _ in chat.xrange("hashworld:events", told, told)] == [told]
        chat.set("chatroom:names", "anna")
        for forbidden in (
            lambda: chat.xadd("hashworld:events", {"kind": "forged"}),
            lambda: ours.get("chatroom:names"),
            lambda: ours.set("elsewhere", 1),
            lambda: chat.flushall(),
            lambda: chat.config_get("*"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                forbidden()
    with redis.Redis(port=port, username="health", password="none") as health:
        assert health.ping()
        with pytest.raises(redis.exceptions.NoPermissionError):
            health.get("chatroom:names")
