"""The threads of a scheduler process: they look, copy and send, and survive what fails."""

import json
from collections.abc import Iterator

import pytest
from celery.signals import beat_init
from django.db import OperationalError
from structlog.testing import capture_logs

from hashworld.tasks import moves
from hashworld.tasks.errors import RedisAway
from hashworld.tasks.models import Event, Job
from hashworld.webhooks import service, worker
from hashworld.webhooks.models import Webhook
from hashworld.webhooks.service import Teller
from tests.conftest import WaitUntil
from tests.integration.tasks import world
from tests.integration.webhooks.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "FAILED", 0.1)


@pytest.fixture
def teller(receiver: Receiver) -> Iterator[Teller]:
    teller = Teller(leads=lambda: True)
    teller.start()
    yield teller
    teller.stop()


def test_what_happens_reaches_the_receiver_by_itself(
    hook: Webhook, hers: Job, receiver: Receiver, teller: Teller, wait_until: WaitUntil
) -> None:
    moves.kill([task.pk for task in world.tasks(hers)])
    wait_until(lambda: len(receiver.got) == 2)
    kinds = {json.loads(got.body)["type"] for got in receiver.got}
    assert kinds == {"task.finished", "job.finished"}


def test_nodes_are_looked_at_by_the_master_alone(db: None, receiver: Receiver) -> None:
    world.node("one")
    standby = Teller(leads=lambda: False)
    standby.look()
    assert not Event.objects.exists()
    Teller(leads=lambda: True).look()
    assert Event.objects.get().kind == "node.alive"


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (RedisAway("no route"), False),
        (OperationalError("gone away"), False),
        (KeyError("a fault of ours"), True),
    ],
)
def test_a_round_that_fails_is_told_and_tried_again(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    wait_until: WaitUntil,
    error: Exception,
    shown: bool,
) -> None:
    rounds: list[int] = []

    def fail_twice(teller: Teller) -> None:
        rounds.append(1)
        if len(rounds) <= 2:
            raise error

    monkeypatch.setattr(Teller, "look", fail_twice)
    monkeypatch.setattr(service, "LOOK", 0.1)
    teller = Teller(leads=lambda: True)
    with capture_logs() as lines:
        teller.start()
        wait_until(lambda: len(rounds) >= 3)
        teller.stop()
    told = [line for line in lines if line["event"].endswith("trying again")]
    assert [bool(line.get("exc_info")) for line in told] == [shown, shown]


def test_every_scheduler_process_begins_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    monkeypatch.setattr(service, "start", lambda: begun.append(1))
    assert worker.begin in [receiver() for _, receiver, *_ in beat_init.receivers]
    worker.begin(sender=None)  # the signal itself would make this process compete for leadership
    assert begun == [1]
