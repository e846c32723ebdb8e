"""What the queues of hosts say is what their tasks say."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Thread

import pytest
from django.db import connections, transaction

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import frontier, moves, rows
from hashworld.tasks.frontier import Pair, Queue
from hashworld.tasks.lanes import SUSPECT
from hashworld.tasks.models import Host, HostQueue, Priority, Task
from hashworld.tasks.portion import Due
from hashworld.tasks.states import State, Verb
from hashworld.tasks.submit import submit
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


def queue(lane: int = Priority.NORMAL, host: str = "a.example") -> HostQueue:
    return HostQueue.objects.get(host__name=host, lane=lane)


def refresh() -> None:
    frontier.refresh(Host.objects.values_list("pk", flat=True))


def due(wanted: dict[Pair, int], now: datetime) -> dict[Pair, list[Due]]:
    queues = {
        (queue.host_id, queue.lane): Queue(
            queue.host_id, queue.lane, queue.pk, rows.stamp(queue.due_at), queue.arrivals
        )
        for queue in HostQueue.objects.all()
    }
    return frontier.due(wanted, queues, now)


def test_a_queue_is_ready_since_its_earliest_task_is_due() -> None:
    world.hand_in(*world.pages(2))
    now = clock.now()
    Host.objects.update(next_at=now - timedelta(hours=2))
    Task.objects.filter(url__endswith="/1").update(due_at=now - timedelta(hours=1))
    refresh()
    assert queue().ready_at == Task.objects.get(url__endswith="/1").due_at


def test_a_queue_is_not_ready_before_its_host_may_be_asked_again(node: Node) -> None:
    world.hand_in("http://a.example/")
    later = clock.now() + timedelta(hours=1)
    Host.objects.update(next_at=later)
    refresh()
    assert queue().ready_at == later
    assert frontier.ready(node.pk, clock.now(), 10) == {}
    assert list(frontier.ready(node.pk, later, 10)) == [(queue().host_id, Priority.NORMAL)]


def test_each_lane_has_a_queue_of_its_own(node: Node) -> None:
    world.hand_in("http://a.example/1", priority=Priority.LOW)
    world.hand_in("http://a.example/2", priority=Priority.HIGH)
    moves.rescue([lease.pk for lease in world.run()])
    assert queue(Priority.LOW).ready_at is None
    assert queue(Priority.HIGH).ready_at is None
    assert queue(SUSPECT).ready_at is not None


def pause(_: Node) -> None:
    Host.objects.update(paused=True)
    refresh()


def reach_the_bound(_: Node) -> None:
    Host.objects.update(ahead=1)
    world.give()


def give_all(_: Node) -> None:
    world.give()


def kill_all(_: Node) -> None:
    moves.kill(Task.objects.values_list("pk", flat=True))


@pytest.mark.parametrize("act", [pause, reach_the_bound, give_all, kill_all])
def test_a_queue_is_never_ready_while_nothing_of_it_may_be_given(
    node: Node, act: Callable[[Node], None]
) -> None:
    world.hand_in(*world.pages(2))
    act(node)
    assert queue().ready_at is None


def resume(node: Node) -> None:
    pause(node)
    Host.objects.update(paused=False)
    refresh()


def go_below_the_bound(node: Node) -> None:
    reach_the_bound(node)
    [lease] = node.leases.all()
    moves.start(lease.pk, node.incarnation)
    [task] = Task.objects.filter(state=State.RUNNING)
    world.finish(world.end(task))


def give_back(_: Node) -> None:
    moves.release([lease.pk for lease in world.give()])


def lose_unstarted(_: Node) -> None:
    moves.rescue([lease.pk for lease in world.give()])


def fail_for_now(_: Node) -> None:
    world.run()
    world.finish(*(world.end(task, Verb.RETRY_LATER) for task in Task.objects.all()))


def retry_killed(node: Node) -> None:
    kill_all(node)
    moves.retry(Task.objects.values_list("pk", flat=True))


@pytest.mark.parametrize(
    "act", [resume, go_below_the_bound, give_back, lose_unstarted, fail_for_now, retry_killed]
)
def test_a_queue_is_ready_again_after_whatever_lets_it_be(
    node: Node, act: Callable[[Node], None]
) -> None:
    world.hand_in(*world.pages(2))
    act(node)
    ready_at = queue().ready_at
    assert ready_at is not None
    assert ready_at <= clock.now()
    assert world.give()


def test_the_holder_of_a_host_stands_in_its_queues(node: Node) -> None:
    Host.objects.update(ahead=1)
    world.hand_in(*world.pages(2))
    [lease] = world.give()
    assert queue().holder_id == node.pk
    moves.release([lease.pk])
    assert queue().holder_id is None


def test_of_queues_the_longest_ready_comes_first(node: Node) -> None:
    now = clock.now()
    for name, minutes in [("a", 1), ("b", 3), ("c", 2)]:
        world.hand_in(f"http://{name}.example/")
        due = now - timedelta(minutes=minutes)
        Task.objects.filter(host__name=f"{name}.example").update(due_at=due)
    Host.objects.update(next_at=now - timedelta(hours=1))
    refresh()
    ready = frontier.ready(node.pk, now, 2)
    names = [Host.objects.get(pk=host_id).name for host_id, _ in ready]
    assert names == ["b.example", "c.example"]


def test_higher_lanes_come_first_and_in_each_what_the_node_holds(
    nodes: Callable[..., Node],
) -> None:
    one, two = nodes("one"), nodes("two")
    for name, lane in [("a", 0), ("b", 1), ("c", 1), ("d", 1), ("e", 2)]:
        world.hand_in(f"http://{name}.example/", priority=lane)
    now = clock.now()
    Host.objects.filter(name="c.example").update(holder=one)
    Host.objects.filter(name="d.example").update(holder=two)
    refresh()
    found = [Host.objects.get(pk=pk).name[0] for pk, _ in frontier.ready(one.pk, now, 10)]
    assert found == ["e", "c", "b", "a"]


def test_due_tasks_come_queue_after_queue_each_bounded() -> None:
    world.hand_in(*world.pages(5), *world.pages(5, "b.example"))
    a, b = Host.objects.order_by("name").values_list("pk", flat=True)
    lane = Priority.NORMAL
    found = due({(b, lane): 1, (a, lane): 2}, clock.now())
    assert [(host_id, len(tasks)) for (host_id, _), tasks in found.items()] == [(b, 2), (a, 3)]
    assert len({task.task_id for tasks in found.values() for task in tasks}) == 5


def test_more_queues_than_one_statement_takes_are_read_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frontier, "UNION_CHUNK", 2)
    world.hand_in(*(f"http://h{i}.example/" for i in range(5)))
    queues = dict.fromkeys(HostQueue.objects.values_list("host_id", "lane"), 1)
    found = due(queues, clock.now())
    assert [len(tasks) for tasks in found.values()] == [1] * 5


def test_a_task_that_is_not_due_is_not_found(node: Node) -> None:
    world.hand_in("http://a.example/")
    world.run()
    world.finish(world.end(Task.objects.get(), Verb.RETRY_LATER, delay=60))
    [pair] = HostQueue.objects.values_list("host_id", "lane")
    now: datetime = clock.now()
    assert due({pair: 1}, now) == {pair: []}
    [task] = due({pair: 1}, now + timedelta(seconds=61))[pair]
    assert frontier.dues([task.task_id])[task.task_id] == frontier.later([pair], now)[pair]


def test_two_that_change_a_host_at_once_do_not_leave_its_queue_asleep(node: Node) -> None:
    """One hands in while the other frees hosts; whoever is last has seen what the first did."""
    world.hand_in("http://a.example/0", "http://b.example/0")
    world.run()
    ends = [world.end(task) for task in Task.objects.filter(state=State.RUNNING)]

    def end_all() -> None:
        world.finish(*ends)
        connections.close_all()

    thread = Thread(target=end_all)
    with transaction.atomic():
        submit(["http://b.example/1"])
        thread.start()
        # Time enough for the other to run into what this transaction holds.
        thread.join(timeout=0.5)
    thread.join()
    assert queue(host="b.example").ready_at is not None
    world.check_books()
