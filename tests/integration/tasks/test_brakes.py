"""A cluster and nodes that are paused are leased nothing."""

from collections.abc import Callable
from threading import Thread

import pytest
from django.db import connection, connections, transaction

from hashworld.nodes import pauses
from hashworld.nodes.errors import InvalidValue, UnknownNode
from hashworld.nodes.models import Cluster, Node
from hashworld.tasks import dispatch
from hashworld.tasks.models import Lease
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_paused_cluster_leases_nothing_and_what_runs_goes_on(node: Node) -> None:
    job = world.hand_in(*world.pages(2))
    world.run()
    later = world.hand_in(*world.pages(2))
    assert pauses.pause_cluster("maintenance", by="ada")
    assert world.give() == []
    assert len(world.finish(*map(world.end, world.out(job)))) == 2
    assert pauses.resume_cluster()
    world.give()
    assert len(world.out(later)) == 2
    world.check_books()


def test_a_pause_of_the_cluster_says_who_why_and_since_when(db: None) -> None:
    assert not pauses.cluster().paused
    pauses.pause_cluster("one", by="ada")
    first = pauses.cluster()
    assert not pauses.pause_cluster("two", by="bob")
    second = pauses.cluster()
    assert (second.pause_reason, second.paused_by) == ("two", "bob")
    assert second.paused_at == first.paused_at is not None
    assert pauses.resume_cluster()
    assert not pauses.resume_cluster()
    ended = pauses.cluster()
    assert (ended.pause_reason, ended.paused_by, ended.paused_at) == ("", "", None)
    assert Cluster.objects.count() == 1


def test_a_paused_node_is_leased_nothing_and_its_hosts_are_lent(
    nodes: Callable[[str], Node],
) -> None:
    one, two = nodes("one"), nodes("two")
    assert pauses.pause_node("one", "noisy")
    job = world.hand_in(*(f"http://h{i}.example/" for i in range(10)))
    world.give()
    assert len(world.out(job)) == 10
    assert {lease.node_id for lease in Lease.objects.all()} == {two.pk}
    assert one.lands.exists(), "its lands stay its own"
    assert not pauses.pause_node("one")
    assert pauses.resume_node("one")
    assert not pauses.resume_node("one")


def test_a_node_that_starts_again_is_still_paused(nodes: Callable[[str], Node]) -> None:
    nodes("one")
    pauses.pause_node("one", "noisy")
    nodes("one")
    world.hand_in("http://a.example/")
    assert world.give() == []
    assert Node.objects.get().pause_reason == "noisy"


def test_what_cannot_be_paused_is_named(nodes: Callable[[str], Node]) -> None:
    nodes("one")
    with pytest.raises(UnknownNode, match="no node 'two'"):
        pauses.pause_node("two")
    for act in (pauses.pause_cluster, lambda reason: pauses.pause_node("one", reason)):
        with pytest.raises(InvalidValue, match="reason: it is longer than 200"):
            act("x" * 201)
    assert not pauses.cluster().paused


def test_a_pause_of_the_cluster_overtakes_a_dispatch_that_has_begun(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.hand_in("http://a.example/")
    load, looks = dispatch.load, []

    def paused_after_a_look(now: object) -> object:
        found = load(now)
        looks.append(found)
        if len(looks) == 1:
            pauses.pause_cluster()
        return found

    monkeypatch.setattr(dispatch, "load", paused_after_a_look)
    assert world.give() == []
    assert not Lease.objects.exists()


def test_a_pause_of_the_cluster_returns_once_no_lease_is_under_way(node: Node) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")

    def pause() -> None:
        pauses.pause_cluster()
        connections.close_all()

    pausing = Thread(target=pause)
    with transaction.atomic():
        list(Node.objects.select_for_update())  # as dispatch holds it while it leases
        pausing.start()
        pausing.join(0.5)
        assert pausing.is_alive()
    pausing.join(10)
    assert not pausing.is_alive()
