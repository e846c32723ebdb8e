"""Jobs are kept in step in sets: the number of statements does not follow that of the jobs."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hashworld.nodes.models import Node
from hashworld.tasks import moves, parking, pauses, requests
from hashworld.tasks.models import Job, Task
from hashworld.tasks.states import State, Verb
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)

ENDS = (Verb.SUCCEED, Verb.FAIL, Verb.RETRY_LATER)


def statements(do: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        do()
    return len(captured)


def round_of(number: int) -> dict[str, int]:
    """The statements of each step in the life of so many jobs of one URL."""
    jobs = [world.hand_in(url) for url in world.pages(number)]
    world.beat()
    counted = {"lease": statements(world.give)}
    [lease] = {task.lease for task in Task.objects.filter(state=State.INQUEUE)}
    assert lease is not None
    started: list[moves.Started] = []
    counted["start"] = statements(lambda: started.extend(moves.start(lease.pk, lease.incarnation)))
    counted["load"] = statements(lambda: requests.load(lease.pk, started))
    held = list(Task.objects.filter(pk__in=[task.id for task in started]).select_related("lease"))
    ends = [world.end(task, ENDS[i % len(ENDS)], delay=60) for i, task in enumerate(held)]
    counted["flush"] = statements(lambda: world.finish(*ends))
    assert len(held) == len(jobs)
    return counted


def test_a_hundred_jobs_of_one_url_take_as_many_statements_as_a_few(transactional_db: None) -> None:
    world.node("one", max_tasks=100)
    few = round_of(6)
    world.check_books()
    for step, number in round_of(100).items():
        assert number <= few[step] + 2, f"{step}: but for a long INSERT, which is cut in pieces"
    world.check_books()


def test_jobs_of_which_different_numbers_move_are_each_counted_right(node: Node) -> None:
    jobs = [world.hand_in(*world.pages(number)) for number in (1, 2, 3)]
    world.run()
    first, *others = [task for job in jobs for task in world.out(job)]
    world.finish(world.end(first, Verb.FAIL), *(world.end(t, Verb.RETRY_LATER) for t in others))
    world.check_books()
    counts = [(job.waiting, job.runtime_error) for job in Job.objects.order_by("pk")]
    assert counts == [(0, 1), (2, 0), (3, 0)]


def test_one_job_that_is_held_takes_the_whole_lease_back(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [world.hand_in(*world.pages(2)) for _ in range(3)]
    pauses.pause_job(jobs[1].pk)
    held, looks = parking.held, []

    def open_at_first(ids: set[int]) -> set[int]:
        looks.append(ids)
        return set() if len(looks) == 1 else held(ids)

    monkeypatch.setattr(parking, "held", open_at_first)
    world.give()
    assert len(looks) == 2
    assert [len(world.out(job)) for job in jobs] == [2, 0, 2]
    world.give()
    world.check_books()
