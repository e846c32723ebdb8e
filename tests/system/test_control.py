"""Nodes as real processes that are told what to do: killed tasks, drains, pings, new sizes."""

from functools import partial
from itertools import count

import pytest

from hashworld.celery import app
from hashworld.nodes import clock, control, pauses
from hashworld.nodes.errors import NoAnswer
from hashworld.nodes.models import Node, NodeState
from hashworld.tasks import intents, moves, pursuit
from hashworld.tasks.models import Attempt, Job, Kill, Lease, Task, Wanted
from hashworld.tasks.states import State
from tests.chaos.nemesis.kills import KILL_LIMIT
from tests.chaos.stage import Stage
from tests.chaos.verdict import Fate

pytestmark = [pytest.mark.timeout(900), pytest.mark.long]

#: Of every node, in the test of rolling restarts.
RESTARTS = 10


def losses() -> int:
    return Attempt.objects.filter(error="lost").count()


def assert_clean(stage: Stage) -> None:
    verdict = stage.ledger.verdict()
    assert verdict.is_clean, verdict.notes
    assert verdict.ok == stage.ledger.count


def listen(stage: Stage) -> None:
    """Wait until every node hears what it is told; it is ready for work a moment before."""

    def hears(name: str) -> bool:
        try:
            return bool(control.ping(name))
        except NoAnswer:
            return False

    for name in stage.names():
        stage.wait(partial(hears, name), f"an answer of {name}")


def hanging(stage: Stage) -> tuple[int, str]:
    """A page that never answers, being fetched."""
    task_id, url = stage.page("hang", Fate.KILLED)
    stage.wait(lambda: stage.site.waiting(url), "a fetch that hangs")
    return task_id, url


def test_the_fetch_of_a_hanging_target_ends_soon_after_its_kill(stage: Stage) -> None:
    stage.start("one", "scheduler")
    task_id, url = hanging(stage)
    moves.kill([task_id])
    stage.wait(lambda: not stage.site.waiting(url), "the end of the fetch", patience=10)
    stage.wait(lambda: Kill.objects.get().confirmed_at, "its confirmation", patience=10)
    kill = Kill.objects.get()
    assert kill.confirmed_at is not None
    seconds = (kill.confirmed_at - kill.asked_at).total_seconds()
    print(f"cut off and confirmed {seconds:.2f} s after the kill")
    assert seconds <= KILL_LIMIT
    assert kill.fenced_at is None
    assert_clean(stage)


def test_a_kill_of_a_whole_job_reaches_what_runs(stage: Stage) -> None:
    stage.start("one", "scheduler")
    task_id, url = hanging(stage)
    job = Task.objects.get(pk=task_id).job
    intents.ask(job.pk, Wanted.KILL)
    stage.wait(lambda: not stage.site.waiting(url), "the end of the fetch", patience=20)
    stage.wait(lambda: not Job.objects.pursued(), "the end of what was asked")
    assert Task.objects.get(pk=task_id).state == State.KILLED
    assert_clean(stage)


def test_a_kill_that_its_node_could_not_hear_is_obeyed_when_it_is_back(stage: Stage) -> None:
    stage.start("one", "two", "scheduler")
    task_id, url = hanging(stage)
    node = stage.fleet[Lease.objects.get(closed_at=None).node.name]
    stage.freeze(node)
    moves.kill([task_id])
    stage.wait(lambda: Kill.objects.get().fenced_at, "the fence")
    assert Kill.objects.get().confirmed_at is None
    assert stage.site.waiting(url), "nobody could cut it off"
    node.thaw()
    stage.wait(lambda: not stage.site.waiting(url), "the end of the fetch")
    stage.wait(lambda: Kill.objects.get().confirmed_at, "its confirmation")
    assert Task.objects.get(pk=task_id).state == State.KILLED
    assert_clean(stage)


def test_a_node_tells_its_own_figures(stage: Stage) -> None:
    stage.start("one", "two")
    names = sorted(stage.names())
    listen(stage)
    hanging(stage)
    (busy,) = (lease.node.name for lease in Lease.objects.open())
    told = control.ping(busy)
    row = Node.objects.get(name=busy)
    assert (told["node"], told["incarnation"], told["pid"]) == (busy, row.incarnation, row.pid)
    assert (told["in_flight"], told["held"], told["max_tasks"]) == (1, 1, 64)
    assert [reply["node"] for reply in control.ping_all(3)] == names
    # Celery's own way to ask comes by the same door.
    assert app.control.inspect(timeout=3)._request("node_ping", node=busy)


def test_a_node_that_stands_still_is_named(stage: Stage) -> None:
    stage.start("one")
    (node,) = stage.fleet.nodes
    stage.freeze(node)
    with pytest.raises(NoAnswer, match=f"node {node.name} did not answer"):
        control.ping(node.name)
    node.thaw()


def test_a_node_that_is_drained_by_command_stays_and_comes_back_by_command(stage: Stage) -> None:
    stage.start("one", "two", "scheduler")
    listen(stage)
    stage.load(150)
    name = stage.busy_node()
    assert control.drain(name)["draining"]
    stage.wait(lambda: not stage.held(name), "a node that holds nothing")
    assert stage.fleet[name].is_alive()
    assert Node.objects.get(name=name).state == NodeState.DRAINING
    stage.settle()
    after = set(Lease.objects.filter(node__name=name).values_list("pk", flat=True))
    stage.load(60)
    stage.settle()
    assert set(Lease.objects.filter(node__name=name).values_list("pk", flat=True)) == after
    control.resume(name)
    assert Node.objects.get(name=name).state == NodeState.ALIVE
    parts = count()
    stage.wait(
        lambda: stage.load(20) and next(parts) >= 0 and stage.held(name), "work for it again"
    )
    stage.settle()
    assert_clean(stage)
    assert losses() == 0


def test_a_node_takes_more_when_it_is_made_larger(stage: Stage) -> None:
    stage.start("one", "scheduler")
    (name,) = stage.names()
    listen(stage)
    control.set_max_tasks(name, 1)
    urls = [stage.site.url(f"/hang/{n}", n) for n in range(6)]
    stage.ledger.hand_in(urls, Fate.KILLED)
    stage.wait(lambda: any(map(stage.site.waiting, urls)), "a fetch")
    stage.wait(lambda: Node.objects.get(name=name).in_flight == 1, "a beat")
    assert control.ping(name)["in_flight"] == 1
    control.set_max_tasks(name, 32)
    assert Node.objects.get(name=name).max_tasks == 32
    stage.wait(lambda: all(map(stage.site.waiting, urls)), "all fetches at once")
    pursuit.kill_job(Job.objects.get().pk)
    stage.wait(lambda: not any(map(stage.site.waiting, urls)), "their end")
    assert_clean(stage)


def test_the_reaper_and_the_heartbeat_come_when_they_are_called(stage: Stage) -> None:
    stage.start("one", "two")  # without a scheduler, nobody reaps
    listen(stage)
    _, url = stage.page("hang")
    stage.wait(lambda: stage.site.waiting(url), "a fetch that hangs")
    dead = Lease.objects.open().get().node.name
    (alive,) = set(stage.names()) - {dead}
    stage.fleet.retire(dead)
    stage.wait(lambda: Lease.objects.expired(clock.now()).exists(), "a lease that nobody renews")
    assert stage.held(dead)
    control.reap(alive)
    stage.wait(lambda: not stage.held(dead), "a rescue")
    before = Node.objects.get(name=alive).seen_at
    control.beat(alive)
    stage.wait(lambda: Node.objects.get(name=alive).seen_at > before, "a beat")


def test_a_paused_cluster_finishes_what_runs_and_begins_nothing(stage: Stage) -> None:
    stage.start("one", "two", "scheduler")
    stage.load(100)
    stage.busy_node()
    pauses.pause_cluster("maintenance")
    newest = Lease.objects.latest("pk").pk
    stage.wait(lambda: not Lease.objects.open().exists(), "the end of what runs")
    waiting = stage.load(30)
    control.request_beats()
    assert Lease.objects.latest("pk").pk == newest
    assert Task.objects.filter(pk__in=waiting, state=State.WAITING).count() == 30
    pauses.resume_cluster()
    stage.settle()
    assert_clean(stage)
    assert losses() == 0


def test_rolling_restarts_under_load_fail_nothing_and_lose_nothing(stage: Stage) -> None:
    stage.start("one", "two", "scheduler")
    for _ in range(RESTARTS):
        for name in stage.names():
            stage.load(60)
            stage.busy_node()
            assert stage.fleet.drain(name) == 0
            stage.fleet.start(name)
    stage.settle()
    assert_clean(stage)
    assert losses() == 0
    assert not Attempt.objects.filter(task__losses__gt=0).exists()
    assert not Task.objects.filter(state=State.RUNTIME_ERROR).exists()
