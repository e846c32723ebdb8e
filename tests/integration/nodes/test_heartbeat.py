"""How a node joins, is heard of, and goes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import psutil
import pytest
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, connections

from hashworld.nodes import clock, heartbeat, identity, pulse
from hashworld.nodes.heartbeat import Heartbeat, NameTaken, Work
from hashworld.nodes.models import STUCK, Node, NodeState, Standing, silence, suspicion
from tests.conftest import WaitUntil

pytestmark = pytest.mark.django_db(transaction=True)


def alive() -> list[str]:
    return list(Node.objects.alive(clock.now()).values_list("name", flat=True))


def join(name: str = "one", incarnation: str = "i1", max_tasks: int = 64) -> Node:
    """A node that has joined and takes work."""
    node = heartbeat.join(name, incarnation, max_tasks)
    heartbeat.ready(node)
    node.refresh_from_db()
    return node


def replaced(node: Node, incarnation: str) -> Node:
    """A node as a later incarnation of it knows itself."""
    return Node(pk=node.pk, name=node.name, incarnation=incarnation)


def pass_by(node: Node, seconds: float) -> None:
    Node.objects.filter(pk=node.pk).update(seen_at=clock.now() - timedelta(seconds=seconds))


@contextmanager
def beating(node: Node, in_flight: int = 0) -> Iterator[None]:
    beats = Heartbeat(node, 0.05, lambda: Work(in_flight))
    beats.start()
    try:
        yield
    finally:
        beats.stop()


def test_the_clock_is_utc_and_does_not_go_back() -> None:
    times = [clock.now() for _ in range(5)]
    assert times == sorted(times)
    assert all(time.utcoffset() == timedelta(0) for time in times)


def test_a_node_that_joins_takes_work_once_it_is_ready() -> None:
    node = heartbeat.join("one", "i1", 64, address="one.i1@rack", queues="node.one,control")
    assert (node.state, node.max_tasks, node.incarnation) == (NodeState.JOINING, 64, "i1")
    assert (node.address, node.queues, node.boot_id) == (
        "one.i1@rack",
        "node.one,control",
        identity.boot_id(),
    )
    assert alive() == []
    heartbeat.ready(node)
    assert alive() == ["one"]


def test_a_node_that_was_drained_before_it_was_ready_stays_so() -> None:
    node = heartbeat.join("one", "i1", 64)
    heartbeat.drain(node)
    heartbeat.ready(node)
    assert Node.objects.get().state == NodeState.DRAINING


def test_a_node_that_joins_again_keeps_its_row_and_has_a_new_incarnation() -> None:
    first = join()
    heartbeat.leave(first)
    again = join("one", "i2", 32)
    assert (again.pk, again.incarnation, again.state) == (first.pk, "i2", NodeState.ALIVE)
    assert alive() == ["one"]


def test_a_node_silent_for_a_leases_length_is_not_alive() -> None:
    node = join()
    pass_by(node, settings.ENV.lease_seconds - 2)
    assert alive() == ["one"]
    pass_by(node, settings.ENV.lease_seconds + 0.1)
    assert alive() == []


@pytest.mark.parametrize("say", [heartbeat.drain, heartbeat.leave])
def test_a_node_that_drains_or_left_is_not_alive(say: Any) -> None:
    say(join())
    assert alive() == []


def test_a_beat_says_what_the_node_is_doing() -> None:
    node = join()
    pass_by(node, 60)
    assert heartbeat.beat(node, Work(7, tick_age=0.25), psutil.Process())
    node.refresh_from_db()
    assert (node.in_flight, node.tick_age) == (7, 0.25)
    assert node.memory_mb > 1
    assert alive() == ["one"]


def test_an_earlier_incarnation_can_say_nothing() -> None:
    old = join()
    join("one", "i2")
    assert not heartbeat.beat(old, Work(9), psutil.Process())
    heartbeat.ready(old)
    heartbeat.drain(old)
    heartbeat.leave(old)
    node = Node.objects.get()
    assert (node.in_flight, node.state) == (0, NodeState.ALIVE)


def test_the_beats_go_on_until_they_are_stopped(wait_until: Any) -> None:
    node = join()
    with beating(node, in_flight=3):
        for _ in range(2):
            pass_by(node, 60)
            wait_until(alive)
        assert Node.objects.get().in_flight == 3
    pass_by(node, 60)
    assert alive() == []


def test_a_beat_does_not_bring_back_a_node_that_left() -> None:
    node = join()
    heartbeat.leave(node)
    Heartbeat(node, 5, Work).run_once()
    assert alive() == []


def test_a_database_that_is_away_does_not_end_the_beats(
    monkeypatch: pytest.MonkeyPatch, wait_until: Any
) -> None:
    node = join()
    beat, fails = heartbeat.beat, [OperationalError(2006, "gone") for _ in range(2)]

    def fail_at_first(*arguments: Any) -> bool:
        if fails:
            raise fails.pop()
        return beat(*arguments)

    monkeypatch.setattr(heartbeat, "beat", fail_at_first)
    pass_by(node, 60)
    with beating(node):
        wait_until(alive)
    assert not fails


def test_no_failure_ends_the_beats(monkeypatch: pytest.MonkeyPatch, wait_until: Any) -> None:
    node = join()
    fails = [OSError(28, "no space left"), InterfaceError(0, ""), ZeroDivisionError("oops")]

    def fail_at_first(*_: Any) -> None:
        if fails:
            raise fails.pop()

    monkeypatch.setattr(pulse, "show", fail_at_first)
    with beating(node):
        wait_until(lambda: not fails)
        pass_by(node, 60)
        wait_until(alive)


def test_who_lately_began_nothing_or_stands_still_is_suspected_while_it_takes_work() -> None:
    node, now = join(), clock.now()
    assert node.standing(now) == Standing.ALIVE
    node.deaf_at = now - silence() + timedelta(seconds=1)
    assert node.standing(now) == Standing.SUSPECTED
    node.state = NodeState.DRAINING
    assert node.standing(now) == Standing.DRAINING
    node.state, node.deaf_at = NodeState.ALIVE, now - silence()
    assert node.standing(now) == Standing.ALIVE
    node.tick_age = STUCK
    assert node.standing(now) == Standing.SUSPECTED


def test_a_new_incarnation_is_not_taken_for_deaf() -> None:
    Node.objects.filter(pk=join().pk).update(deaf_at=clock.now())
    assert join("one", "i2").deaf_at is None


def test_a_process_that_has_lost_its_name_says_so_once_and_is_stopped(
    caplog: pytest.LogCaptureFixture, wait_until: WaitUntil
) -> None:
    stops: list[str] = []
    old = join()
    beats = Heartbeat(old, 0.01, Work, lost=lambda: stops.append("stop"))
    beats.start()
    join("one", "i2")
    wait_until(lambda: stops)
    beats._thread.join(5)
    assert not beats._thread.is_alive()
    assert stops == ["stop"]
    assert caplog.text.count("HASHWORLD_NODE_NAME") == 1


def test_a_node_stands_as_it_said_until_it_falls_silent() -> None:
    node = heartbeat.join("one", "i1", 64)
    env, now = settings.ENV, clock.now()

    def standing(state: NodeState, silent: float) -> Standing:
        node.state, node.seen_at = state, now - timedelta(seconds=silent)
        return node.standing(now)

    for state in (NodeState.JOINING, NodeState.ALIVE, NodeState.DRAINING):
        assert standing(state, 0) == state
        assert standing(state, 2 * env.heartbeat_seconds - 0.1) == state
        assert standing(state, 2 * env.heartbeat_seconds) == Standing.SUSPECTED
        assert standing(state, env.lease_seconds - 0.1) == Standing.SUSPECTED
        assert standing(state, env.lease_seconds) == Standing.DEAD
    assert standing(NodeState.LEFT, 1000) == Standing.LEFT


def test_the_list_of_the_living_and_the_standing_agree() -> None:
    node = join()
    for silent in (0.0, 9.5, 10.5, 14.5, 15.5):
        pass_by(node, silent)
        node.refresh_from_db()
        now = clock.now()
        assert Node.objects.alive(now).exists() == (node.standing(now) != Standing.DEAD)
        assert Node.objects.available(now).exists() == (node.standing(now) == Standing.ALIVE)


@pytest.fixture
def elsewhere(settings: Any) -> Node:
    """A node that was heard of just now, on a machine whose pids mean nothing here."""
    settings.ENV = replace(settings.ENV, heartbeat_seconds=0.3)
    node = join()
    Node.objects.update(boot_id="elsewhere")
    node.refresh_from_db()
    return node


def test_a_name_whose_process_beats_elsewhere_is_not_given_again(elsewhere: Node) -> None:
    with beating(elsewhere), pytest.raises(NameTaken, match="one is the name of a node that is"):
        heartbeat.join("one", "i2", 64)
    assert Node.objects.get().incarnation == "i1"
    assert heartbeat.beat(elsewhere, Work(), psutil.Process())


def test_a_name_whose_process_has_stopped_beating_is_given_again(elsewhere: Node) -> None:
    assert heartbeat.join("one", "i2", 64).incarnation == "i2"
    assert clock.now() >= elsewhere.seen_at + suspicion(), "it was given the time of two beats"


def test_a_name_that_was_given_back_is_free_at_once(elsewhere: Node, settings: Any) -> None:
    settings.ENV = replace(settings.ENV, heartbeat_seconds=60, lease_seconds=120)
    heartbeat.leave(elsewhere)
    assert heartbeat.join("one", "i2", 64).incarnation == "i2"


def test_a_name_given_back_while_it_is_being_watched_is_free(elsewhere: Node) -> None:
    leaving = Thread(target=lambda: (heartbeat.leave(elsewhere), connections.close_all()))
    leaving.start()
    assert heartbeat.join("one", "i2", 64).incarnation == "i2"
    leaving.join()


def test_a_crashed_process_of_this_machine_is_no_clone_however_lately_it_beat(
    settings: Any,
) -> None:
    settings.ENV = replace(settings.ENV, heartbeat_seconds=60, lease_seconds=120)
    node = join()
    with subprocess.Popen([sys.executable, "-c", ""]) as crashed:
        crashed.wait()
    Node.objects.update(pid=crashed.pid)
    assert heartbeat.join("one", "i2", 64).pk == node.pk


def test_a_name_whose_process_still_runs_here_is_not_given_again(settings: Any) -> None:
    settings.ENV = replace(settings.ENV, heartbeat_seconds=0.3)
    node = join()
    Node.objects.update(pid=os.getppid())
    with beating(node), pytest.raises(NameTaken):
        heartbeat.join("one", "i2", 64)


def test_a_name_taken_by_a_faster_one_meanwhile_is_looked_at_again(
    elsewhere: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat.leave(elsewhere)
    now, rivals = clock.now, [elsewhere]

    def be_overtaken() -> datetime:
        if rivals:
            rivals.pop()
            heartbeat.ready(heartbeat.join("one", "faster", 64))
            Node.objects.update(boot_id="elsewhere")
        return now()

    monkeypatch.setattr(clock, "now", be_overtaken)
    with beating(replaced(elsewhere, "faster")), pytest.raises(NameTaken):
        heartbeat.join("one", "slower", 64)
    assert Node.objects.get().incarnation == "faster"


def test_a_node_that_joins_knows_who_it_is_though_another_has_joined_since() -> None:
    heartbeat.leave(join())

    def be_overtaken(execute: Any, sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if sql.startswith("UPDATE") and "joining" in rest[0]:
            execute("UPDATE nodes_node SET incarnation = 'newer'", (), False, rest[-1])
        return result

    with connection.execute_wrapper(be_overtaken):
        node = heartbeat.join("one", "i2", 64)
    assert Node.objects.get().incarnation == "newer"
    assert node.incarnation == "i2"
    assert not heartbeat.beat(node, Work(), psutil.Process())


def test_those_that_start_together_under_one_name_make_one_row_of_one_of_them() -> None:

    def start(number: int) -> Node:
        try:
            return heartbeat.join("one", f"i{number}", 64)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        nodes = list(pool.map(start, range(8)))
    assert Node.objects.count() == 1
    beats = [heartbeat.beat(node, Work(), psutil.Process()) for node in nodes]
    assert beats.count(True) == 1
