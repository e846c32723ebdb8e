"""Who is given what, how much of it, and what happens when the giving goes wrong."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from threading import Barrier, Thread
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from hashworld.nodes import clock, heartbeat
from hashworld.nodes.models import STUCK, Land, Node, silence
from hashworld.tasks import dispatch as dispatching
from hashworld.tasks import dispatcher, frontier, moves, pursuit, reaper, worker
from hashworld.tasks.dispatch import LEASE_SIZE, dispatch, load
from hashworld.tasks.lanes import SUSPECT
from hashworld.tasks.lifetimes import start_time
from hashworld.tasks.models import Host, Job, Lease, Priority, Task
from hashworld.tasks.portion import HELD_PER_TASK, STARTS
from hashworld.tasks.states import State, Verb
from hashworld.tasks.submit import submit
from tests.integration.tasks import world
from tests.integration.tasks.world import BrokerAway, Postbox

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_due_is_leased_and_published_to_its_node(node: Node, postbox: Postbox) -> None:
    job = world.hand_in(*world.pages(3))
    assert dispatch(postbox) == 3
    [(lease_id, name)] = postbox.published
    assert name == node.name
    assert [task.lease_id for task in world.tasks(job)] == [lease_id] * 3
    world.check_books()


def test_a_lease_whose_making_took_long_has_its_time_from_the_end_of_that(
    node: Node, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = moves.lease

    def make_slowly(*arguments: Any) -> list[Lease]:
        leases = make(*arguments)
        world.expire(*leases)
        return leases

    hours = count(step=3600)
    monkeypatch.setattr(moves, "lease", make_slowly)
    monkeypatch.setattr(dispatching, "monotonic", lambda: float(next(hours)))
    world.hand_in(*world.pages(1))
    dispatch(postbox)
    assert Lease.objects.get().expires_at > clock.now() + start_time() * 0.9


def test_a_sweep_keeps_no_thread_from_starting_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    nudged = []
    monkeypatch.setattr(dispatcher, "sweep", lambda: nudged.append(True))
    worker.dispatch_sweep()
    assert nudged == [True]


def test_a_node_that_does_not_keep_up_with_starting_is_given_nothing(node: Node) -> None:
    for number in range(STARTS):
        world.hand_in(f"http://a.example/{number}")
        assert len(world.give()) == 1
    world.hand_in("http://b.example/")
    assert not world.give()
    assert not world.give(node)
    moves.start(Lease.objects.earliest("pk").pk, node.incarnation)
    assert len(world.give()) == 1


def test_with_nothing_due_nothing_is_published(node: Node, postbox: Postbox) -> None:
    assert dispatch(postbox) == 0
    assert postbox.published == []


def test_higher_priority_goes_first_then_the_longer_ready(node: Node) -> None:
    Node.objects.update(max_tasks=1)
    world.hand_in("http://a.example/", priority=Priority.LOW)
    world.hand_in("http://b.example/", priority=Priority.NORMAL)
    world.hand_in("http://c.example/", priority=Priority.NORMAL)
    world.hand_in("http://d.example/", priority=Priority.HIGH)
    rounds: list[set[str]] = []
    while leases := world.run():
        rounds.append({url[7] for lease in leases for url in world.given(lease)})
        world.finish(*map(world.end, Task.objects.filter(state=State.RUNNING)))
    assert rounds == [{"d", "b"}, {"c", "a"}]


def test_a_node_is_given_no_more_than_it_can_soon_fetch(nodes: Callable[..., Node]) -> None:
    node = nodes("one", max_tasks=4)
    world.hand_in(*(f"http://h{i}.example/" for i in range(30)))
    world.give()
    assert load(node.seen_at)[node.pk].out == 4 * HELD_PER_TASK
    assert world.give() == []
    world.check_books()


def test_freed_room_is_filled_again(nodes: Callable[..., Node]) -> None:
    nodes("one", max_tasks=1)
    job = world.hand_in(*world.pages(5))
    world.run()
    world.finish(world.end(world.out(job)[0]))
    assert [lease.size for lease in world.run()] == [1]


def test_a_host_has_no_more_tasks_out_than_its_bound(node: Node) -> None:
    world.hand_in(*world.pages(10), *world.pages(3, "b.example"))
    Host.objects.filter(name="a.example").update(ahead=2)
    world.give()
    world.give()
    assert dict(Host.objects.values_list("name", "out")) == {"a.example": 2, "b.example": 3}
    world.check_books()


def test_the_bound_of_a_host_holds_for_its_lanes_together(node: Node) -> None:
    world.hand_in(*world.pages(3), priority=Priority.HIGH)
    world.hand_in(*world.pages(3), priority=Priority.LOW)
    Host.objects.update(ahead=4)
    world.give()
    assert Host.objects.get().out == 4
    assert Task.objects.filter(lane=Priority.HIGH, state=State.WAITING).count() == 0


def test_hosts_share_a_nodes_room(nodes: Callable[..., Node]) -> None:
    nodes("one", max_tasks=3)
    world.hand_in(*world.pages(100), *world.pages(2, "b.example"), *world.pages(2, "c.example"))
    world.give()
    assert dict(Host.objects.values_list("name", "out")) == {
        "a.example": 2,
        "b.example": 2,
        "c.example": 2,
    }


def test_no_lease_is_larger_than_its_bound(
    nodes: Callable[..., Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "LEASE_SIZE", 4)
    nodes("one", max_tasks=5)
    world.hand_in(*(f"http://h{i}.example/" for i in range(10)))
    assert [lease.size for lease in world.give()] == [4, 4, 2]
    assert LEASE_SIZE > 4


def test_a_small_job_does_not_wait_for_the_large_one_of_another_owner(
    nodes: Callable[..., Node],
) -> None:
    nodes("one", max_tasks=4)
    large, small = (User.objects.create_user(name) for name in ("large", "small"))
    submit([f"http://h{i}.example/{page}" for i in range(40) for page in range(2)], owner=large)
    job = submit([f"http://s{i}.example/" for i in range(4)], owner=small).job
    world.give()
    assert {task.state for task in world.tasks(job)} == {State.INQUEUE}
    assert Task.objects.filter(state=State.INQUEUE).count() == 4 * HELD_PER_TASK
    world.check_books()


def test_a_node_that_missed_two_heartbeats_is_given_nothing(node: Node) -> None:
    world.hand_in("http://a.example/")
    late = timedelta(seconds=2 * settings.ENV.heartbeat_seconds)
    Node.objects.update(seen_at=clock.now() - late)
    assert world.give() == []
    Node.objects.update(seen_at=clock.now() - late * 0.8)
    assert [lease.node_id for lease in world.give()] == [node.pk]


def test_a_node_whose_engine_stands_still_is_given_nothing(node: Node) -> None:
    world.hand_in("http://a.example/")
    Node.objects.update(tick_age=STUCK)
    assert not world.give()
    Node.objects.update(tick_age=0)
    assert world.give()


def test_what_a_node_does_not_begin_goes_to_another(nodes: Callable[..., Node]) -> None:
    one, two = nodes("one"), nodes("two")
    world.hand_in(f"http://{next(world.names(one))}/")
    [lease] = world.give()
    assert lease.node == one
    world.expire(lease)
    reaper.reap()
    assert [lease.node for lease in world.give()] == [two]


def test_a_node_that_began_nothing_is_tried_again_later(nodes: Callable[..., Node]) -> None:
    one, _ = nodes("one"), nodes("two")
    Node.objects.filter(pk=one.pk).update(deaf_at=clock.now() - silence())
    world.hand_in(f"http://{next(world.names(one))}/")
    assert [lease.node for lease in world.give()] == [one]


def test_when_no_node_began_what_it_was_given_all_are_tried_again(node: Node) -> None:
    world.hand_in("http://a.example/")
    world.expire(*world.give())
    reaper.reap()
    assert Node.objects.get().is_deaf(clock.now())
    assert len(world.give()) == 1


def test_a_node_that_lost_what_it_had_begun_is_not_taken_for_deaf(node: Node) -> None:
    world.hand_in("http://a.example/")
    world.expire(*world.run())
    reaper.reap()
    assert Node.objects.get().deaf_at is None


def test_a_node_that_drains_is_given_nothing(node: Node) -> None:
    world.hand_in("http://a.example/")
    heartbeat.drain(node)
    assert world.give() == []


def test_a_node_that_drained_since_it_was_looked_at_is_given_nothing(
    node: Node, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.hand_in("http://a.example/")
    monkeypatch.setattr(postbox, "reach", lambda: heartbeat.drain(node))
    assert dispatch(postbox) == 0


def test_nothing_is_leased_while_the_broker_cannot_be_reached(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    with pytest.raises(BrokerAway):
        dispatch(Postbox(reachable=False))
    assert not Lease.objects.exists()
    assert [task.state for task in world.tasks(job)] == [State.WAITING]


def test_what_the_broker_did_not_take_waits_again_at_once(
    nodes: Callable[..., Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "LEASE_SIZE", 2)
    nodes("one")
    job = world.hand_in(*world.pages(6))
    with pytest.raises(BrokerAway):
        dispatch(Postbox(takes=1))
    states = [task.state for task in world.tasks(job)]
    assert states.count(State.INQUEUE) == 2
    assert states.count(State.WAITING) == 4
    assert Lease.objects.open().count() == 1
    assert not any(task.losses or task.attempts for task in world.tasks(job))
    world.check_books()
    assert sum(lease.size for lease in world.give()) == 4


def test_a_task_killed_between_choosing_and_leasing_is_not_given(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = world.hand_in(*world.pages(2))
    chosen, killed = frontier.due, world.tasks(job)[0].pk

    def choose_then_kill(*arguments: object) -> object:
        found = chosen(*arguments)  # type: ignore[arg-type]
        moves.kill([killed])
        return found

    monkeypatch.setattr(frontier, "due", choose_then_kill)
    [lease] = world.give()
    assert lease.size == 1
    assert Task.objects.get(pk=killed).state == State.KILLED
    # The queue changed after it was read, so it was left as it was; the next pass finds out.
    assert not world.give()
    world.check_books()


def test_two_dispatches_at_once_give_no_task_twice(nodes: Callable[..., Node]) -> None:
    nodes("one", max_tasks=10)
    nodes("two", max_tasks=10)
    job = world.hand_in(*(f"http://h{i}.example/" for i in range(60)))
    boxes, meet = [Postbox(), Postbox()], Barrier(2)

    def give(box: Postbox) -> None:
        meet.wait(10)
        dispatch(box)
        connections.close_all()

    threads = [Thread(target=give, args=(box,)) for box in boxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    published = [lease_id for box in boxes for lease_id, _ in box.published]
    assert len(published) == len(set(published))
    given = sum(Lease.objects.filter(pk__in=published).values_list("size", flat=True))
    assert 0 < given == len(world.out(job)) <= 40
    world.check_books()


def test_two_dispatches_at_once_keep_to_a_hosts_bound_and_one_holder(
    nodes: Callable[..., Node],
) -> None:
    nodes("one", max_tasks=10)
    nodes("two", max_tasks=10)
    world.hand_in(*world.pages(50))
    Host.objects.update(ahead=5)
    Land.objects.update(node=None)
    meet = Barrier(2)

    def give(node: Node) -> None:
        meet.wait(10)
        dispatch(Postbox(), [node.pk])
        connections.close_all()

    threads = [Thread(target=give, args=(node,)) for node in Node.objects.all()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Host.objects.get().out == 5
    world.check_books()


def test_a_task_that_was_lost_twice_is_alone_on_its_node(nodes: Callable[..., Node]) -> None:
    node = nodes("one")
    job = world.hand_in(*world.pages(2), "http://b.example/")
    Task.objects.filter(url="http://b.example/").update(losses=2, lane=3)
    frontier.open_lanes([(Host.objects.get(name="b.example").pk, 3)])
    world.let_come_due()
    [lease] = world.run()
    assert (lease.size, lease.suspicion) == (1, 2)
    assert load(node.seen_at)[node.pk].room == 0
    assert world.give() == [], "it has the node to itself"
    world.finish(world.end(Task.objects.get(lease=lease)))
    assert [lease.size for lease in world.give()] == [2]
    assert len(world.out(job)) == 2


@pytest.mark.parametrize("owner", [0, 1])
def test_a_task_that_was_lost_twice_finds_a_node_whoever_owns_its_land(
    nodes: Callable[..., Node], owner: int
) -> None:
    both = [nodes("one"), nodes("two")]
    host = next(world.names(both[owner]))
    job = world.hand_in(f"http://{host}/")
    Task.objects.update(losses=2, lane=SUSPECT)
    frontier.open_lanes([(Host.objects.get(name=host).pk, SUSPECT)])
    world.let_come_due()
    world.give()
    assert len(world.out(job)) == 1


def test_a_queue_that_proves_empty_is_not_looked_at_again(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    pursuit.kill_job(job.pk)
    # As if a crash had come between a change of tasks by hand and their queue's refreshing.
    host = Host.objects.get()
    host.hostqueue_set.update(ready_at=host.next_at)
    world.give()
    assert not host.hostqueue_set.exclude(ready_at=None).exists()


def test_the_statements_of_a_dispatch_do_not_grow_with_the_backlog(node: Node) -> None:
    def statements(backlog: int) -> int:
        submit(f"http://h{i % 40}.example/{i}" for i in range(backlog))
        with CaptureQueriesContext(
            connection,
        ) as captured:
            world.give()
        moves.release(list(Lease.objects.open().values_list("pk", flat=True)))
        pursuit.kill_job(Job.objects.latest("id").pk)
        return len(captured)

    statements(20)
    few, many = statements(40), statements(5_000)
    assert many <= few + 2


def test_a_try_that_failed_is_given_again_to_any_node_once_it_is_due(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    world.run()
    world.finish(world.end(world.tasks(job)[0], Verb.RETRY_LATER, delay=0))
    assert [lease.size for lease in world.give()] == [1]
