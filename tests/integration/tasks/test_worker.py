"""The bootstep that owns a node's runner."""

from types import SimpleNamespace

import pytest
from django.db import OperationalError

from hashworld.nodes import heartbeat
from hashworld.nodes.models import Node
from hashworld.tasks import worker
from hashworld.tasks.worker import RunnerStep

pytestmark = pytest.mark.django_db(transaction=True)


class Draining:
    """A runner that remembers how long it may drain."""

    def __init__(self) -> None:
        self.graces: list[float] = []

    def drain(self, grace: float) -> None:
        self.graces.append(grace)


def test_a_node_that_is_stopped_while_the_database_is_away_has_its_grace_all_the_same(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OperationalError(2006, "gone")

    runner = Draining()
    monkeypatch.setattr(worker, "_runner", runner)
    monkeypatch.setattr(heartbeat, "drain", refuse)
    parent = SimpleNamespace(node=node, steps=[])
    RunnerStep(parent).stop(parent)
    assert len(runner.graces) == 1
