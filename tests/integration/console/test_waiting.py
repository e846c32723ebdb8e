"""Why a task is waiting."""

from datetime import timedelta

import pytest

from hashworld.console.waiting import why
from hashworld.nodes import clock
from hashworld.nodes.models import Land, Node
from hashworld.tasks.models import SUSPECT, Host, Job

pytestmark = pytest.mark.django_db


def told(job: Job) -> str:
    task = job.tasks.select_related("host").first()
    return why(task, task.host, clock.now())


def test_a_pause_comes_before_everything(job: Job) -> None:
    Host.objects.update(paused=True)
    assert told(job) == "Its host is paused."


def test_a_retry_has_its_time(job: Job, node: Node) -> None:
    job.tasks.update(due_at=clock.now() + timedelta(seconds=90))
    assert told(job) == "It failed and is tried again in 1 min."


def test_without_a_node_nothing_is_fetched(job: Job) -> None:
    assert told(job) == "No node is alive to fetch it."


def test_a_host_has_its_limit(job: Job, node: Node) -> None:
    Host.objects.update(out=128, ahead=128)
    assert told(job) == "Its host has 128 tasks out, as many as its limits allow."


def test_a_host_has_its_interval(job: Job, node: Node) -> None:
    Host.objects.update(next_at=clock.now() + timedelta(seconds=30.5))
    assert told(job) == "Its host may be asked again in 30 s."


def test_a_suspect_stands_behind_the_others(job: Job, node: Node) -> None:
    job.tasks.update(lane=SUSPECT)
    assert "given out with care" in told(job)


def test_a_land_has_its_node(job: Job, node: Node) -> None:
    assert told(job) == "No node owns its host's land yet."
    Land.objects.create(id=Host.objects.get().land, node=node)
    assert told(job) == "It waits for room on berlin-1."
