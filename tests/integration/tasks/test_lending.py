"""Which node is given which hosts: its lands, what it is lent, and what it leaves to others."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from hashworld.nodes.models import Land, Node, NodeState
from hashworld.tasks import frontier
from hashworld.tasks.dispatch import load
from hashworld.tasks.models import Attempt, Host, Task
from hashworld.tasks.portion import HELD_PER_TASK
from hashworld.tasks.states import State
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_node_takes_the_hosts_of_its_own_lands(nodes: Callable[..., Node]) -> None:
    one, two = nodes("one"), nodes("two")
    urls = [f"http://{next(world.names(node))}/" for node in (one, two)]
    world.hand_in(*urls)
    assert {lease.node.name: world.given(lease) for lease in world.give()} == {
        "one": [urls[0]],
        "two": [urls[1]],
    }
    world.check_books()


def test_a_host_that_is_held_is_given_to_its_holder_alone(nodes: Callable[..., Node]) -> None:
    one, two = nodes("one"), nodes("two")
    name = next(world.names(one))
    world.hand_in(*world.pages(4, name))
    Host.objects.update(ahead=2)
    world.give(one)
    Host.objects.update(ahead=100)
    world.let_come_due()
    # Even when its land moves away, and its holder has no room.
    Land.objects.update(node=two)
    assert world.give(two) == []
    Node.objects.filter(pk=one.pk).update(max_tasks=1)
    assert world.give(two) == []
    Node.objects.filter(pk=one.pk).update(max_tasks=8)
    Land.objects.update(node=one)
    assert [lease.node_id for lease in world.give()] == [one.pk]
    world.check_books()


def test_a_host_that_another_node_came_to_hold_meanwhile_is_left_to_it(
    nodes: Callable[..., Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = nodes("one"), nodes("two")
    world.hand_in(*world.pages(4))
    Land.objects.update(node=None)
    Host.objects.update(ahead=2)
    ready, others = frontier.ready, [two]

    def look_then_be_overtaken(*arguments: Any) -> list[tuple[int, int]]:
        found = ready(*arguments)
        if others:
            world.give(others.pop())
            Host.objects.update(ahead=4)
        return found

    monkeypatch.setattr(frontier, "ready", look_then_be_overtaken)
    assert world.give(one) == []
    assert Host.objects.get().holder_id == two.pk
    assert Host.objects.get().out == 2


def test_a_host_that_is_let_go_goes_back_to_the_owner_of_its_land(
    nodes: Callable[..., Node],
) -> None:
    one, two = nodes("one"), nodes("two")
    job = world.hand_in(*world.pages(2, next(world.names(one))))
    Host.objects.update(ahead=1)
    world.run(one)
    Land.objects.update(node=two)
    world.finish(world.end(world.out(job)[0]))
    assert [lease.node_id for lease in world.give()] == [two.pk]


def test_a_node_lends_its_lands_when_it_has_no_room(nodes: Callable[..., Node]) -> None:
    one, two = nodes("one", max_tasks=1), nodes("two", max_tasks=4)
    found = world.names(one)
    world.hand_in(*(f"http://{next(found)}/" for _ in range(10)))
    assert world.give(two) == [], "the owner has room"
    assert sum(lease.size for lease in world.give(one)) == HELD_PER_TASK
    assert sum(lease.size for lease in world.give(two)) == 4 * HELD_PER_TASK
    world.check_books()


def test_one_dispatch_leaves_no_node_idle_beside_anothers_backlog(
    nodes: Callable[..., Node],
) -> None:
    one, two = nodes("one", max_tasks=4), nodes("two", max_tasks=4)
    found = world.names(one)
    world.hand_in(*(f"http://{next(found)}/" for _ in range(30)))
    world.hand_in(f"http://{next(world.names(two))}/")
    # The owner of the backlog has a little room left, and the other has nothing at all.
    world.run(one)
    world.finish(world.end(Task.objects.filter(state=State.RUNNING)[0]))
    world.give()
    assert load(one.seen_at)[two.pk].room == 0
    world.give()
    assert load(one.seen_at)[one.pk].room == 0


def test_a_load_that_lies_on_the_lands_of_one_node_is_shared_by_all(
    nodes: Callable[..., Node],
) -> None:
    owner, *_ = (nodes(name, max_tasks=4) for name in ("one", "two", "three"))
    found, fetched = world.names(owner), Counter[str]()
    job = world.hand_in(*(f"http://{next(found)}/" for _ in range(120)))
    while leases := world.run():
        world.beat()
        for lease in leases:
            fetched[lease.node.name] += lease.size
        world.check_books()
        world.finish(*map(world.end, world.out(job)))
    assert fetched.total() == 120
    assert all(fetched[name] >= 30 for name in ("one", "two", "three")), fetched


def test_hosts_that_never_run_dry_are_shared_with_a_node_that_idles(
    nodes: Callable[..., Node],
) -> None:
    owner, other = nodes("one", max_tasks=8), nodes("two", max_tasks=8)
    found = world.names(owner)
    hosts = [next(found) for _ in range(6)]
    job = world.hand_in(*(f"http://{host}/{page}" for page in range(20) for host in hosts))
    while Task.objects.exclude(state=State.SUCCEED).exists():
        world.beat()
        world.run()
        world.finish(*map(world.end, world.out(job)[::2]))
    assert Attempt.objects.filter(node=other).count() > 30, "no host ran dry by itself for long"
    world.check_books()


def test_nodes_hold_equally_many_hosts_when_one_has_more_than_it_can_take(
    nodes: Callable[..., Node],
) -> None:
    one, two = nodes("one", max_tasks=8), nodes("two", max_tasks=8)
    of_one, of_two = world.names(one), world.names(two)
    hosts = [*(next(of_one) for _ in range(6)), *(next(of_two) for _ in range(2))]
    job = world.hand_in(*(f"http://{host}/{page}" for page in range(40) for host in hosts))
    Host.objects.update(ahead=4)
    for _ in range(12):
        world.finish(*map(world.end, world.out(job)[::2]))
        world.beat()
        world.run(two)
        world.run(one)
    assert [Host.objects.filter(holder=node).count() for node in (one, two)] == [4, 4]
    world.check_books()


def test_what_a_node_leaves_to_an_idle_one_is_given_in_the_same_dispatch(
    nodes: Callable[..., Node],
) -> None:
    owner, other = nodes("one", max_tasks=8), nodes("two", max_tasks=8)
    found = world.names(owner)
    hosts = [next(found) for _ in range(4)]
    world.hand_in(*(f"http://{host}/{page}" for page in range(5) for host in hosts))
    given_to = Counter({lease.node_id: lease.size for lease in world.give(owner)})
    assert given_to == {owner.pk: 10, other.pk: 10}
    world.check_books()


def test_a_single_host_stays_with_the_node_that_has_it(nodes: Callable[..., Node]) -> None:
    owner, _ = nodes("one", max_tasks=8), nodes("two", max_tasks=8)
    job = world.hand_in(*world.pages(100, next(world.names(owner))))
    while Task.objects.exclude(state=State.SUCCEED).exists():
        world.beat()
        assert {lease.node_id for lease in world.run()} <= {owner.pk}
        world.finish(*map(world.end, world.out(job)[::2]))


def test_a_host_comes_to_the_owner_of_its_land_though_its_holder_never_runs_dry(
    nodes: Callable[..., Node],
) -> None:
    owner, other = nodes("one", max_tasks=4), nodes("two", max_tasks=4)
    host = next(world.names(owner))
    Node.objects.filter(pk=owner.pk).update(state=NodeState.DRAINING)
    world.hand_in(*(f"http://{host}/{number}" for number in range(40)))
    [lent] = world.run(other)
    Node.objects.filter(pk=owner.pk).update(state=NodeState.ALIVE)
    first, *rest = Task.objects.filter(lease=lent)
    world.finish(world.end(first))
    assert world.give(other) == [], "the owner is idle"
    assert world.give(owner) == [], "its holder has it still"
    world.finish(*map(world.end, rest))
    assert [lease.node_id for lease in world.give()] == [owner.pk]
    world.check_books()


def test_the_hosts_of_a_silent_node_go_to_others_at_once(nodes: Callable[..., Node]) -> None:
    one, two = nodes("one"), nodes("two")
    world.hand_in(f"http://{next(world.names(one))}/")
    world.silence(one)
    assert [lease.node_id for lease in world.give()] == [two.pk]
