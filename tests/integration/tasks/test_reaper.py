"""What the dead, the frozen and the cut-off hold comes back, and nothing else does."""

from collections.abc import Callable
from datetime import timedelta

import psutil
import pytest
from celery.signals import beat_init

from hashworld.nodes import clock, heartbeat
from hashworld.nodes.heartbeat import Work
from hashworld.nodes.models import Node
from hashworld.tasks import moves, pursuit, reaper, worker
from hashworld.tasks.models import Lease
from hashworld.tasks.reaper import KEEP_CLOSED, Reaped, reap, reclaim
from hashworld.tasks.states import State
from tests.conftest import WaitUntil
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_tasks_of_an_expired_lease_wait_again(node: Node) -> None:
    job = world.hand_in(*world.pages(2))
    [lease] = world.run()
    world.expire(lease)
    assert reap() == Reaped(leases=1, tasks=2)
    assert {task.state for task in world.tasks(job)} == {State.WAITING}
    lease.refresh_from_db()
    assert lease.closed_at is not None
    world.check_books()


def test_a_lease_whose_message_was_lost_comes_back_unsuspected(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    world.expire(*world.give())
    reap()
    [task] = world.tasks(job)
    assert (task.state, task.losses) == (State.WAITING, 0)


def test_a_lease_in_its_time_is_left_alone(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    world.run()
    assert reap() == Reaped()
    assert [task.state for task in world.tasks(job)] == [State.RUNNING]


def test_a_lease_renewed_since_it_was_found_expired_is_left_alone(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = world.hand_in("http://a.example/")
    [lease] = world.run()
    world.expire(lease)
    rescue = moves.rescue

    def renew_then_rescue(lease_ids: list[int], **options: bool) -> int:
        Lease.objects.update(expires_at=clock.now() + timedelta(seconds=15))
        return rescue(lease_ids, **options)

    monkeypatch.setattr(moves, "rescue", renew_then_rescue)
    reap()
    assert [task.state for task in world.tasks(job)] == [State.RUNNING]
    world.check_books()


def test_two_reapers_at_once_count_one_loss(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    [lease] = world.run()
    world.expire(lease)
    reap()
    assert moves.rescue([lease.pk]) == 0
    assert world.tasks(job)[0].losses == 1
    world.check_books()


def test_more_leases_than_one_transaction_takes_all_come_back(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "CHUNK", 2)
    job = world.hand_in(*(f"http://h{i}.example/" for i in range(5)))
    for _ in range(5):
        Node.objects.update(max_tasks=1)
        world.expire(*world.give())
        Node.objects.update(max_tasks=8)
    world.give()
    world.expire(*Lease.objects.open())
    reap()
    assert {task.state for task in world.tasks(job)} == {State.WAITING}
    assert not Lease.objects.open().exists()
    world.check_books()


def test_an_expired_lease_whose_tasks_were_all_killed_is_closed(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    [lease] = world.run()
    pursuit.kill_job(job.pk)
    world.expire(lease)
    reap()
    assert not Lease.objects.open().exists()


def test_a_node_that_starts_again_takes_back_what_it_held(nodes: Callable[..., Node]) -> None:
    nodes("one")
    nodes("other")
    job = world.hand_in(*(f"http://h{i}.example/" for i in range(10)))
    world.run()
    again = nodes("one")
    mine = Lease.objects.open().filter(node=again)
    held = sum(mine.values_list("left", flat=True))
    assert reclaim(again) == held > 0
    assert not mine.exists()
    assert len(world.out(job)) == 10 - held
    world.check_books()


def test_a_node_that_starts_leaves_its_own_new_leases_alone(node: Node) -> None:
    world.hand_in("http://a.example/")
    world.run()
    assert reclaim(node) == 0
    assert Lease.objects.open().count() == 1


def test_a_zombie_can_neither_start_nor_finish_what_its_successor_took_back(
    nodes: Callable[..., Node],
) -> None:
    zombie = nodes("one")
    job = world.hand_in(*world.pages(2))
    world.run()
    results = [world.end(task) for task in world.tasks(job)]
    again = nodes("one")
    reclaim(again)
    assert world.finish(*results) == set()
    leases = world.give()
    assert leases
    assert all(moves.start(lease.pk, zombie.incarnation) == [] for lease in leases)
    assert not heartbeat.beat(zombie, Work(), psutil.Process())
    world.check_books()


def test_closed_leases_are_kept_for_a_day(node: Node) -> None:
    world.hand_in(*world.pages(2))
    moves.release([lease.pk for lease in world.give()])
    reap()
    assert Lease.objects.count() == 1
    Lease.objects.update(closed_at=clock.now() - KEEP_CLOSED - timedelta(seconds=1))
    reap()
    assert not Lease.objects.exists()


@pytest.mark.parametrize(("leads", "left"), [(True, State.WAITING), (False, State.RUNNING)])
def test_the_master_reaps_without_any_message(
    node: Node,
    monkeypatch: pytest.MonkeyPatch,
    wait_until: WaitUntil,
    leads: bool,
    left: State,
) -> None:
    job = world.hand_in("http://a.example/")
    world.expire(*world.run())
    asked: list[bool] = []
    monkeypatch.setattr(reaper, "EVERY", 0.01)
    thread = reaper.rounds(lambda: asked.append(leads) or leads)  # type: ignore[func-returns-value]
    thread.start()
    wait_until(lambda: len(asked) >= 2)
    thread.stop()
    assert [task.state for task in world.tasks(job)] == [left]


def test_every_scheduler_process_is_ready_to_reap(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    monkeypatch.setattr(reaper, "start", lambda: begun.append(1))
    assert worker.begin_reaping in [receiver() for _, receiver, *_ in beat_init.receivers]
    worker.begin_reaping(sender=None)  # the signal itself would make this process a candidate
    assert begun == [1]
