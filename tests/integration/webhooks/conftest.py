"""A receiver, a person whose webhook leads there, and a sender."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from hashworld.tasks import events
from hashworld.verbs import webhooks as verbs
from hashworld.webhooks.models import KINDS, Webhook
from hashworld.webhooks.sender import Sender
from tests.integration.verbs.conftest import alice, bob, hers, his, operator, person
from tests.integration.webhooks.receiver import Receiver

__all__ = ["alice", "bob", "hers", "his", "operator", "person"]


@pytest.fixture(autouse=True)
def _listeners() -> Iterator[None]:
    """What was asked of an earlier test's webhooks is forgotten."""
    events.forget_owners()
    events.listen_by(Webhook.objects.listeners)
    yield
    events.listen_by(Webhook.objects.listeners)


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    receiver = Receiver()
    settings.ENV = dataclasses.replace(
        settings.ENV, fetch_allow_networks=["127.0.0.0/8"], fetch_ports=[80, 443, receiver.port]
    )
    yield receiver
    receiver.stop()


@pytest.fixture
def hook(transactional_db: None, alice: User, receiver: Receiver) -> Webhook:
    """Alice's webhook, told of everything of hers."""
    return verbs.add(alice, receiver.url, [kind.value for kind in KINDS])[0]


@pytest.fixture
def sender(receiver: Receiver) -> Iterator[Sender]:
    sender = Sender()
    sender.start()
    yield sender
    sender.stop()
