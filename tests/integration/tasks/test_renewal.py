"""What a node's renewer renews, lets go of and cuts off, one round at a time."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import moves
from hashworld.tasks.accounts import OPEN
from hashworld.tasks.lifetimes import lease_time
from hashworld.tasks.models import Kill, Lease
from hashworld.tasks.renewal import STILL_LOOKS
from tests.conftest import Footing
from tests.integration.tasks import world
from tests.integration.tasks.desk import Desk, running

pytestmark = pytest.mark.django_db(transaction=True)


class Standstill:
    """In the place of what asks a database that does not answer: it waits until it is over."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.over = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        self.over.wait(30)


@pytest.fixture
def standstill() -> Iterator[Standstill]:
    standstill = Standstill()
    yield standstill
    standstill.over.set()


def test_held_leases_are_renewed(desk: Desk) -> None:
    running(desk)
    lease = Lease.objects.get()
    soon = clock.now() + timedelta(seconds=1)
    Lease.objects.update(expires_at=soon)
    desk.turn(settings.ENV.lease_seconds / 2)
    lease.refresh_from_db()
    assert lease.expires_at > soon + timedelta(seconds=10)


def test_no_lease_is_renewed_for_longer_than_its_nodes_last_beat(desk: Desk) -> None:
    running(desk)
    node = Node.objects.get()
    Node.objects.update(seen_at=node.seen_at - timedelta(seconds=4))
    desk.turn(settings.ENV.lease_seconds / 2)
    node.refresh_from_db()
    assert Lease.objects.get().expires_at - node.seen_at <= lease_time()


def test_leases_are_not_renewed_by_a_node_whose_engine_stands_still(desk: Desk) -> None:
    running(desk)
    before = Lease.objects.get().expires_at
    desk.turning = False
    desk.turn(settings.ENV.lease_seconds / 2)
    assert Lease.objects.get().expires_at == before


def test_a_lease_that_another_took_back_is_let_go_and_its_fetches_cut_off(desk: Desk) -> None:
    _, tasks = running(desk, 2)
    [lease] = Lease.objects.all()
    moves.rescue([lease.pk])
    desk.turn(settings.ENV.lease_seconds / 2)
    assert sorted(desk.cancelled) == [task.pk for task in tasks]
    assert desk.holdings.leases() == []


def test_a_lease_written_by_its_id_waits_for_no_other_open_one(
    desk: Desk, footing: Footing
) -> None:
    if footing == "embedded":
        pytest.skip("SQLite has one lock for all")
    for _ in range(3):
        running(desk)
    ids = ", ".join(map(str, desk.holdings.leases()))
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN UPDATE tasks_lease SET size = size WHERE id IN ({ids}) AND {OPEN}")
        columns = [column[0] for column in cursor.description]
        plan = dict(zip(columns, cursor.fetchone(), strict=True))
    # By the index of what is open it would meet the locks of every open lease.
    assert plan["possible_keys"] == "PRIMARY"


def test_only_the_lost_one_of_two_leases_is_let_go(desk: Desk) -> None:
    running(desk)
    running(desk)
    lost, kept = Lease.objects.order_by("pk")
    moves.rescue([lost.pk])
    before = kept.expires_at
    desk.turn(settings.ENV.lease_seconds / 2)
    assert desk.holdings.leases() == [kept.pk]
    kept.refresh_from_db()
    assert kept.expires_at > before


def test_a_lease_not_renewed_in_time_is_trusted_no_longer(desk: Desk) -> None:
    _, [task] = running(desk)
    desk.turn(settings.ENV.lease_seconds)
    assert desk.cancelled == [task.pk]
    assert desk.holdings.leases() == []


def test_trust_ends_while_the_database_keeps_the_renewer_waiting(
    desk: Desk, standstill: Standstill, monkeypatch: pytest.MonkeyPatch, wait_until: Any
) -> None:
    monkeypatch.setattr(desk.renewer, "_watch", standstill)
    _, [task] = running(desk)  # held since long before this machine's clock began
    monkeypatch.setattr(desk.holdings, "due", lambda now: False)
    desk.renewer.start()
    assert standstill.reached.wait(20)
    wait_until(lambda: desk.cancelled == [task.pk])
    standstill.over.set()
    desk.renewer.stop(timeout=20)


def test_a_node_whose_engine_does_not_turn_any_more_stops(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashworld.tasks.renewal.LOOK_SECONDS", 0.001)
    desk.turning = False
    desk.renewer.start()
    assert desk.failed.wait(20)
    desk.renewer.stop(timeout=20)


def test_an_engine_that_turns_again_is_not_taken_for_stuck(desk: Desk) -> None:
    for _ in range(STILL_LOOKS):
        desk.turning = False
        desk.turn(0.25)
        desk.turning = True
        desk.turn(0.25)
    assert not desk.failed.is_set()


def test_leases_are_renewed_while_the_writer_waits(
    desk: Desk, standstill: Standstill, monkeypatch: pytest.MonkeyPatch, wait_until: Any
) -> None:
    monkeypatch.setattr(desk.writer, "_flush", standstill)
    desk.now = monotonic()
    running(desk)
    Lease.objects.update(expires_at=(soon := clock.now() + timedelta(seconds=1)))
    desk.writer.start()
    desk.renewer.start()
    assert standstill.reached.wait(20)
    wait_until(lambda: Lease.objects.get().expires_at > soon + timedelta(seconds=10))
    standstill.over.set()
    desk.renewer.stop(timeout=20)
    desk.writer.stop(timeout=20)


def test_a_node_whose_renewer_fails_for_another_reason_stops(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(desk.renewer, "_watch", fail)
    desk.renewer.start()
    assert desk.failed.wait(20)
    desk.renewer.stop(timeout=20)


def test_the_renewer_survives_a_database_that_is_away_for_a_while(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, wait_until: Any
) -> None:
    monkeypatch.setattr("hashworld.tasks.renewal.FAILED_SECONDS", 0.01)
    watch, fails = desk.renewer._watch, [OperationalError(2006, "gone") for _ in range(3)]

    def fail_at_first() -> None:
        if fails:
            raise fails.pop()
        watch()

    monkeypatch.setattr(desk.renewer, "_watch", fail_at_first)
    desk.now = monotonic()
    _, [task, _] = running(desk, 2)
    moves.kill([task.pk])
    desk.renewer.start()
    wait_until(lambda: desk.cancelled == [task.pk])
    desk.renewer.stop(timeout=20)
    assert not fails


def test_what_was_killed_is_cut_off_within_two_seconds(desk: Desk) -> None:
    _, tasks = running(desk, 3)
    desk.turn()
    moves.kill([tasks[1].pk])
    desk.turn(2)
    assert desk.cancelled == [tasks[1].pk]
    assert len(desk.holdings) == 2
    desk.turn(2)
    assert desk.cancelled == [tasks[1].pk], "it is told until it is done"
    kill = Kill.objects.get()
    assert kill.confirmed_at is not None
    assert (kill.task_id, kill.number, kill.fenced_at) == (tasks[1].pk, 1, None)
    world.check_books()


def test_a_kill_is_told_again_until_the_engine_has_heard_it(desk: Desk) -> None:
    _, tasks = running(desk, 2)
    desk.turn()
    moves.kill([tasks[0].pk])
    desk.deaf = True
    desk.turn(2)
    assert Kill.objects.get().confirmed_at is None
    desk.deaf = False
    desk.turn(2)
    desk.turn()
    assert desk.cancelled == [tasks[0].pk] * 2
    assert Kill.objects.get().confirmed_at is not None
