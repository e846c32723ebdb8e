"""What is deleted, what must not be, and that the books stay right."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import counts, intents, keeping, moves, retention
from hashworld.tasks.content import compaction
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.keeping import Rules
from hashworld.tasks.models import Attempt, Content, Job, Task, Wanted
from hashworld.tasks.retention import Retained
from hashworld.tasks.states import State, Verb
from tests.integration.tasks import bodies, world

pytestmark = pytest.mark.django_db(transaction=True)


def finished(number: int = 3) -> Job:
    job = world.hand_in(*world.pages(number))
    world.run()
    world.finish(*map(world.end, world.out(job)))
    return job


def fetched(body: bytes, **options: int) -> Job:
    """A job of one page, fetched and recorded as a node's writer does it."""
    return bodies.fetch("database", body, **options)


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


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the cluster's rules."""

    def set_rules(**given: int) -> None:
        monkeypatch.setattr(keeping, "rules", lambda: Rules(**given))

    return set_rules


def aged(job: Job, days: float) -> Job:
    Job.objects.filter(pk=job.pk).update(finished_at=clock.now() - timedelta(days=days))
    return job


def left() -> list[int]:
    return list(Job.objects.order_by("pk").values_list("pk", flat=True))


def test_without_rules_everything_is_kept(node: Node) -> None:
    job = aged(finished(), 10_000)
    assert retention.retain() == Retained()
    assert left() == [job.pk]


def test_a_job_goes_when_its_days_are_over(node: Node, rules: Callable[..., None]) -> None:
    rules(days=30)
    _, kept = aged(finished(2), 30.01), aged(finished(2), 29.99)
    assert retention.retain() == Retained(jobs=1, tasks=2)
    assert left() == [kept.pk]
    world.check_books()


def test_a_job_that_has_not_ended_is_not_removed(node: Node, rules: Callable[..., None]) -> None:
    rules(days=1, jobs=1, bytes=1)
    job = world.hand_in("http://a.example/")
    Job.objects.update(created_at=clock.now() - timedelta(days=99))
    assert retention.retain() == Retained()
    assert left() == [job.pk]
    world.hand_in("http://a.example/")
    assert keeping.overdue(clock.now(), Rules(jobs=1)) is None, "they do not count either"


def test_the_oldest_go_when_there_are_too_many(node: Node, rules: Callable[..., None]) -> None:
    rules(jobs=2)
    jobs = [aged(finished(1), days) for days in (1, 4, 2, 3)]
    retention.retain()
    assert left() == [jobs[0].pk, jobs[2].pk]


def test_the_oldest_go_when_bodies_take_too_much(node: Node, rules: Callable[..., None]) -> None:
    jobs = [aged(fetched(f"body {days}".encode()), days) for days in (1, 3, 2)]
    each = counts.kept_bytes() // 3
    rules(bytes=2 * each)
    retention.retain()
    assert left() == [jobs[0].pk, jobs[2].pk]
    assert counts.kept_bytes() == 2 * each == sum(Content.objects.values_list("stored", flat=True))


@pytest.mark.parametrize(("keep_days", "stays"), [(0, True), (50, True), (20, False)])
def test_what_a_job_says_itself_comes_before_the_clusters_rules(
    node: Node, rules: Callable[..., None], keep_days: int, stays: bool
) -> None:
    rules(days=30, jobs=1, bytes=1)
    job = aged(fetched(b"hello", keep_days=keep_days), 40)
    retention.retain()
    assert (left() == [job.pk]) == stays


def test_a_removal_that_breaks_off_is_ended_by_the_next_round(
    node: Node, rules: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CHUNK", 2)
    rules(days=30)
    job = aged(finished(5), 31)
    with monkeypatch.context() as short:
        short.setattr(retention, "ROUND_SECONDS", 0.0)
        short.setattr(retention, "monotonic", iter([0.0, -1.0, 0.0, 0.0]).__next__)
        short.setattr(compaction, "tidy", lambda until: 0)
        assert retention.retain() == Retained(jobs=0, tasks=2)
    world.check_books()
    # Even where no rule would begin it now.
    rules()
    assert retention.retain() == Retained(jobs=1, tasks=3)
    assert left() == [] != [job.pk]


def test_a_job_retried_while_it_is_removed_is_wanted_again(
    node: Node, rules: Callable[..., None]
) -> None:
    rules(days=30)
    job = aged(finished(2), 31)
    Job.objects.update(removal_began_at=clock.now())
    moves.retry([world.tasks(job)[0].pk])
    assert retention.retain() == Retained()
    job.refresh_from_db()
    assert (job.removal_began_at, len(world.tasks(job))) == (None, 2)
    world.check_books()


def test_a_job_that_is_being_retried_is_not_removed(node: Node, rules: Callable[..., None]) -> None:
    rules(days=30)
    job = aged(finished(2), 31)
    intents.ask(job.pk, Wanted.RETRY_FAILED)
    assert retention.retain() == Retained()
    assert len(world.tasks(job)) == 2


def test_a_job_retried_between_two_steps_loses_nothing_more(
    node: Node, rules: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CHUNK", 2)
    rules(days=30)
    job = aged(finished(6), 31)
    delete = retention.delete_tasks

    def delete_then_retry(ids: list[int]) -> int:
        gone = delete(ids)
        moves.retry([world.tasks(job)[-1].pk])
        return gone

    monkeypatch.setattr(retention, "delete_tasks", delete_then_retry)
    assert retention.retain() == Retained(jobs=0, tasks=2)
    assert len(world.tasks(job)) == 4
    world.check_books()


def told(job: Job, **given: int) -> list[tuple[int | None, str]]:
    """The days from a job's end to its removal, and the rules."""
    job.refresh_from_db()
    found = keeping.removals(job, Rules(**given))
    return [(at and job.finished_at and (at - job.finished_at).days, rule) for at, rule in found]


def test_the_day_of_a_jobs_removal_is_known_beforehand(node: Node) -> None:
    job, own, ever = finished(1), fetched(b"1", keep_days=7), fetched(b"2", keep_days=0)
    assert told(job) == told(ever, days=30, jobs=1, bytes=1) == []
    assert told(job, days=30) == [(30, "30 days after its end (HASHWORLD_KEEP_DAYS)")]
    assert told(own, days=30, jobs=1) == [(7, "7 days after its end (as the job says)")]
    aged(job, 1)
    finished(1)
    [(_, by_number), (_, by_bytes)] = told(job, jobs=1000, bytes=5000)
    assert by_number == ("when 1,000 other jobs have ended after it, 1 have (HASHWORLD_KEEP_JOBS)")
    assert f"more than 5,000 bytes of bodies are kept, {counts.kept_bytes()} are" in by_bytes


def test_what_is_told_is_what_is_done(node: Node, rules: Callable[..., None]) -> None:
    rules(days=30)
    job = aged(finished(1), 29)
    [removal] = keeping.removals(Job.objects.get(pk=job.pk), keeping.rules())
    assert removal.at is not None
    assert keeping.overdue(removal.at, keeping.rules()) is None
    assert keeping.overdue(removal.at + timedelta(seconds=1), keeping.rules()) == job.pk


def test_before_its_end_no_day_is_known(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    assert told(job, days=1) == [(None, "1 day after its end (HASHWORLD_KEEP_DAYS)")]
