"""What is deleted, what must not be, and that the books stay right."""

import pytest

from hashworld.nodes.models import Node
from hashworld.tasks import moves, retention
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.models import Attempt, Job, Task
from hashworld.tasks.states import State, Verb
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


def finished(number: int = 3) -> Job:
    job = world.hand_in(*world.pages(number))
    world.run()
    world.finish(*map(world.end, world.out(job)))
    return job


def test_tasks_at_their_end_go_with_their_attempts(node: Node) -> None:
    kept, job = finished(), finished()
    first = world.tasks(job)[0].pk
    assert retention.delete_tasks([first]) == 1
    assert not Task.objects.filter(pk=first).exists()
    assert Attempt.objects.filter(task__job=job).count() == 2
    job.refresh_from_db()
    assert (job.succeed, kept.pk < job.pk) == (2, True)
    world.check_books()


@pytest.mark.parametrize("state", [State.WAITING, State.INQUEUE, State.RUNNING])
def test_tasks_that_are_not_at_their_end_stay(node: Node, state: State) -> None:
    job = world.hand_in("http://a.example/")
    if state != State.WAITING:
        world.give() if state == State.INQUEUE else world.run()
    [task] = world.tasks(job)
    assert task.state == state
    assert retention.delete_tasks([task.pk]) == 0
    world.check_books()


def test_the_counters_follow_the_states_that_were_deleted(node: Node) -> None:
    job = world.hand_in(*world.pages(4))
    world.run()
    good, bad, killed, running = world.tasks(job)
    world.finish(world.end(good), world.end(bad, Verb.FAIL))
    moves.kill([killed.pk])
    assert retention.delete_tasks(task.pk for task in world.tasks(job)) == 3
    job.refresh_from_db()
    assert {state: n for state, n in job.counts().items() if n} == {State.RUNNING: 1}
    assert world.tasks(job) == [running]


def test_a_finished_job_goes_with_all_it_has(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 2)
    job, other = finished(5), finished(1)
    assert retention.delete_job(job.pk) == 5
    assert list(Job.objects.all()) == [other]
    assert Task.objects.count() == Attempt.objects.count() == 1


def test_a_job_with_something_to_do_is_not_deleted(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    with pytest.raises(InvalidInput, match="kill it first"):
        retention.delete_job(job.pk)
    assert Task.objects.count() == 1


def test_a_job_retried_while_it_is_deleted_stays(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = finished(1)
    delete = retention.delete_tasks

    def retry_then_delete(ids: list[int]) -> int:
        moves.retry(ids)
        return delete(ids)

    monkeypatch.setattr(retention, "delete_tasks", retry_then_delete)
    with pytest.raises(InvalidInput, match="again"):
        retention.delete_job(job.pk)
    assert Job.objects.filter(pk=job.pk).exists()
    world.check_books()


def test_deleting_a_job_that_is_gone_is_nothing(db: None) -> None:
    assert retention.delete_job(7) == 0
