"""What is told of the kill of a try that ran: asked, confirmed, fenced."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import kills, moves, retention
from hashworld.tasks.models import Kill, Lease, Task
from hashworld.tasks.reaper import reap, reclaim
from hashworld.tasks.states import State
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


def killed(number: int = 1, of: int = 1) -> list[Task]:
    """The first tasks of a job that runs, killed."""
    job = world.hand_in(*world.pages(of))
    world.run()
    chosen = world.tasks(job)[:number]
    moves.kill([task.pk for task in chosen])
    return chosen


def pair(task: Task) -> tuple[int, int]:
    assert task.lease_id is not None
    return task.lease_id, task.pk


def test_the_kill_of_a_try_that_runs_is_on_record_with_it(node: Node) -> None:
    [task] = killed()
    kill = Kill.objects.get()
    task.refresh_from_db()
    assert (kill.task_id, kill.number, kill.lease_id) == (task.pk, task.attempts, task.lease_id)
    assert kill.asked_at == task.finished_at
    assert (kill.confirmed_at, kill.fenced_at) == (None, None)


@pytest.mark.parametrize("state", [State.WAITING, State.INQUEUE])
def test_what_did_not_run_needs_no_confirmation(node: Node, state: State) -> None:
    job = world.hand_in("http://a.example/")
    if state == State.INQUEUE:
        world.give()
    assert moves.kill([task.pk for task in world.tasks(job)]) == 1
    assert not Kill.objects.exists()


def test_a_kill_that_was_decided_earlier_says_when(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    world.run()
    earlier = clock.now() - timedelta(minutes=1)
    moves.kill([task.pk for task in world.tasks(job)], earlier)
    assert Kill.objects.get().asked_at == earlier


def test_a_node_confirms_only_what_it_names(node: Node) -> None:
    first, second = killed(2, of=3)
    assert kills.unconfirmed(Lease.objects.values_list("pk", flat=True)) == [
        pair(first),
        pair(second),
    ]
    assert kills.confirm({pair(second)}, clock.now()) == 1
    assert kills.unconfirmed([first.lease_id or 0]) == [pair(first)]


def test_a_kill_is_confirmed_once(node: Node) -> None:
    [task] = killed()
    then = clock.now()
    assert kills.confirm({pair(task)}, then) == 1
    assert kills.confirm({pair(task)}, then + timedelta(hours=1)) == 0
    assert Kill.objects.get().confirmed_at == then


def test_a_kill_under_a_lease_that_is_taken_back_is_fenced(node: Node) -> None:
    [task] = killed(1, of=2)
    moves.rescue([task.lease_id or 0])
    assert Kill.objects.get().fenced_at is not None


def test_a_kill_is_fenced_when_its_node_comes_back_under_a_new_incarnation(
    nodes: Callable[[str], Node],
) -> None:
    nodes("one")
    killed(1, of=2)
    reclaim(nodes("one"))
    assert Kill.objects.get().fenced_at is not None


def test_a_kill_that_left_its_lease_nothing_is_fenced_once_the_lease_is_over(node: Node) -> None:
    killed()
    lease = Lease.objects.get()
    assert lease.closed_at is not None
    assert reap().fenced == 0, "its node may still confirm"
    world.expire(lease)
    assert reap().fenced == 1
    assert Kill.objects.get().fenced_at is not None
    assert reap().fenced == 0


def test_an_open_lease_that_has_run_out_is_fenced_by_whoever_takes_it_back(node: Node) -> None:
    killed(1, of=2)
    world.expire(Lease.objects.get())
    assert kills.fence_silent(clock.now()) == 0, "it may still be renewed"
    reap()
    assert Kill.objects.get().fenced_at is not None


def test_a_confirmed_kill_is_not_fenced_afterwards(node: Node) -> None:
    [task] = killed(1, of=2)
    kills.confirm({pair(task)}, clock.now())
    moves.rescue([task.lease_id or 0])
    assert Kill.objects.get().fenced_at is None


def test_a_node_that_comes_back_confirms_what_was_fenced(node: Node) -> None:
    [task] = killed(1, of=2)
    moves.rescue([task.lease_id or 0])
    assert kills.confirm({pair(task)}, clock.now()) == 1
    kill = Kill.objects.get()
    assert kill.fenced_at is not None
    assert kill.confirmed_at is not None


def test_every_kill_of_a_task_has_its_own_record(node: Node) -> None:
    [task] = killed()
    moves.retry([task.pk])
    world.run()
    moves.kill([task.pk])
    assert list(Kill.objects.order_by("number").values_list("number", flat=True)) == [1, 2]


def test_the_record_goes_with_its_task(node: Node) -> None:
    [task] = killed()
    assert retention.delete_tasks([task.pk]) == 1
    assert not Kill.objects.exists()
