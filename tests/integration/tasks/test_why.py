"""Why a task is not running: the cause that is told is the one that dispatch meets."""

from datetime import timedelta

import pytest
from kombu.exceptions import OperationalError as BrokerError

from hashworld.nodes import broker, clock, heartbeat, leadership
from hashworld.nodes import pauses as cluster_pauses
from hashworld.nodes.leadership import Candidate
from hashworld.nodes.models import STUCK, Land, Node, NodeState
from hashworld.tasks import frontier, intents, moves, pauses
from hashworld.tasks.dispatcher import Dispatcher
from hashworld.tasks.models import Host, HostQueue, Job, Kill, Lease, Priority, Task, Wanted
from hashworld.tasks.states import State, Verb
from hashworld.tasks.why import Cause, Reason, why
from tests.integration.console.work import MaxQueries
from tests.integration.tasks import world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def master(transactional_db: None) -> Candidate:
    """A scheduler that leads."""
    candidate = Candidate("scheduler/1")
    assert candidate.run_once()
    return candidate


def told(job: Job, number: int = 0) -> Reason:
    task = Task.objects.filter(job=job).order_by("pk")[number]
    return why(task, clock.now())


def later(seconds: float) -> object:
    return clock.now() + timedelta(seconds=seconds)


def test_what_was_fetched_has_ended(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    world.run()
    world.finish(*map(world.end, world.tasks(job)))
    assert told(job) == (Cause.ENDED, "It was fetched.", "")


def test_what_was_given_up_is_told_with_its_error(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    world.run()
    world.finish(world.end(world.tasks(job)[0], Verb.FAIL, error="connect_timeout"))
    assert told(job)[:2] == (Cause.ENDED, "It was given up after 1 try: connect timeout.")


def test_what_was_killed_has_ended(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    moves.kill([world.tasks(job)[0].pk])
    assert told(job)[:2] == (Cause.ENDED, "It was killed.")


def test_what_runs_is_told_with_its_node(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    world.run()
    assert told(job) == (Cause.RUNNING, "It runs on node one.", "")


def test_what_is_in_queue_is_told_with_its_node(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    world.give()
    assert told(job)[:2] == (
        Cause.IN_QUEUE,
        "It is in the queue of node one, which has not begun with it.",
    )


@pytest.mark.parametrize("state", [State.INQUEUE, State.RUNNING])
def test_a_silent_node_is_told_of_its_tasks(node: Node, state: State) -> None:
    job = world.hand_in("http://a.example/")
    world.give() if state == State.INQUEUE else world.run()
    world.silence(node)
    reason = told(job)
    assert reason.cause == Cause.NODE_SILENT
    assert "Node one, which has it, was last heard of at " in reason.sentence
    assert "another is given it" in reason.remedy


def test_a_paused_host_comes_before_all_else(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    Host.objects.update(paused=True, pause_reason="asked by mail.", next_at=later(60))
    Task.objects.update(due_at=later(60))
    assert told(job) == (
        Cause.HOST_PAUSED,
        "Its host a.example is paused: asked by mail.",
        "Resume the host.",
    )


def test_a_paused_cluster_comes_before_a_paused_job_and_that_before_its_host(node: Node) -> None:
    job = world.hand_in("http://a.example/", name="Pages")
    Host.objects.update(paused=True)
    pauses.pause_job(job.pk, "too many complaints")
    assert told(job)[:2] == (Cause.JOB_PAUSED, "Its job Pages is paused: too many complaints.")
    cluster_pauses.pause_cluster("new disks", "ann")
    assert told(job) == (
        Cause.CLUSTER_PAUSED,
        "The whole cluster was paused by ann: new disks.",
        "Resume the cluster.",
    )
    cluster_pauses.resume_cluster()
    assert told(job).cause == Cause.JOB_PAUSED


def test_a_job_that_was_resumed_brings_its_tasks_back(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    Task.objects.update(lane=None)
    assert told(job).cause == Cause.JOB_RESUMING


def test_what_runs_goes_on_while_all_is_paused(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    world.run()
    pauses.pause_job(job.pk)
    cluster_pauses.pause_cluster()
    assert told(job).cause == Cause.RUNNING


@pytest.mark.parametrize("state", [State.WAITING, State.INQUEUE, State.RUNNING])
def test_a_job_that_is_being_killed_takes_its_tasks_along(node: Node, state: State) -> None:
    job = world.hand_in("http://a.example/")
    if state != State.WAITING:
        world.give() if state == State.INQUEUE else world.run()
    intents.ask(job.pk, Wanted.KILL)
    assert told(job)[:2] == (Cause.JOB_ENDING, "Its job is being killed; its turn comes soon.")


def test_a_kill_that_its_node_has_not_confirmed_is_told(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    world.run()
    moves.kill([world.tasks(job)[0].pk])
    assert "not said yet that its fetch is cut off" in told(job).sentence
    Kill.objects.update(confirmed_at=clock.now())
    assert told(job).sentence == "It was killed."


def test_paused_nodes_are_given_nothing(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    cluster_pauses.pause_node("one", "swap")
    assert told(job)[:2] == (
        Cause.NODES_PAUSED,
        "No node may be given work: one is paused: swap.",
    )
    assert world.give() == []


def test_a_host_waits_for_its_paused_node(node: Node) -> None:
    world.hand_in(*world.pages(3))
    world.run()
    world.node("two")
    job = world.hand_in("http://a.example/last")
    cluster_pauses.pause_node("one", "swap")
    reason = told(job)
    assert reason.cause == Cause.HOLDER_AWAY
    assert "takes nothing new: it is paused: swap." in reason.sentence


def test_a_retry_has_its_time(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    world.run()
    [task] = world.tasks(job)
    world.finish(world.end(task, Verb.RETRY_LATER, error="server_error", delay=90.0))
    due = Task.objects.get().due_at
    assert due is not None
    reason = told(job)
    assert reason.cause == Cause.RETRY_LATER
    assert f"failed (server error); the next is at {due:%H:%M:%S} UTC, in 90 s." in (
        reason.sentence.replace("in 89 s", "in 90 s")
    )


def test_a_host_has_its_limit(node: Node) -> None:
    world.node("two")
    job = world.hand_in(*world.pages(5))
    Host.objects.update(ahead=2)
    world.run()
    reason = told(job, 4)
    assert reason.cause == Cause.HOST_LIMIT
    assert "Its host a.example has 2 tasks out, as many as its limits allow." in reason


def test_a_host_has_its_interval(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    Host.objects.update(min_interval=60, next_at=later(30.5))
    reason = told(job)
    assert reason.cause == Cause.HOST_INTERVAL
    assert "a.example is asked once in 60 s, again at " in reason.sentence
    assert reason.sentence.endswith("UTC, in 30 s.")


def test_without_a_node_nothing_runs(transactional_db: None) -> None:
    job = world.hand_in("http://a.example/")
    assert told(job)[:2] == (Cause.NO_NODE, "No node is alive.")
    assert "make run" in told(job).remedy


def test_a_node_that_drains_takes_nothing(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    heartbeat.drain(node)
    assert told(job)[:2] == (Cause.NO_NODE, "No node is alive but one, which drains.")


def test_a_node_that_is_late_is_given_nothing(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    Node.objects.update(seen_at=later(-12))
    reason = told(job)
    assert reason.cause == Cause.NO_NODE
    assert "No node is on time with its heartbeat; one was last heard of at" in reason.sentence
    assert world.give() == []


def test_a_node_whose_engine_stands_still_is_given_nothing(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    Node.objects.update(tick_age=STUCK)
    assert told(job)[:2] == (
        Cause.NO_NODE,
        "The engine of node one stands still, and no other node is there.",
    )


def test_a_broker_that_is_away_is_told_until_it_has_taken_something(
    node: Node, master: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatcher = Dispatcher()

    def refuse(*_: object) -> int:
        raise BrokerError("away")

    job = world.hand_in("http://a.example/")
    monkeypatch.setattr("hashworld.tasks.dispatcher.dispatch", refuse)
    dispatcher.run_once()
    first = told(job)
    assert first.cause == Cause.BROKER_AWAY
    assert first.sentence.startswith("The broker has not been reached since ")
    dispatcher.run_once()
    assert told(job) == first, "since the first time"
    monkeypatch.setattr("hashworld.tasks.dispatcher.dispatch", lambda *_: 0)
    dispatcher.run_once()
    assert told(job) == first, "nothing was published, so nobody knows"
    monkeypatch.setattr("hashworld.tasks.dispatcher.dispatch", lambda *_: 1)
    dispatcher.run_once()
    assert told(job).cause == Cause.NEXT


def test_a_message_of_the_broker_tells_that_it_is_there(
    node: Node, master: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatcher = Dispatcher()
    monkeypatch.setattr(dispatcher, "nudge", lambda: None)
    monkeypatch.setattr("hashworld.tasks.dispatcher.dispatch", lambda *_: 0)
    job = world.hand_in("http://a.example/")
    broker.lost()
    dispatcher.sweep()
    dispatcher.run_once()
    assert told(job).cause == Cause.NEXT


def test_the_nodes_may_be_full(node: Node) -> None:
    world.hand_in(*world.pages(40))
    Host.objects.update(max_connections=9, ahead=144)
    world.run()
    job = world.hand_in("http://b.example/")
    assert told(job)[:2] == (Cause.NODES_FULL, "The only node is full.")
    assert world.give() == []
    world.node("two", max_tasks=1)
    Node.objects.filter(name="two").update(max_tasks=0)
    assert told(job)[:2] == (Cause.NODES_FULL, "All 2 nodes are full.")


def test_who_is_served_before_is_told_while_the_nodes_are_full(node: Node) -> None:
    world.hand_in(*world.pages(40))
    Host.objects.update(max_connections=9, ahead=144)
    world.run()
    world.hand_in("http://b.example/")
    world.hand_in("http://c.example/", priority=Priority.HIGH)
    world.hand_in("http://d.example/", priority=Priority.LOW)
    job = world.hand_in("http://e.example/")
    HostQueue.objects.filter(host__name="b.example").update(ready_at=later(-60))
    assert told(job).sentence == ("The only node is full, and 2 hosts are served before its own.")


def test_a_host_waits_for_the_node_that_has_it(node: Node) -> None:
    world.hand_in(*world.pages(40))
    Host.objects.update(max_connections=9, ahead=144)
    world.run()
    world.node("two")
    job = world.hand_in("http://a.example/last")
    assert told(job)[:2] == (
        Cause.HOLDER_FULL,
        "Node one, which alone fetches from its host a.example now, is full with 16 tasks.",
    )
    assert world.give() == []


@pytest.mark.parametrize("state", [NodeState.DRAINING, NodeState.ALIVE])
def test_a_host_waits_for_a_node_that_takes_nothing_new(node: Node, state: NodeState) -> None:
    world.hand_in(*world.pages(3))
    world.run()
    world.node("two")
    job = world.hand_in("http://a.example/last")
    if state == NodeState.DRAINING:
        heartbeat.drain(node)
    else:
        world.silence(node)
    reason = told(job)
    assert reason.cause == Cause.HOLDER_AWAY
    word = "draining" if state == NodeState.DRAINING else "dead"
    assert f"a.example, takes nothing new: it is {word}." in reason.sentence
    assert world.give() == []


def test_without_a_master_nothing_is_swept(node: Node) -> None:
    job = world.hand_in("http://a.example/")
    reason = told(job)
    assert reason.cause == Cause.NO_MASTER
    assert "Node one has room, but no scheduler leads" in reason.sentence


def test_a_suspect_is_given_out_with_care(node: Node, master: Candidate) -> None:
    job = world.hand_in("http://a.example/")
    moves.rescue([lease.pk for lease in world.run()])
    reason = told(job)
    assert reason.cause == Cause.SUSPECT
    assert reason.sentence.startswith("Once a node was lost while it ran")


def test_what_came_earlier_on_its_host_goes_first(node: Node, master: Candidate) -> None:
    job = world.hand_in(*world.pages(3))
    Task.objects.filter(pk=world.tasks(job)[0].pk).update(due_at=later(-5))
    assert told(job, 1)[:2] == (
        Cause.BEHIND,
        "On its host a.example 1 task came before it; node one is given those first.",
    )
    assert told(job, 0)[:2] == (Cause.NEXT, "It goes to node one at once.")


def owner_of(host: str) -> Node:
    node = Land.objects.get(pk=Host.objects.get(name=host).land).node
    assert node is not None
    return node


def test_a_host_is_lent_while_the_node_of_its_land_is_full(node: Node, master: Candidate) -> None:
    world.node("two")
    job = world.hand_in("http://a.example/")
    owner = owner_of("a.example")
    other = Node.objects.exclude(pk=owner.pk).get()
    now = clock.now()
    Lease.objects.create(
        node=owner, incarnation="x", size=16, left=16, created_at=now, expires_at=now
    )
    reason = told(job)
    assert reason.cause == Cause.LENT
    assert reason.sentence == (
        f"Node {owner}, which owns land {Host.objects.get().land} of its host, is full,"
        f" so it goes to node {other} at once."
    )
    [lease] = world.give()
    assert lease.node == other


def test_a_host_is_lent_while_the_node_of_its_land_is_gone(node: Node, master: Candidate) -> None:
    world.node("two")
    job = world.hand_in("http://a.example/")
    owner = owner_of("a.example")
    other = Node.objects.exclude(pk=owner.pk).get()
    world.silence(owner)
    reason = told(job)
    assert reason.cause == Cause.LENT
    assert f"is dead, so it goes to node {other} at once" in reason.sentence
    [lease] = world.give()
    assert lease.node == other


def test_a_land_without_an_owner_is_lent(node: Node, master: Candidate) -> None:
    job = world.hand_in("http://a.example/")
    Land.objects.update(node=None)
    reason = told(job)
    assert reason.cause == Cause.LENT
    assert reason.sentence.startswith("No node owns land ")
    assert len(world.give()) == 1


def test_the_node_with_the_land_is_next(node: Node, master: Candidate) -> None:
    world.node("two")
    job = world.hand_in("http://a.example/")
    assert told(job) == (Cause.NEXT, f"It goes to node {owner_of('a.example')} at once.", "")
    [lease] = world.give()
    assert lease.node == owner_of("a.example")


def test_an_answer_costs_a_few_reads(
    node: Node, master: Candidate, django_assert_max_num_queries: MaxQueries
) -> None:
    job = world.hand_in(*world.pages(50))
    frontier.refresh(Host.objects.values_list("pk", flat=True))
    assert leadership.master(clock.now())
    with django_assert_max_num_queries(14):
        told(job, 49)
