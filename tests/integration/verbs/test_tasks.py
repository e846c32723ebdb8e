"""What a person can do with tasks, and with whose."""

import pytest
from django.contrib.auth.models import User

from hashworld.tasks import moves
from hashworld.tasks.models import Job, Task
from hashworld.tasks.reasons import Cause
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.states import State
from hashworld.tasks.submit import submit
from hashworld.verbs import selection, tasks
from hashworld.verbs.errors import Forbidden, Invalid, NotFound
from hashworld.verbs.filters import TaskFilter
from hashworld.verbs.models import AuditEntry
from tests.integration.console.work import end, keep
from tests.integration.people import Member


def ids(job: Job) -> list[int]:
    return list(job.tasks.order_by("id").values_list("id", flat=True))


def test_a_submitter_sees_only_their_own_tasks(alice: User, hers: Job, his: Job) -> None:
    assert [task.pk for task in tasks.find(alice).items] == ids(hers)[::-1]
    for look in (tasks.get, tasks.why, tasks.attempts, tasks.body):
        with pytest.raises(NotFound):
            look(alice, ids(his)[0])


def test_why_is_told(alice: User, hers: Job) -> None:
    assert tasks.why(alice, ids(hers)[0]).cause == Cause.NO_NODE


def test_a_body_is_for_whoever_may_see_bodies(person: Member, alice: User, hers: Job) -> None:
    task = hers.tasks.first()
    assert task
    with pytest.raises(NotFound, match="no body"):
        tasks.body(alice, task.pk)
    end(task, State.SUCCEED, status=200, content=keep(b"\xef\xbb\xbfhello"))
    assert tasks.body(alice, task.pk) == b"\xef\xbb\xbfhello"
    with pytest.raises(Forbidden):
        tasks.body(person("nobody"), task.pk)


def test_each_id_is_answered_for(alice: User, hers: Job, his: Job) -> None:
    first, second, third = ids(hers)
    moves.kill([first])
    acted = tasks.kill(alice, [first, second, ids(his)[0], 999_999], "enough")
    assert acted.done == {second}
    assert acted.skipped == {first}
    assert acted.unknown == {ids(his)[0], 999_999}
    assert Task.objects.get(pk=third).state == State.WAITING
    assert Task.objects.get(pk=ids(his)[0]).state == State.WAITING
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.number, entry.reason) == ("kill task", 1, "enough")


def test_what_ended_is_retried_and_deleted(alice: User, hers: Job) -> None:
    first, second, third = ids(hers)
    moves.kill([first, second])
    assert tasks.retry(alice, [first, third]).done == {first}
    assert tasks.delete(alice, [second, third]).done == {second}
    assert ids(hers) == [first, third]


@pytest.mark.parametrize("verb", [tasks.kill, tasks.retry, tasks.delete])
def test_a_viewer_acts_on_nothing(person: Member, hers: Job, verb: object) -> None:
    assert callable(verb)
    with pytest.raises(Forbidden):
        verb(person("viewer"), ids(hers))


def test_an_operator_acts_on_the_tasks_of_others(operator: User, hers: Job) -> None:
    assert tasks.kill(operator, ids(hers)).done == set(ids(hers))


def test_too_many_ids_are_refused(alice: User) -> None:
    with pytest.raises(Invalid, match="ids"):
        tasks.kill(alice, range(tasks.MOST_IDS + 1))


@pytest.fixture
def mixed(hers: Job) -> Job:
    """One that succeeded, one that failed, one that waits."""
    good, bad, _ = hers.tasks.order_by("id")
    end(good, State.SUCCEED, status=200)
    bad.job.refresh_from_db()
    end(bad, State.RUNTIME_ERROR, status=503, error="http_status")
    hers.refresh_from_db()
    return hers


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        (TaskFilter(), [2, 1, 0]),
        (TaskFilter(states=(State.SUCCEED,)), [0]),
        (TaskFilter(states=(State.SUCCEED, State.RUNTIME_ERROR)), [1, 0]),
        (TaskFilter(states=(State.WAITING, State.SUCCEED)), [2, 0]),
        (TaskFilter(states=(State.RUNNING,)), []),
        (TaskFilter(host="B.example."), [2]),
        (TaskFilter(code=5), [1]),
        (TaskFilter(code=2), [0]),
        (TaskFilter(error="http_status"), [1]),
        (TaskFilter(owner="bob"), []),
        (TaskFilter(owner="alice"), [2, 1, 0]),
        (TaskFilter(tag="nightly"), [2, 1, 0]),
        (TaskFilter(tag="daily"), []),
        (TaskFilter(job=0), []),
    ],
)
def test_tasks_are_filtered(
    operator: User, mixed: Job, wanted: TaskFilter, places: list[int]
) -> None:
    found = tasks.find(operator, wanted).items
    assert [task.pk for task in found] == [ids(mixed)[place] for place in places]
    assert TaskFilter.from_json(wanted.as_json()) == wanted


def test_a_code_is_a_class(operator: User) -> None:
    with pytest.raises(Invalid, match="code"):
        tasks.find(operator, TaskFilter(code=404))


def test_pages_go_through_all_tasks_across_windows(
    operator: User, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "WINDOW_JOBS", 2)
    monkeypatch.setattr(selection, "WINDOWS", 2)
    for count in (3, 1, 4, 1, 5, 1, 1, 1):
        submit([f"https://a.example/{n}" for n in range(count)], JobSpec(), alice)
    every = list(Task.objects.order_by("-job_id", "-id").values_list("id", flat=True))
    for limit in (1, 2, 3, 7):
        seen: list[int] = []
        cursor = None
        while True:
            page = tasks.find(operator, None, cursor, limit)
            assert len(page.items) <= limit
            seen += [task.pk for task in page.items]
            if (cursor := page.next) is None:
                break
        assert seen == every


def test_a_page_that_finds_nothing_for_long_ends_and_says_where_to_go_on(
    operator: User, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "WINDOW_JOBS", 1)
    monkeypatch.setattr(selection, "WINDOWS", 2)
    wanted = submit(["https://rare.example/"], JobSpec(), alice).job
    for _ in range(3):
        submit(["https://a.example/"], JobSpec(), alice)
    page = tasks.find(operator, TaskFilter(host="rare.example"))
    assert page.items == []
    assert page.next
    page = tasks.find(operator, TaskFilter(host="rare.example"), page.next)
    assert [task.job_id for task in page.items] == [wanted.pk]
