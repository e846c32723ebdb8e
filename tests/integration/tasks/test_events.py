"""What happens is told once, with the transaction that it happens in."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from hashworld.nodes import clock, leadership
from hashworld.nodes.leadership import Candidate
from hashworld.nodes.models import Node
from hashworld.tasks import events, moves, watch
from hashworld.tasks.events import Kind, Listeners
from hashworld.tasks.models import EVENT_PATIENCE, Event, Job, Quota, Told
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.states import State, Verb
from hashworld.tasks.submit import submit
from hashworld.tasks.watch import Watch
from hashworld.verbs import jobs as verbs
from hashworld.verbs.errors import QuotaExceeded
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nobody_listens() -> Iterator[None]:
    events.forget_owners()
    events.listen_by(Listeners)
    yield
    events.listen_by(Listeners)


def kinds() -> list[str]:
    return list(Event.objects.order_by("pk").values_list("kind", flat=True))


def finish_all(job: Job, verb: Verb = Verb.SUCCEED) -> None:
    world.finish(*(world.end(task, verb) for task in world.out(job)))


def test_a_job_that_ends_is_told_with_its_counts(node: Node) -> None:
    job = world.hand_in(*world.pages(2), name="pages")
    world.run(node)
    assert kinds() == []
    finish_all(job)
    event = Event.objects.get()
    assert (event.kind, event.job_id) == (Kind.JOB_FINISHED, job.pk)
    assert event.text == f"Job {job.pk} (pages) is finished: 2 succeeded."
    assert event.data["succeed"] == event.data["total"] == 2


def test_a_job_that_ends_again_after_a_retry_is_told_again(node: Node) -> None:
    job = world.hand_in(*world.pages(1))
    moves.kill([task.pk for task in world.tasks(job)])
    moves.retry([task.pk for task in world.tasks(job)])
    assert kinds() == [Kind.JOB_FINISHED]
    moves.kill([task.pk for task in world.tasks(job)])
    assert kinds() == [Kind.JOB_FINISHED] * 2


def test_an_end_that_is_rolled_back_is_not_told(node: Node) -> None:
    job = world.hand_in(*world.pages(1))
    with transaction.atomic():
        moves.kill([task.pk for task in world.tasks(job)])
        assert kinds() == [Kind.JOB_FINISHED]
        transaction.set_rollback(True)
    assert kinds() == []


def test_single_tasks_are_told_only_where_somebody_listens(node: Node) -> None:
    heard, other = world.hand_in(*world.pages(3)), world.hand_in(*world.pages(2, "b.example"))
    events.listen_by(lambda: Listeners(jobs=frozenset({heard.pk})))
    world.run(node)
    for job in (heard, other):
        finish_all(job)
    told = Event.objects.filter(kind=Kind.TASK_FINISHED)
    assert [(event.job_id, event.data["ended"]) for event in told] == [(heard.pk, "SUCCEED")]
    assert sorted(told[0].data["tasks"]) == [task.pk for task in world.tasks(heard)]


def test_an_owner_hears_of_killed_tasks_too(node: Node) -> None:
    user = User.objects.create_user("ada")
    events.listen_by(lambda: Listeners(owners=frozenset({user.pk})))
    job = submit(world.pages(3), JobSpec(), user).job
    moves.kill([task.pk for task in world.tasks(job)])
    event = Event.objects.get(kind=Kind.TASK_FINISHED)
    assert (event.owner_id, event.data["ended"], len(event.data["tasks"])) == (user.pk, "KILLED", 3)


def test_where_nobody_listens_the_end_of_tasks_costs_no_query(
    node: Node, django_assert_num_queries: Callable[[int], AbstractContextManager[object]]
) -> None:
    job, now = world.hand_in(*world.pages(3)), clock.now()
    ended = world.tasks(job)
    events.listeners()
    with django_assert_num_queries(0):
        events.tasks_ended(State.SUCCEED, ended, now)
    events.listen_by(lambda: Listeners(jobs=frozenset({job.pk})))
    events.owners([job.pk])
    with transaction.atomic(), django_assert_num_queries(1):
        events.tasks_ended(State.SUCCEED, ended, now)


def test_whose_jobs_they_are_is_asked_in_one_query_and_once(
    node: Node,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: Callable[[int], AbstractContextManager[object]],
) -> None:
    user = User.objects.create_user("ada")
    hers = [submit(world.pages(1), JobSpec(), user).job.pk for _ in range(3)]
    nobodys = world.hand_in(*world.pages(1)).pk
    with django_assert_num_queries(1):
        told = events.owners([*hers, nobodys])
        events.owners(hers)
    assert told == {**dict.fromkeys(hers, user.pk), nobodys: None}
    monkeypatch.setattr(events, "KEPT_OWNERS", 4)
    more = submit(world.pages(1), JobSpec(), user).job.pk
    assert events.owners([hers[0], more]) == {hers[0]: user.pk, more: user.pk}
    assert events._owners.keys() == {more}


def test_who_listens_is_asked_once_a_second_at_most() -> None:
    asked: list[int] = []
    events.listen_by(lambda: asked.append(1) or Listeners())  # type: ignore[func-returns-value]
    for _ in range(5):
        events.listeners()
    assert len(asked) == 1


def test_a_node_is_told_at_every_change_and_once(node: Node) -> None:
    looks = [Watch(), Watch()]
    for look in looks:
        look.run_once()
    assert kinds() == ["node.alive"]
    Node.objects.update(seen_at=clock.now() - timedelta(seconds=11))
    for look in looks:
        look.run_once()
    world.silence(node)
    for look in looks:
        look.run_once()
    assert kinds() == ["node.alive", "node.suspected", "node.dead"]
    dead = Event.objects.get(kind=Kind.NODE_DEAD)
    assert (dead.node, dead.owner_id) == (node.name, None)


def test_of_two_that_look_at_once_one_tells(node: Node) -> None:
    first, second = Watch(), Watch()
    first.run_once()
    # The second still believes what stood there before the first had told.
    assert second._change(f"node:{node.pk}", "alive", [Event(kind=Kind.NODE_ALIVE)]) == 0
    second._told[f"node:{node.pk}"] = "joining"
    assert second._change(f"node:{node.pk}", "alive", [Event(kind=Kind.NODE_ALIVE)]) == 0


def test_a_node_that_was_gone_before_anybody_looked_is_not_told(node: Node) -> None:
    world.silence(node)
    assert Watch().run_once() == 0
    assert Told.objects.get().what == "dead"


def test_a_new_master_is_told_once_for_each_term(db: None) -> None:
    look = Watch()
    Candidate("a/1").run_once()
    look.run_once()
    look.run_once()
    leadership.Leadership.objects.update(expires_at=clock.now())
    Candidate("b/1").run_once()
    look.run_once()
    assert kinds() == [Kind.MASTER_NEW] * 2
    assert Event.objects.filter(node="b", data__term=2).count() == 1


def test_a_job_is_told_as_it_begins_fails_first_and_goes_on(node: Node) -> None:
    look = Watch()
    job = world.hand_in(*world.pages(8))
    look.run_once()
    world.run(node)
    look.run_once()
    assert kinds() == ["node.alive", Kind.JOB_STARTED]
    first, second, *_ = world.out(job)
    world.finish(world.end(first, Verb.FAIL), world.end(second))
    look.run_once()
    look.run_once()
    assert kinds()[2:] == [Kind.JOB_FIRST_ERROR, Kind.JOB_PROGRESS]
    error, progress = Event.objects.order_by("pk")[2:4]
    assert error.data["task"] == first.pk
    assert progress.text == f"Job {job.pk}: 2 of 8 done, 1 failed."
    Watch().run_once()  # another master knows what was told
    assert len(kinds()) == 4
    finish_all(job)
    look.run_once()
    assert kinds()[4:] == [Kind.JOB_FINISHED]


def test_the_progress_of_a_large_job_is_told_in_few_steps() -> None:
    job = Job(waiting=1_000_000, running=0, sealed_at=clock.now)
    steps = set()
    for _ in range(1000):
        job.waiting, job.succeed = job.waiting - 1000, job.succeed + 1000
        steps.add(watch.Progress.of(job))
    assert len(steps) == watch.STEPS


def written(age: float = 0) -> Event:
    return Event.objects.create(kind=Kind.QUOTA_HIT, at=clock.now() - timedelta(seconds=age))


def test_events_are_read_in_order_up_to_a_number_that_may_still_come() -> None:
    first, missing, third = written(), written(), written()
    missing.delete()
    assert [e.pk for e in Event.objects.settled(first.pk - 1, clock.now())] == [first.pk]
    later = clock.now() + timedelta(seconds=EVENT_PATIENCE + 1)
    found = [event.pk for event in Event.objects.settled(first.pk - 1, later)]
    assert found == [first.pk, third.pk]


def test_old_events_go_and_what_was_told_of_jobs_that_are_over(node: Node) -> None:
    written(age=watch.KEPT.total_seconds() + 1)
    kept = written()
    job = world.hand_in(*world.pages(1))
    Told.objects.create(subject=f"job:{job.pk}", what="0")
    Told.objects.create(subject="job:999", what="3")
    assert watch.tidy() == 1
    assert list(Event.objects.all()) == [kept]
    assert [told.subject for told in Told.objects.all()] == [f"job:{job.pk}"]


def test_a_quota_is_told_once_an_hour_for_each_person(db: None) -> None:
    assert events.quota_hit(1, "ada", "ten tasks a day.")
    assert not events.quota_hit(1, "ada", "ten tasks a day.")
    assert events.quota_hit(2, "bob", "ten tasks a day.")
    Told.objects.update(what="2020-01-01 00")
    assert events.quota_hit(1, "ada", "ten tasks a day.")
    assert kinds() == [Kind.QUOTA_HIT] * 3
    assert Event.objects.order_by("pk")[0].text == "ada has reached a quota: ten tasks a day."


def test_a_submission_past_a_quota_is_told(db: None) -> None:
    user = User.objects.create_superuser("ada")
    Quota.objects.create(user=user, daily=1)
    with pytest.raises(QuotaExceeded):
        verbs.submit(user, world.pages(2))
    assert Event.objects.get().owner_id == user.pk
