"""Publishing to a RabbitMQ that refuses or keeps silent: what is not confirmed has not happened.

Unconfirmed, a refused message would seem to have been taken, and its tasks would wait for their
lease to run out.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psutil
import pytest
from kombu.exceptions import OperationalError as BrokerError

from hashworld.celery import app, node_queue
from hashworld.tasks.dispatch import dispatch
from hashworld.tasks.lifetimes import start_time
from hashworld.tasks.models import Lease
from hashworld.tasks.publisher import CeleryPublisher
from hashworld.tasks.states import State
from tests.conftest import WaitUntil
from tests.integration.tasks import world
from tests.services import Cluster, RabbitMQ
from tests.services.service import comes_true

#: One after the other: whoever else uses the broker must not find it silent.
pytestmark = pytest.mark.servers

NO_LEASE = 0


@pytest.fixture
def rabbitmq(services: Cluster) -> RabbitMQ:
    return services.rabbitmq


@pytest.fixture
def publisher() -> CeleryPublisher:
    return CeleryPublisher(app)


@pytest.fixture
def name(rabbitmq: RabbitMQ, publisher: CeleryPublisher) -> str:
    """A node that nobody is, with a queue and a connection to it."""
    name = f"nobody-{uuid4().hex[:8]}"
    publisher.publish(NO_LEASE, name)
    return name


@contextmanager
def silent(rabbitmq: RabbitMQ) -> Iterator[None]:
    """It takes what is sent to it and answers nothing."""
    leader = psutil.Process(rabbitmq.state.pid)
    below = leader.children(recursive=True)
    group = [leader, *(each for each in below if os.getpgid(each.pid) == leader.pid)]
    os.killpg(leader.pid, signal.SIGSTOP)
    try:
        assert comes_true(lambda: all(each.status() == psutil.STATUS_STOPPED for each in group), 10)
        yield
    finally:
        os.killpg(rabbitmq.state.pid, signal.SIGCONT)


@contextmanager
def refusing(
    rabbitmq: RabbitMQ, publisher: CeleryPublisher, name: str, wait_until: WaitUntil
) -> Iterator[None]:
    """The node's queue takes no message more."""
    policy = ("-p", "hashworld", "full")
    limits = '{"max-length": 1, "overflow": "reject-publish"}'
    rabbitmq.control("set_policy", *policy, f"^node\\.{name}$", limits, "--apply-to", "queues")

    def is_full() -> bool:
        try:
            publisher.publish(NO_LEASE, name)
        except BrokerError:
            return True
        return False

    try:
        # A quorum queue tells its publishers of its limit a little later than it reaches it.
        wait_until(is_full, 30, "the broker was not heard to refuse")
        yield
    finally:
        rabbitmq.control("clear_policy", *policy)


def test_what_the_broker_refuses_is_an_error_that_names_the_node(
    rabbitmq: RabbitMQ, publisher: CeleryPublisher, name: str, wait_until: WaitUntil
) -> None:
    with refusing(rabbitmq, publisher, name, wait_until), pytest.raises(BrokerError, match=name):
        publisher.publish(NO_LEASE, name)


@pytest.mark.usefixtures("transactional_db")
def test_what_the_broker_refused_waits_again_at_once(
    rabbitmq: RabbitMQ, publisher: CeleryPublisher, name: str, wait_until: WaitUntil
) -> None:
    world.node(name)
    job = world.hand_in(*world.pages(3))
    with refusing(rabbitmq, publisher, name, wait_until), pytest.raises(BrokerError):
        dispatch(publisher)
    assert {task.state for task in world.tasks(job)} == {State.WAITING}
    assert not Lease.objects.open().exists()
    world.check_books()


def test_a_silent_broker_is_an_error_and_a_later_publish_begins_anew(
    rabbitmq: RabbitMQ, publisher: CeleryPublisher, name: str
) -> None:
    with silent(rabbitmq), pytest.raises(BrokerError):
        publisher.publish(NO_LEASE, name)
    publisher.publish(NO_LEASE, name)


def test_no_node_judges_by_its_own_clock_whether_a_message_is_too_late() -> None:
    name = f"nobody-{uuid4().hex[:8]}"
    CeleryPublisher(app).publish(NO_LEASE, name)
    with app.connection_for_read() as connection:
        message = node_queue(name)(connection).get(no_ack=True)
    assert message is not None
    assert message.headers["expires"] is None
    assert int(message.properties["expiration"]) == start_time().total_seconds() * 1000
