"""What is asked of whole jobs, and that it is carried out whoever dies meanwhile."""

from datetime import timedelta
from typing import Any

import pytest

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import frontier, intents, moves, pauses, pursuit
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.models import Attempt, Job, Kill, Task, Wanted
from hashworld.tasks.states import State, Verb
from hashworld.tasks.submit import submit
from hashworld.transaction import Overtaken
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pursuit, "CHUNK", 2)


class Crash(Exception):
    """What ends a process in these tests."""


def failed(number: int) -> Job:
    job = world.hand_in(*world.pages(number))
    world.run()
    world.finish(*(world.end(task, Verb.FAIL) for task in world.out(job)))
    return job


def states(job: Job) -> set[int]:
    return {task.state for task in world.tasks(job)}


def wanted(job: Job) -> str:
    return Job.objects.get(pk=job.pk).wanted


def test_asking_is_one_row_and_the_work_is_done_later(node: Node) -> None:
    job = world.hand_in(*world.pages(5))
    intents.ask(job.pk, Wanted.KILL)
    assert states(job) == {State.WAITING}
    assert wanted(job) == Wanted.KILL
    pursuit.carry_out_all()
    assert states(job) == {State.KILLED}
    assert wanted(job) == ""
    assert Job.objects.pursued() == []
    world.check_books()


def test_what_runs_is_cut_off_before_what_waits_however_long_the_job(node: Node) -> None:
    job = world.hand_in(*world.pages(9))
    *_, last = world.tasks(job)
    # The last by its number runs, and all others wait.
    Task.objects.filter(job=job).exclude(pk=last.pk).update(due_at=clock.now() + timedelta(hours=1))
    frontier.refresh([last.host_id])
    world.run()
    assert world.out(job) == [last]
    intents.ask(job.pk, Wanted.KILL)
    pursuit.carry_out_all(0)
    last.refresh_from_db()
    assert last.state == State.KILLED
    assert len(world.tasks(job)) - 1 == Task.objects.filter(state=State.WAITING).count()
    pursuit.carry_out(job.pk)
    world.check_books()


def test_nothing_of_a_job_that_is_being_killed_is_given_out(node: Node) -> None:
    job, other = world.hand_in(*world.pages(3)), world.hand_in(*world.pages(2))
    intents.ask(job.pk, Wanted.KILL)
    world.give()
    assert not world.out(job)
    assert len(world.out(other)) == 2
    pursuit.carry_out_all()
    assert states(job) == {State.KILLED}
    world.check_books()


def test_a_kill_of_a_job_says_when_it_was_asked_for(node: Node) -> None:
    job = world.hand_in(*world.pages(2))
    world.run()
    intents.ask(job.pk, Wanted.KILL)
    asked_at = Job.objects.get(pk=job.pk).asked_at
    pursuit.carry_out(job.pk)
    assert set(Kill.objects.values_list("asked_at", flat=True)) == {asked_at}


def test_a_kill_that_a_crash_cut_off_is_carried_on(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = world.hand_in(*world.pages(7))
    intents.ask(job.pk, Wanted.KILL)
    kill, calls = moves.kill, []

    def crash_at_the_third(*arguments: Any) -> int:
        calls.append(arguments)
        if len(calls) == 3:
            raise Crash
        return kill(*arguments)

    with monkeypatch.context() as dying:
        dying.setattr(moves, "kill", crash_at_the_third)
        with pytest.raises(Crash):
            pursuit.carry_out_all()
    assert Job.objects.get(pk=job.pk).killed == 4
    pursuit.carry_out_all()
    assert states(job) == {State.KILLED}
    world.check_books()


def test_a_job_that_is_still_being_handed_in_is_killed_to_its_last_url(node: Node) -> None:
    job = world.hand_in(*world.pages(2))
    Job.objects.update(sealed_at=None)
    intents.ask(job.pk, Wanted.KILL)
    pursuit.carry_out_all()
    assert wanted(job) == Wanted.KILL, "more may come"
    moves.retry([world.tasks(job)[0].pk])  # stands for what comes
    Job.objects.update(sealed_at=job.sealed_at)
    pursuit.carry_out_all()
    assert states(job) == {State.KILLED}
    assert wanted(job) == ""


def test_what_failed_is_retried_once_for_each_task(node: Node) -> None:
    job = failed(5)
    intents.ask(job.pk, Wanted.RETRY_FAILED)
    pursuit._step(job.pk)
    world.run()
    world.finish(*(world.end(task, Verb.FAIL) for task in world.out(job)))
    pursuit.carry_out_all()
    found = Job.objects.get(pk=job.pk)
    assert (found.waiting, found.runtime_error, found.wanted) == (3, 2, "")
    world.check_books()


def test_a_retry_that_a_crash_cut_off_is_carried_on_behind_what_is_done(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = failed(5)
    intents.ask(job.pk, Wanted.RETRY_FAILED)
    pursuit._step(job.pk)
    with monkeypatch.context() as dying:
        dying.setattr(pursuit, "_unchanged", lambda _: (_ for _ in ()).throw(Crash))
        with pytest.raises(Crash):
            pursuit.carry_out_all()
    assert Job.objects.get(pk=job.pk).waiting == 2, "a chunk is whole or not at all"
    pursuit.carry_out_all()
    assert Job.objects.get(pk=job.pk).waiting == 5
    world.check_books()


def test_of_two_that_retry_the_same_chunk_one_is_left_without_effect(node: Node) -> None:
    job = failed(3)
    intents.ask(job.pk, Wanted.RETRY_FAILED)
    stale = Job.objects.get(pk=job.pk)
    pursuit._step(job.pk)
    world.run()
    world.finish(*(world.end(task, Verb.FAIL) for task in world.out(job)))
    before = Attempt.objects.count()
    with pytest.raises(Overtaken):
        pursuit._retry(stale)
    assert Job.objects.get(pk=job.pk).waiting == 0
    assert Attempt.objects.count() == before


def test_killed_tasks_alone_are_retried_if_that_is_asked(node: Node) -> None:
    job = failed(3)
    moves.retry([world.tasks(job)[0].pk])
    pursuit.kill_job(job.pk)
    intents.ask(job.pk, Wanted.RETRY_KILLED)
    pursuit.carry_out(job.pk)
    found = Job.objects.get(pk=job.pk)
    assert (found.waiting, found.runtime_error) == (1, 2)


def test_a_job_is_deleted_with_all_it_has(node: Node) -> None:
    kept, job = failed(1), failed(5)
    intents.ask(job.pk, Wanted.DELETE)
    moves.retry([world.tasks(job)[0].pk])  # too late: it goes with the rest
    pursuit.carry_out_all()
    assert list(Job.objects.values_list("pk", flat=True)) == [kept.pk]
    assert Attempt.objects.count() == 1
    world.check_books()


def test_a_job_that_is_not_finished_is_not_deleted(node: Node) -> None:
    job = world.hand_in(*world.pages(2))
    with pytest.raises(InvalidInput, match="kill it first"):
        intents.ask(job.pk, Wanted.DELETE)
    assert wanted(job) == ""


def test_a_kill_takes_the_place_of_a_retry(node: Node) -> None:
    job = failed(5)
    intents.ask(job.pk, Wanted.RETRY_FAILED)
    pursuit._step(job.pk)
    intents.ask(job.pk, Wanted.KILL)
    pursuit.carry_out_all()
    found = Job.objects.get(pk=job.pk)
    assert (found.killed, found.runtime_error, found.waiting) == (2, 3, 0)


def test_asking_again_changes_nothing(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    intents.ask(job.pk, Wanted.KILL)
    first = Job.objects.get(pk=job.pk).asked_at
    intents.ask(job.pk, Wanted.KILL)
    assert Job.objects.get(pk=job.pk).asked_at == first


@pytest.mark.parametrize("asked", [Wanted.RETRY_FAILED, Wanted.RETRY_KILLED, Wanted.DELETE])
def test_what_does_not_go_with_a_kill_is_refused_with_its_reason(node: Node, asked: Wanted) -> None:
    job = world.hand_in("http://a.example/")
    intents.ask(job.pk, Wanted.KILL)
    with pytest.raises(InvalidInput, match=r"job: .* is being killed since .*; wait") as error:
        intents.ask(job.pk, asked)
    assert error.value.field == "job"
    assert wanted(job) == Wanted.KILL


def test_a_job_that_is_being_deleted_can_neither_be_killed_nor_paused(node: Node) -> None:
    job = failed(1)
    intents.ask(job.pk, Wanted.DELETE)
    for act in (lambda: intents.ask(job.pk, Wanted.KILL), lambda: pauses.pause_job(job.pk)):
        with pytest.raises(InvalidInput, match="is being deleted"):
            act()


def test_a_job_that_does_not_exist_is_named(db: None) -> None:
    for act in (lambda: intents.ask(7, Wanted.KILL), lambda: pauses.resume_job(7)):
        with pytest.raises(InvalidInput, match="there is no job 7"):
            act()


def test_a_round_gives_every_job_its_turn(node: Node) -> None:
    large, small = world.hand_in(*world.pages(50)), world.hand_in("http://b.example/")
    for job in (large, small):
        intents.ask(job.pk, Wanted.KILL)
    assert pursuit.carry_out_all(seconds=0) == 1, "time is up after the first chunk"
    submit(["http://c.example/"])
    pursuit._step(small.pk)
    assert states(small) == {State.KILLED}
    assert State.WAITING in states(large)
