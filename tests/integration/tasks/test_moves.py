"""Every verb of the table on real rows: what it takes, what it refuses, and what follows."""

from collections.abc import Callable
from datetime import datetime
from itertools import groupby

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import moves, pursuit, transitions
from hashworld.tasks.lanes import SUSPECT
from hashworld.tasks.lifetimes import first_time
from hashworld.tasks.models import Attempt, Host, Job, Lease, Priority, Task
from hashworld.tasks.states import MOVES, TERMINAL, State, Verb
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


def in_state(state: State) -> Task:
    """A task that went its proper way into a state."""
    job = world.hand_in("http://a.example/")
    [task] = world.tasks(job)
    if state == State.INQUEUE:
        world.give()
    elif state != State.WAITING:
        world.run()
        task.refresh_from_db()
        if state == State.KILLED:
            moves.kill([task.pk])
        elif state != State.RUNNING:
            verb = Verb.SUCCEED if state == State.SUCCEED else Verb.FAIL
            world.finish(world.end(task, verb))
    task.refresh_from_db()
    assert task.state == state
    return task


def lease(task: Task) -> None:
    world.lease(Node.objects.get(), task.pk)


def start(task: Task) -> None:
    # Started by hand, so that the lease alone does not refuse.
    Lease.objects.filter(pk=task.lease_id).update(started_at=None, closed_at=None)
    moves.start(task.lease_id or 0, Node.objects.get().incarnation)


def finish(verb: Verb) -> Callable[[Task], object]:
    return lambda task: world.finish(world.end(task, verb)) if task.lease_id else None


ACTS: dict[Verb, Callable[[Task], object]] = {
    Verb.LEASE: lease,
    Verb.START: start,
    Verb.SUCCEED: finish(Verb.SUCCEED),
    Verb.FAIL: finish(Verb.FAIL),
    Verb.RETRY_LATER: finish(Verb.RETRY_LATER),
    Verb.RESCUE: lambda task: moves.rescue([task.lease_id or 0]),
    Verb.RELEASE: lambda task: moves.release([task.lease_id or 0]),
    Verb.KILL: lambda task: moves.kill([task.pk]),
    Verb.RETRY: lambda task: moves.retry([task.pk]),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("verb", ACTS)
def test_a_verb_moves_tasks_in_its_sources_and_no_others(
    node: Node, verb: Verb, state: State
) -> None:
    task = in_state(state)
    ACTS[verb](task)
    move = MOVES[verb]
    expected = move.target if state in move.sources else state
    task.refresh_from_db()
    assert task.state == expected


@pytest.mark.parametrize(
    ("verb", "state"), [(verb, state) for verb in ACTS for state in sorted(MOVES[verb].sources)]
)
def test_the_books_balance_after_every_verb(node: Node, verb: Verb, state: State) -> None:
    ACTS[verb](in_state(state))
    world.check_books()


def test_a_lease_fills_hosts_and_makes_its_node_their_holder(node: Node) -> None:
    world.hand_in(*world.pages(3), *world.pages(2, "b.example"))
    [lease] = world.give()
    assert (lease.size, lease.left) == (5, 5)
    hosts = Host.objects.order_by("name").values_list("name", "out", "holder_id")
    assert list(hosts) == [("a.example", 3, node.pk), ("b.example", 2, node.pk)]


def test_a_host_is_let_go_when_the_last_of_its_tasks_is_back(node: Node) -> None:
    job = world.hand_in(*world.pages(2))
    [lease] = world.run()
    first, second = world.tasks(job)
    world.finish(world.end(first))
    host = Host.objects.get()
    assert (host.out, host.holder_id) == (1, node.pk)
    world.finish(world.end(second))
    host.refresh_from_db()
    lease.refresh_from_db()
    assert (host.out, host.holder_id) == (0, None)
    assert (lease.left, lease.closed_at is None) == (0, False)


def test_a_host_with_an_interval_rests_for_it_once_it_is_let_go(node: Node) -> None:
    job = world.hand_in(*world.pages(2))
    Host.objects.update(min_interval=60, ahead=1)
    [lease] = world.run()
    [task] = world.out(job)
    world.finish(world.end(task))
    host = Host.objects.get()
    assert (host.next_at - lease.created_at).total_seconds() >= 60
    assert world.give() == []
    world.check_books()


def test_two_leases_for_the_same_tasks_take_them_once(node: Node) -> None:
    job = world.hand_in(*world.pages(2))
    ids = [task.pk for task in world.tasks(job)]
    assert world.lease(node, *ids)
    assert not world.lease(node, *ids)
    assert Lease.objects.count() == 1
    world.check_books()


def test_a_task_killed_before_the_lease_is_left_out_of_it(node: Node) -> None:
    job = world.hand_in(*world.pages(2))
    first, second = (task.pk for task in world.tasks(job))
    moves.kill([first])
    [lease] = world.lease(node, first, second)
    assert (lease.size, lease.left) == (1, 1)
    assert Task.objects.get(pk=first).state == State.KILLED
    world.check_books()


def test_a_lease_starts_once(node: Node) -> None:
    world.hand_in(*world.pages(3))
    [lease] = world.give()
    assert len(moves.start(lease.pk, node.incarnation)) == 3
    assert moves.start(lease.pk, node.incarnation) == []


def test_a_message_that_comes_twice_does_not_renew_the_lease(node: Node) -> None:
    world.hand_in("http://a.example/")
    [lease] = world.run()
    world.expire(lease)
    moves.start(lease.pk, node.incarnation)
    assert list(Lease.objects.expired(clock.now())) == [lease]


def test_a_lease_does_not_start_on_another_incarnation(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    [lease] = world.give()
    assert moves.start(lease.pk, "an earlier one") == []
    assert [task.state for task in world.tasks(job)] == [State.INQUEUE]


def test_a_lease_that_was_taken_back_does_not_start(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    [lease] = world.give()
    moves.release([lease.pk])
    assert moves.start(lease.pk, node.incarnation) == []
    assert [task.state for task in world.tasks(job)] == [State.WAITING]
    lease.refresh_from_db()
    assert lease.started_at is None


def test_a_lease_that_nobody_starts_is_up_long_before_a_started_one(node: Node) -> None:
    world.hand_in("http://a.example/")
    [lease] = world.give()
    patience = (lease.expires_at - lease.created_at).total_seconds()
    assert patience == pytest.approx(settings.ENV.lease_seconds / 3, abs=0.1)
    moves.start(lease.pk, node.incarnation)
    lease.refresh_from_db()
    assert lease.started_at is not None
    granted = (lease.expires_at - lease.started_at).total_seconds()
    assert granted == pytest.approx(first_time().total_seconds(), abs=0.1)


def test_starting_renews_the_lease(node: Node) -> None:
    world.hand_in("http://a.example/")
    [lease] = world.give()
    world.expire(lease)
    moves.start(lease.pk, node.incarnation)
    assert not Lease.objects.expired(lease.expires_at).exists()


def test_jobs_and_then_leases_are_written_last_whatever_moves_were_made(node: Node) -> None:
    job = world.hand_in(*world.pages(2))
    world.run()
    [good, bad] = world.tasks(job)
    with CaptureQueriesContext(connection) as queries:
        world.finish(world.end(good), world.end(bad, Verb.RETRY_LATER))
    statements = [query["sql"].split() for query in queries.captured_queries]
    written = [words[1].strip("`") for words in statements if words[0] == "UPDATE"]
    # Each table at last in one go: whoever holds jobs or leases waits for no host.
    order = [table for table, _ in groupby(written)]
    assert order[-2:] == ["tasks_job", "tasks_lease"]
    assert (order.count("tasks_job"), order.count("tasks_lease")) == (1, 1)
    world.check_books()


def test_a_result_under_an_old_lease_writes_nothing(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    [old] = world.run()
    [task] = world.tasks(job)
    stale = world.end(task)
    moves.rescue([old.pk])
    [new] = world.run()
    assert new.pk != old.pk
    before = Task.objects.values().get()
    assert world.finish(stale) == set()
    assert Task.objects.values().get() == before
    assert list(Attempt.objects.values_list("error", flat=True)) == ["lost"]
    world.check_books()


def test_of_two_results_in_one_set_that_of_the_open_lease_counts(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    [old] = world.run()
    [task] = world.tasks(job)
    stale = world.end(task, status=299)
    moves.rescue([old.pk])
    world.run()
    task.refresh_from_db()
    assert world.finish(world.end(task), stale) == {task.pk}
    task.refresh_from_db()
    assert (task.state, task.status) == (State.SUCCEED, 200)
    world.check_books()


@pytest.mark.parametrize("again", [Verb.SUCCEED, Verb.FAIL, Verb.RETRY_LATER])
def test_a_try_ends_once(node: Node, again: Verb) -> None:
    job = world.hand_in("http://a.example/")
    world.run()
    [task] = world.tasks(job)
    assert world.finish(world.end(task)) == {task.pk}
    assert world.finish(world.end(task, again)) == set()
    assert Attempt.objects.count() == 1
    world.check_books()


def test_a_result_of_a_lease_that_never_started_is_refused(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    world.give()
    [task] = world.tasks(job)
    assert world.finish(world.end(task)) == set()


def test_a_try_that_failed_waits_for_its_delay_and_is_counted(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    [lease] = world.run()
    [task] = world.tasks(job)
    world.finish(world.end(task, Verb.RETRY_LATER, delay=3600))
    task.refresh_from_db()
    assert (task.state, task.failures, task.attempts) == (State.WAITING, 1, 1)
    assert (task.lease_id, task.error) == (None, "connect")
    assert task.due_at is not None
    assert 3590 < (task.due_at - lease.created_at).total_seconds() < 3660
    assert world.give() == []


def test_results_of_all_kinds_are_recorded_in_one_set(node: Node) -> None:
    job = world.hand_in(*world.pages(6))
    world.run()
    verbs = [Verb.SUCCEED, Verb.FAIL, Verb.RETRY_LATER] * 2
    ends = [world.end(task, verb) for task, verb in zip(world.tasks(job), verbs, strict=True)]
    ends[0].status, ends[3].status = 200, 206
    assert len(world.finish(*ends)) == 6
    found = [(task.state, task.status, task.error) for task in world.tasks(job)]
    assert found == [
        (State.SUCCEED, 200, ""),
        (State.RUNTIME_ERROR, None, "connect"),
        (State.WAITING, None, "connect"),
        (State.SUCCEED, 206, ""),
        (State.RUNTIME_ERROR, None, "connect"),
        (State.WAITING, None, "connect"),
    ]
    world.check_books()


def test_a_kill_wins_over_a_result_that_comes_after_it(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    world.run()
    [task] = world.tasks(job)
    result = world.end(task)
    assert moves.kill([task.pk]) == 1
    assert world.finish(result) == set()
    task.refresh_from_db()
    assert (task.state, task.error) == (State.KILLED, "killed")
    assert list(Attempt.objects.values_list("error", flat=True)) == ["killed"]
    world.check_books()


def test_a_kill_after_the_result_changes_nothing(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    world.run()
    [task] = world.tasks(job)
    world.finish(world.end(task))
    assert moves.kill([task.pk]) == 0
    task.refresh_from_db()
    assert (task.state, task.error) == (State.SUCCEED, "")
    world.check_books()


def test_a_killed_task_keeps_its_lease_so_that_its_node_can_find_it(node: Node) -> None:
    job = world.hand_in(*world.pages(2))
    [lease] = world.run()
    moves.kill([world.tasks(job)[0].pk])
    assert Task.objects.get(state=State.KILLED).lease_id == lease.pk
    lease.refresh_from_db()
    assert (lease.left, lease.closed_at) == (1, None)


def test_a_killed_job_is_finished_and_nothing_of_it_is_given_out(node: Node) -> None:
    job = world.hand_in(*world.pages(20))
    world.run()
    assert pursuit.kill_job(job.pk) == 20
    job.refresh_from_db()
    assert job.killed == 20
    assert job.finished_at is not None
    assert world.give() == []
    world.check_books()


def test_a_kill_of_a_job_finds_a_task_that_went_back_to_waiting_meanwhile(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = world.hand_in(*world.pages(2))
    world.run()
    running, waiting = world.tasks(job)
    world.finish(world.end(waiting, Verb.RETRY_LATER))
    kill, failed = moves._kill, [world.end(running, Verb.RETRY_LATER)]

    def kill_while_a_try_fails(ids: list[int], asked_at: datetime | None) -> int:
        if failed:
            world.finish(failed.pop())
        return kill(ids, asked_at)

    monkeypatch.setattr(moves, "_kill", kill_while_a_try_fails)
    assert pursuit.kill_job(job.pk) == 2
    assert {task.state for task in world.tasks(job)} == {State.KILLED}


def test_a_lost_task_waits_among_the_suspects(node: Node) -> None:
    job = world.hand_in("http://a.example/", priority=Priority.HIGH)
    [lease] = world.run()
    assert moves.rescue([lease.pk]) == 1
    [task] = world.tasks(job)
    assert (task.state, task.lane, task.losses, task.failures) == (State.WAITING, SUSPECT, 1, 0)
    [attempt] = Attempt.objects.all()
    assert (attempt.error, attempt.lease_id, attempt.node_id) == ("lost", lease.pk, node.pk)


def test_a_task_that_never_started_is_not_suspected(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    [lease] = world.give()
    moves.rescue([lease.pk])
    [task] = world.tasks(job)
    assert (task.state, task.lane, task.losses) == (State.WAITING, Priority.NORMAL, 0)
    assert not Attempt.objects.exists()


def test_a_task_that_took_its_node_down_three_times_is_poison(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    for _ in range(moves.MAX_LOSSES):
        [lease] = world.run()
        moves.rescue([lease.pk])
    [task] = world.tasks(job)
    assert (task.state, task.error, task.losses) == (State.RUNTIME_ERROR, "poison", 3)
    assert task.attempts == 3
    job.refresh_from_db()
    assert job.finished_at is not None
    world.check_books()


def test_the_neighbours_of_a_poisonous_task_come_through(node: Node) -> None:
    job = world.hand_in(*world.pages(8))
    poison = world.tasks(job)[3].pk
    for _ in range(40):
        leases = world.run()
        for lease in leases:
            held = list(Task.objects.filter(lease=lease, state=State.RUNNING))
            if poison in [task.pk for task in held]:
                moves.rescue([lease.pk])
            else:
                world.finish(*map(world.end, held))
        world.check_books()
        if not leases:
            break
    ends = {task.pk: (task.state, task.error) for task in world.tasks(job)}
    assert ends.pop(poison) == (State.RUNTIME_ERROR, "poison")
    assert set(ends.values()) == {(State.SUCCEED, "")}


def test_an_operators_retry_begins_anew(node: Node) -> None:
    job = world.hand_in("http://a.example/", priority=Priority.LOW)
    for _ in range(moves.MAX_LOSSES):
        moves.rescue([lease.pk for lease in world.run()])
    assert moves.retry([world.tasks(job)[0].pk]) == 1
    [task] = world.tasks(job)
    assert (task.state, task.lane) == (State.WAITING, Priority.LOW)
    assert (task.failures, task.losses, task.error, task.lease_id) == (0, 0, "", None)
    assert task.attempts == 3, "the record of earlier tries stays"
    job.refresh_from_db()
    assert job.finished_at is None
    world.run()
    task.refresh_from_db()
    world.finish(world.end(task))
    assert list(Attempt.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3, 4]
    world.check_books()


def test_a_retried_task_forgets_the_content_it_had(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    world.run()
    [task] = world.tasks(job)
    world.finish(world.end(task, content_id=7))
    moves.retry([task.pk])
    task.refresh_from_db()
    assert (task.content_id, task.status, task.finished_at) == (None, None, None)


def test_tasks_of_many_jobs_move_in_one_set(node: Node) -> None:
    jobs = [world.hand_in(*world.pages(3, f"{name}.example")) for name in "abc"]
    world.run()
    world.finish(*(world.end(task) for job in jobs for task in world.out(job)))
    assert list(Job.objects.values_list("succeed", flat=True)) == [3, 3, 3]
    world.check_books()


def test_giving_back_a_lease_counts_as_nothing(node: Node) -> None:
    job = world.hand_in(*world.pages(2))
    [lease] = world.run()
    assert moves.release([lease.pk]) == 2
    for task in world.tasks(job):
        assert (task.state, task.losses, task.failures) == (State.WAITING, 0, 0)
        assert (task.attempts, task.lane) == (0, Priority.NORMAL)
    lease.refresh_from_db()
    assert lease.closed_at is not None


def test_a_state_is_written_only_where_the_move_may_start(node: Node) -> None:
    """The guard of the UPDATE itself, should a move ever be made without its lock."""
    task = in_state(State.SUCCEED)
    assert transitions.write(Verb.FAIL, [task.pk]) == 0
    task.refresh_from_db()
    assert task.state == State.SUCCEED


def test_terminal_states_are_left_by_an_operators_retry_alone() -> None:
    leaving = {verb for verb, move in MOVES.items() if move.sources & TERMINAL}
    assert leaving == {Verb.RETRY}
