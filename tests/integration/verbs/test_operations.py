"""Verbs on everything that matches: each task once, whoever dies, and never more than one may."""

import pytest
from django.contrib.auth.models import User

from hashworld.tasks import moves
from hashworld.tasks.models import Job, Task
from hashworld.tasks.states import State
from hashworld.tasks.submit import submit
from hashworld.verbs import operations
from hashworld.verbs.errors import Conflict, Forbidden, Invalid, NotFound
from hashworld.verbs.filters import TaskFilter
from hashworld.verbs.models import AuditEntry, Operation, OperationState
from tests.integration.console.work import end
from tests.integration.people import Member


def states(job: Job) -> set[int]:
    return set(job.tasks.values_list("state", flat=True))


def run(operation: Operation) -> Operation:
    while operations.carry_out_all():
        pass
    operation.refresh_from_db()
    return operation


def test_all_that_matches_is_killed_and_nothing_else(
    operator: User, hers: Job, his: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "CHUNK", 1)
    asked = operations.start(operator, "kill", TaskFilter(host="a.example"), "enough")
    assert (asked.state, asked.total) == (OperationState.RUNNING, 4)
    assert states(hers) == {State.WAITING}, "nothing is done before it is carried out"
    done = run(asked)
    assert (done.state, done.matched, done.done) == (OperationState.DONE, 3, 3)
    assert done.finished_at
    killed = Task.objects.filter(state=State.KILLED).values_list("host__name", flat=True)
    assert list(killed) == ["a.example"] * 3
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.reason) == ("kill all", "enough")


def test_a_submitter_kills_only_their_own(alice: User, hers: Job, his: Job) -> None:
    run(operations.start(alice, "kill", TaskFilter()))
    assert (states(hers), states(his)) == ({State.KILLED}, {State.WAITING})


def test_jobs_that_come_later_are_not_touched(alice: User, hers: Job) -> None:
    asked = operations.start(alice, "kill", TaskFilter())
    later = submit(["https://a.example/"], owner=alice).job
    run(asked)
    assert (states(hers), states(later)) == ({State.KILLED}, {State.WAITING})


def test_a_retry_without_states_leaves_what_succeeded(alice: User, hers: Job) -> None:
    good, bad, _ = hers.tasks.order_by("id")
    end(good, State.SUCCEED)
    bad.job.refresh_from_db()
    end(bad, State.RUNTIME_ERROR)
    assert run(operations.start(alice, "retry", TaskFilter())).done == 1
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.state, bad.state) == (State.SUCCEED, State.WAITING)


def test_what_ended_is_deleted(alice: User, hers: Job) -> None:
    moves.kill(hers.tasks.values_list("id", flat=True)[:2])
    assert run(operations.start(alice, "delete", TaskFilter(job=hers.pk))).done == 2
    assert states(hers) == {State.WAITING}


def test_a_verb_that_cannot_be_done_to_a_state_is_refused(alice: User, hers: Job) -> None:
    for verb, state in (("kill", State.SUCCEED), ("retry", State.RUNNING), ("delete", State(0))):
        with pytest.raises(Invalid, match="states"):
            operations.start(alice, verb, TaskFilter(states=(state,)))
    with pytest.raises(Invalid, match="verb"):
        operations.start(alice, "paint", TaskFilter())
    assert not Operation.objects.exists()


def test_a_viewer_starts_none(person: Member, hers: Job) -> None:
    with pytest.raises(Forbidden):
        operations.start(person("viewer"), "kill", TaskFilter())


def test_whoever_loses_the_right_on_the_way_does_no_more(
    operator: User, hers: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = operations.start(operator, "kill", TaskFilter())
    operator.groups.clear()
    done = run(asked)
    assert (done.state, done.done) == (OperationState.FAILED, 0)
    assert "permission" in done.failure
    assert states(hers) == {State.WAITING}


def test_two_that_carry_out_the_same_do_no_chunk_twice(
    alice: User, hers: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = operations.start(alice, "kill", TaskFilter())
    stale = Operation.objects.select_related("owner").get(pk=asked.pk)
    run(asked)
    moves.retry(hers.tasks.values_list("id", flat=True))
    monkeypatch.setattr(operations, "_step", lambda _: operations._chunk(stale))
    with pytest.raises(operations.Overtaken):
        operations._chunk(stale)
    assert states(hers) == {State.WAITING}, "its transaction was taken back"


def test_one_is_cancelled_where_it_is(
    alice: User, bob: User, hers: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "CHUNK", 1)
    asked = operations.start(alice, "kill", TaskFilter())
    operations._step(asked.pk)
    with pytest.raises(NotFound):
        operations.cancel(bob, asked.pk)
    assert operations.cancel(alice, asked.pk).state == OperationState.CANCELLED
    assert run(asked).done == 1
    assert hers.tasks.filter(state=State.KILLED).count() == 1
    with pytest.raises(Conflict):
        operations.cancel(alice, asked.pk)


def test_operations_are_told_to_their_owner_and_to_who_sees_all(
    alice: User, bob: User, operator: User, hers: Job
) -> None:
    asked = operations.start(alice, "kill", TaskFilter())
    assert operations.find(bob).items == []
    assert operations.find(operator).items == [asked]
    assert operations.get(alice, asked.pk) == asked
