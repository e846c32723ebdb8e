"""How a node joins, is heard of, and goes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psutil
import pytest
from django.conf import settings
from django.db import OperationalError

from hashworld.nodes import clock, heartbeat
from hashworld.nodes.heartbeat import Heartbeat
from hashworld.nodes.models import Node, NodeState

pytestmark = pytest.mark.django_db(transaction=True)


def alive() -> list[str]:
    return list(Node.objects.alive(clock.now()).values_list("name", flat=True))


def pass_by(node: Node, seconds: float) -> None:
    Node.objects.filter(pk=node.pk).update(seen_at=clock.now() - timedelta(seconds=seconds))


@contextmanager
def beating(node: Node, in_flight: int = 0) -> Iterator[None]:
    beats = Heartbeat(node, 0.05, lambda: in_flight)
    beats.start()
    try:
        yield
    finally:
        beats.stop()


def test_the_clock_is_utc_and_does_not_go_back() -> None:
    times = [clock.now() for _ in range(5)]
    assert times == sorted(times)
    assert all(time.utcoffset() == timedelta(0) for time in times)


def test_a_node_that_joins_is_alive() -> None:
    node = heartbeat.join("one", "i1", 64)
    assert (node.state, node.max_tasks, node.incarnation) == (NodeState.ALIVE, 64, "i1")
    assert alive() == ["one"]


def test_a_node_that_joins_again_keeps_its_row_and_has_a_new_incarnation() -> None:
    first = heartbeat.join("one", "i1", 64)
    heartbeat.leave(first)
    again = heartbeat.join("one", "i2", 32)
    again.refresh_from_db()
    assert (again.pk, again.incarnation, again.state) == (first.pk, "i2", NodeState.ALIVE)
    assert alive() == ["one"]


def test_a_node_silent_for_a_leases_length_is_not_alive() -> None:
    node = heartbeat.join("one", "i1", 64)
    pass_by(node, settings.ENV.lease_seconds - 2)
    assert alive() == ["one"]
    pass_by(node, settings.ENV.lease_seconds + 0.1)
    assert alive() == []


@pytest.mark.parametrize("say", [heartbeat.drain, heartbeat.leave])
def test_a_node_that_drains_or_left_is_not_alive(say: Any) -> None:
    say(heartbeat.join("one", "i1", 64))
    assert alive() == []


def test_a_beat_says_what_the_node_is_doing() -> None:
    node = heartbeat.join("one", "i1", 64)
    pass_by(node, 60)
    assert heartbeat.beat(node, 7, psutil.Process())
    node.refresh_from_db()
    assert node.in_flight == 7
    assert node.memory_mb > 1
    assert alive() == ["one"]


def test_an_earlier_incarnation_can_say_nothing() -> None:
    old = heartbeat.join("one", "i1", 64)
    heartbeat.join("one", "i2", 64)
    assert not heartbeat.beat(old, 9, psutil.Process())
    heartbeat.drain(old)
    heartbeat.leave(old)
    node = Node.objects.get()
    assert (node.in_flight, node.state) == (0, NodeState.ALIVE)


def test_the_beats_go_on_until_they_are_stopped(wait_until: Any) -> None:
    node = heartbeat.join("one", "i1", 64)
    with beating(node, in_flight=3):
        for _ in range(2):
            pass_by(node, 60)
            wait_until(alive)
        assert Node.objects.get().in_flight == 3
    pass_by(node, 60)
    assert alive() == []


def test_a_beat_does_not_bring_back_a_node_that_left() -> None:
    node = heartbeat.join("one", "i1", 64)
    heartbeat.leave(node)
    Heartbeat(node, 5, lambda: 0).run_once()
    assert alive() == []


def test_a_database_that_is_away_does_not_end_the_beats(
    monkeypatch: pytest.MonkeyPatch, wait_until: Any
) -> None:
    node = heartbeat.join("one", "i1", 64)
    beat, fails = heartbeat.beat, [OperationalError(2006, "gone") for _ in range(2)]

    def fail_at_first(*arguments: Any) -> bool:
        if fails:
            raise fails.pop()
        return beat(*arguments)

    monkeypatch.setattr(heartbeat, "beat", fail_at_first)
    pass_by(node, 60)
    with beating(node):
        wait_until(alive)
    assert not fails


def test_a_name_that_another_process_took_is_told(caplog: pytest.LogCaptureFixture) -> None:
    old = heartbeat.join("one", "i1", 64)
    heartbeat.join("one", "i2", 64)
    assert not Heartbeat(old, 5, lambda: 0).run_once()
    assert "HASHWORLD_NODE_NAME" in caplog.text
