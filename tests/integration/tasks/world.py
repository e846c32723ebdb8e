"""A small cluster that tests drive by hand, and the laws that its books must always obey."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

from hashworld.nodes import clock, heartbeat, lands
from hashworld.nodes.lands import land_of
from hashworld.nodes.models import Land, Node
from hashworld.tasks import frontier, moves
from hashworld.tasks.accounts import Moved
from hashworld.tasks.attempts import Ended
from hashworld.tasks.dispatch import dispatch
from hashworld.tasks.models import Attempt, Host, HostQueue, Job, Lease, Task
from hashworld.tasks.portion import Due, Portion
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.states import OUT, TERMINAL, State, Verb
from hashworld.tasks.submit import submit

_incarnations = count(1)


class BrokerAway(Exception):
    """What a broker that is away raises here."""


class Postbox:
    """Remembers what was published; takes no more than `takes` leases if that is given."""

    def __init__(self, takes: int | None = None, reachable: bool = True) -> None:
        self.published: list[tuple[int, str]] = []
        self._takes = takes
        self._reachable = reachable

    def reach(self) -> None:
        if not self._reachable:
            raise BrokerAway

    def publish(self, lease_id: int, node: str) -> None:
        if self._takes is not None and len(self.published) >= self._takes:
            raise BrokerAway
        self.published.append((lease_id, node))


def node(name: str, max_tasks: int = 8) -> Node:
    """Let a node join; the lands are shared out anew."""
    joined = heartbeat.join(name, f"incarnation-{next(_incarnations)}", max_tasks)
    heartbeat.ready(joined)
    joined.refresh_from_db()
    lands.make()
    lands.replan()
    return joined


def silence(*nodes: Node) -> None:
    """Let nodes have been silent for a minute."""
    longago = clock.now() - timedelta(minutes=1)
    Node.objects.filter(pk__in=[node.pk for node in nodes]).update(seen_at=longago)


def beat() -> None:
    """Hear of all nodes: a busy machine may take longer for a test than a node may be silent."""
    Node.objects.update(seen_at=clock.now())


def hand_in(*urls: str, **options: Any) -> Job:
    """Submit URLs; a number stands for that many pages of the host a.example."""
    return submit(urls, JobSpec(**options)).job


def pages(number: int, host: str = "a.example") -> list[str]:
    return [f"http://{host}/{i}" for i in range(number)]


def tasks(job: Job) -> list[Task]:
    return list(Task.objects.filter(job=job).order_by("id"))


def out(job: Job) -> list[Task]:
    return [task for task in tasks(job) if task.state in OUT]


def give(*nodes: Node) -> list[Lease]:
    """Dispatch once; the leases that were published."""
    postbox = Postbox()
    dispatch(postbox, [node.pk for node in nodes] or None)
    return list(Lease.objects.filter(pk__in=[i for i, _ in postbox.published]).order_by("pk"))


def lease(node: Node, *task_ids: int) -> list[Lease]:
    """Lease these tasks without asking dispatch."""
    found = Task.objects.filter(pk__in=task_ids).order_by("pk")
    due = [Due(t.pk, t.host_id, t.lane or 0, t.losses, t.job_id) for t in found]
    leases = moves.lease(node, [Portion(due)])
    frontier.refresh(Host.objects.values_list("pk", flat=True))
    return leases


def run(*nodes: Node) -> list[Lease]:
    """Dispatch once and start what was published."""
    leases = give(*nodes)
    for lease in leases:
        moves.start(lease.pk, lease.incarnation)
    return leases


def end(task: Task, verb: Verb = Verb.SUCCEED, **columns: Any) -> Ended:
    """How a task that is out ended, as its node tells it."""
    assert task.lease is not None
    told: dict[str, Any] = {"seconds": 0.1, "status": 200, **columns}
    if verb is not Verb.SUCCEED:
        told = {"error": "connect", **told, "status": None}
    held = Moved._make(getattr(task, name) for name in Moved._fields)
    return Ended(task=held, node_id=task.lease.node_id, verb=verb, **told)


def finish(*ends: Ended) -> set[int]:
    """Record ends; the ids of the tasks whose ends count."""
    return {task_id for _, task_id in moves.finish(ends, clock.now())}


def expire(*leases: Lease) -> None:
    """Let leases have run out a second ago."""
    Lease.objects.filter(pk__in=[lease.pk for lease in leases]).update(
        expires_at=clock.now() - timedelta(seconds=1)
    )


def let_come_due() -> None:
    """Let the time of all that waits have come."""
    Task.objects.filter(state=State.WAITING).update(due_at=clock.now())
    Host.objects.update(next_at=clock.now())
    frontier.refresh(Host.objects.values_list("pk", flat=True))


def check_books() -> None:
    """Every number that is kept must equal what it counts, and every law must hold."""
    found = list(Task.objects.all())
    held = [task for task in found if task.state in OUT]
    for job in Job.objects.all():
        states = Counter(task.state for task in found if task.job_id == job.pk)
        assert job.counts() == {state: states[state] for state in State}, f"counters of {job!r}"
        at_end = not any(states[state] for state in State if state not in TERMINAL)
        assert (job.finished_at is not None) == (job.sealed_at is not None and at_end)
    left = Counter(task.lease_id for task in held)
    for lease in Lease.objects.all():
        assert lease.left == left[lease.pk], f"left of {lease!r}"
        assert (lease.closed_at is not None) == (lease.left == 0), f"closing of {lease!r}"
    holders: dict[int, set[int]] = {}
    for task in held:
        assert task.lease is not None
        holders.setdefault(task.host_id, set()).add(task.lease.node_id)
    out = Counter(task.host_id for task in held)
    for host in Host.objects.all():
        assert host.out == out[host.pk], f"out of {host.name}"
        assert {host.holder_id} - {None} == holders.get(host.pk, set()), f"holder of {host.name}"
        assert host.out <= host.ahead, f"bound of {host.name}"
    for task in found:
        waits = task.state == State.WAITING
        assert (task.due_at is not None) == waits, f"place of {task}"
        seen = waits and not task.job.paused
        # A pause that is not through yet may leave either.
        assert (task.lane is not None) == seen or task.job.parked_to is not None, f"lane of {task}"
        assert task.attempts == Attempt.objects.filter(task=task).count(), f"history of {task}"
        assert (task.finished_at is not None) == (task.state in TERMINAL), f"end of {task}"
    for state in State:
        listed = sorted(task.pk for task in Task.objects.in_state(state))
        assert listed == sorted(task.pk for task in found if task.state == state), f"{state}"
    check_queues()


def check_queues() -> None:
    """What the frontier derived must be what it would derive now."""
    derived = HostQueue.objects.order_by("pk").values_list("pk", "holder", "due_at", "ready_at")
    before = list(derived)
    frontier.refresh(Host.objects.values_list("pk", flat=True))
    assert list(derived.all()) == before


def names(owner: Node) -> Iterator[str]:
    """Hosts whose lands a node owns."""
    lands = dict(Land.objects.values_list("id", "node_id"))
    for i in count():
        if lands[land_of(f"h{i}.example")] == owner.pk:
            yield f"h{i}.example"


def given(lease: Lease) -> list[str]:
    """The URLs of the tasks under a lease."""
    return list(Task.objects.filter(lease=lease).order_by("id").values_list("url", flat=True))
