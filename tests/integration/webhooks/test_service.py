"""The threads of a scheduler process: they look, copy and send."""

import json
from collections.abc import Iterator

import pytest
from celery.signals import beat_init

from hashworld.tasks import moves
from hashworld.tasks.models import Event, Job
from hashworld.webhooks import service, worker
from hashworld.webhooks.models import Webhook
from hashworld.webhooks.service import Teller
from tests.conftest import WaitUntil
from tests.integration.tasks import world
from tests.integration.webhooks.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_every_scheduler_process_begins_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    monkeypatch.setattr(service, "start", lambda: begun.append(1))
    assert worker.begin in [receiver() for _, receiver, *_ in beat_init.receivers]
    worker.begin(sender=None)  # the signal itself would make this process compete for leadership
    assert begun == [1]
