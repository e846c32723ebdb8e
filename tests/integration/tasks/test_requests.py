"""Tasks of a started lease as the engine takes them, and those that it cannot take."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hashworld.nodes.models import Node
from hashworld.tasks import moves, requests
from hashworld.tasks.models import Attempt, Host, Job, Minute
from hashworld.tasks.states import State
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


def load() -> list[str]:
    """Give out and start all there is; the URLs that the engine gets."""
    urls = []
    for lease in world.give():
        started = moves.start(lease.pk, lease.incarnation)
        urls += [request.url for _, request in requests.load(lease.pk, started)]
    return sorted(urls)


def test_a_job_says_how_its_tasks_are_fetched(node: Node) -> None:
    world.hand_in("http://a.example/", limits={"total_timeout": 7}, headers={"A": "b"})
    [lease] = world.give()
    started = moves.start(lease.pk, lease.incarnation)
    [(running, request)] = requests.load(lease.pk, started)
    assert (request.limits.total_timeout, request.headers) == (7, (("A", "b"),))
    assert (request.host, running.task.lease_id) == ("a.example", lease.pk)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"limits": {"max_body": 10**11}}, "limits.max_body: must be at most 536870912"),
        ({"limits": {"speed": 5}}, "limits.speed: is no limit"),
        ({"headers": ["A"]}, "AttributeError"),
        ({"method": "A B"}, "A B"),
    ],
)
def test_a_job_that_cannot_be_fetched_fails_and_harms_no_other(
    node: Node, wrong: dict[str, Any], told: str
) -> None:
    bad, good = world.hand_in(*world.pages(2)), world.hand_in("http://a.example/good")
    Job.objects.filter(pk=bad.pk).update(**wrong)
    assert load() == ["http://a.example/good"]
    assert {(task.state, task.error) for task in world.tasks(bad)} == {
        (State.RUNTIME_ERROR, "internal")
    }
    assert [task.state for task in world.tasks(good)] == [State.RUNNING]
    details = Attempt.objects.values_list("detail", flat=True)
    assert len(details) == 2
    assert all(detail.startswith("Its request cannot be made: ") for detail in details)
    assert all(told in detail for detail in details)
    assert Minute.objects.get(kind="internal").number == 2
    world.check_books()


def test_a_host_with_limits_that_cannot_be_kept_fails_its_own_tasks_alone(node: Node) -> None:
    job = world.hand_in("http://a.example/", "http://b.example/")
    Host.objects.filter(name="a.example").update(min_interval=-1)
    assert load() == ["http://b.example/"]
    assert [task.state for task in world.tasks(job)] == [State.RUNTIME_ERROR, State.RUNNING]
    assert "min_interval must be 0 or more, not -1.0" in Attempt.objects.get().detail


def test_a_lease_of_which_nothing_can_be_fetched_is_over(node: Node) -> None:
    job = world.hand_in(*world.pages(3))
    Host.objects.update(min_interval=-1)
    assert load() == []
    assert world.give() == []
    assert Job.objects.get(pk=job.pk).finished_at is not None
    world.check_books()


def test_options_are_loaded_in_one_query_and_once(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [world.hand_in("http://a.example/").pk for _ in range(5)]
    with CaptureQueriesContext(connection) as captured:
        assert requests.options(jobs).keys() == set(jobs)
        requests.options(jobs[:2])
    assert len(captured) == 1
    monkeypatch.setattr(requests, "KEPT", 5)
    more = world.hand_in("http://a.example/").pk
    requests.options([more])
    assert requests._kept.keys() == {more}
