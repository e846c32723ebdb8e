"""Giving due tasks to nodes with room.

For one node at a time: hosts that it holds or that nobody holds, by lane and then the longest
ready; of the free ones those of its own lands, and those whose node has no room for them. What is
chosen goes under leases; their ids are published after the commit. The cost of a pass follows
the room of the node and not the backlog (docs/design.md).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, NamedTuple, Protocol

from hashworld.nodes import clock
from hashworld.nodes.models import Land, Node
from hashworld.tasks import frontier, moves, parking, rows
from hashworld.tasks.frontier import Pair, Queue
from hashworld.tasks.lifetimes import start_time
from hashworld.tasks.models import SUSPECT, Host, Lease
from hashworld.tasks.portion import ALONE, Due, Load, portions, share
from hashworld.transaction import retried

#: The most tasks of one lease.
LEASE_SIZE = 512
#: The part of the time in which a lease must be started that making it may take.
TOO_SLOW = 0.1


class Publisher(Protocol):
    """What carries lease ids to the nodes."""

    def reach(self) -> None:
        """Raise when the broker cannot be reached, so that nothing is leased in vain."""

    def publish(self, lease_id: int, node: str) -> None:
        """Hand a lease to its node's queue; returns only once the broker has confirmed."""


class OpenHost(NamedTuple):
    """A host that a node may be given tasks of, as it was when it was locked."""

    id: int
    land: int
    holder: int | None
    ahead: int
    out: int

    @property
    def allowed(self) -> int:
        """How many more of its tasks may go out."""
        return self.ahead - self.out


class _Held(NamedTuple):
    """An open lease: what is left of it, and whether its node has started it."""

    left: int
    suspicion: int
    started_at: datetime | None


_NODE = ("id", "name", "incarnation")
_OPEN_LEASE = ("node_id", "`left`", "suspicion", "started_at")
_OPEN_HOST = ("id", "land", "holder_id", "ahead", "`out`")


def dispatch(publisher: Publisher, node_ids: Sequence[int] | None = None) -> int:
    """Give due tasks to every live node with room, or to these; the number of tasks given.

    Nodes that are named ask for more themselves, and are served when it is worth a lease. What
    the broker did not take waits again at once, and its error is passed on.
    """
    loads = load(clock.now())
    if node_ids is None:
        with_room = [id_ for id_ in loads if loads[id_].room and loads[id_].keeps_up]
    else:
        found = [id_ for id_ in node_ids if id_ in loads]
        with_room = [id_ for id_ in found if loads[id_].worth_a_lease and loads[id_].keeps_up]
    if not with_room:
        return 0
    publisher.reach()
    given = 0
    # The fullest first: what it then has no room for, the emptier ones may take.
    for node_id in sorted(with_room, key=lambda id_: loads[id_].room):
        given += _publish(publisher, _lease(node_id))
    return given


def _publish(publisher: Publisher, leases: Sequence[Lease]) -> int:
    for number, lease in enumerate(leases):
        try:
            publisher.publish(lease.pk, lease.node.name)
        except Exception:
            moves.release([left.pk for left in leases[number:]])
            raise
    return sum(lease.size for lease in leases)


def load(now: datetime) -> dict[int, Load]:
    """What each node that may be given work holds at this moment."""
    held: dict[int, list[_Held]] = {}
    for node_id, *lease in rows.find(_OPEN_LEASE, Lease, "closed_at IS NULL"):
        held.setdefault(node_id, []).append(_Held(*lease))
    return {
        node_id: _load(max_tasks, held.get(node_id, []))
        for node_id, max_tasks in Node.objects.available(now).values_list("id", "max_tasks")
    }


def _load(max_tasks: int, leases: Iterable[_Held]) -> Load:
    """The load of a node with these open leases."""
    out = [lease for lease in leases if lease.left]
    suspicions = [lease.suspicion for lease in out if lease.suspicion]
    return Load(
        max_tasks=max_tasks,
        out=sum(lease.left for lease in out),
        suspects=len(suspicions),
        alone=max(suspicions, default=0) >= ALONE,
        unstarted=sum(lease.started_at is None for lease in out),
    )


@retried
def _lease(node_id: int) -> list[Lease]:
    """Choose and lease tasks for one node, in one transaction that holds the node's row."""
    now = clock.now()
    # Whom another gives work at this moment, or who beats, is asked again in a second: many who
    # wait for its row would keep it from beating.
    locked = rows.lock(_NODE, Node, "id = %s", [node_id], skip_locked=True)
    loads = load(now)
    if not locked or node_id not in loads or not loads[node_id].keeps_up:
        return []
    node = Node(**dict(zip(_NODE, locked[0], strict=True)))
    calmest = min(loads, key=lambda id_: (loads[id_].out, id_)) == node_id
    queues = frontier.ready(node.pk, now, loads[node.pk].room)
    hosts = _hosts(node, loads, calmest, queues)
    allowed = {host.id: host.allowed for host in hosts.values()}
    wanted = share(list(hosts), allowed, loads[node_id].room)
    found = frontier.due(wanted, queues, now)
    offered = [task for pair, tasks in found.items() for task in tasks[: wanted[pair]]]
    due = _open(offered)
    chosen = portions(
        _fair(due, node, hosts.values(), loads),
        loads[node_id],
        allowed,
        calmest=calmest,
        held={host.id for host in hosts.values() if host.holder == node_id},
        lease_size=LEASE_SIZE,
    )
    kept = {task.task_id for task in due}.difference(*(portion.task_ids for portion in chosen))
    gone = {task.task_id for task in offered} - kept
    began = monotonic()
    leases = moves.lease(node, chosen, _firsts(queues, found, gone, now))
    if monotonic() > began + TOO_SLOW * start_time().total_seconds():
        _stamp(leases)
    return leases


def _stamp(leases: Sequence[Lease]) -> None:
    """Let the time in which leases must be started begin now: making them took much of it."""
    made = Lease.objects.filter(pk__in=[lease.pk for lease in leases])
    made.update(expires_at=clock.now() + start_time())


def _firsts(
    queues: Mapping[Pair, Queue], found: Mapping[Pair, list[Due]], gone: set[int], now: datetime
) -> dict[Queue, Any]:
    """When the first task of each queue is due once these are gone."""
    first = {
        pair: next((task.task_id for task in tasks if task.task_id not in gone), None)
        for pair, tasks in found.items()
    }
    dues = frontier.dues(task_id for task_id in first.values() if task_id)
    later = frontier.later((pair for pair, task_id in first.items() if not task_id), now)
    return {queues[pair]: dues[id_] if id_ else later.get(pair) for pair, id_ in first.items()}


def _open(due: list[Due]) -> list[Due]:
    """The tasks without those of jobs that are held back, which are found this once only."""
    held = parking.held({task.job_id for task in due})
    if held:
        parking.park([task.task_id for task in due if task.job_id in held])
    return [task for task in due if task.job_id not in held]


def _hosts(
    node: Node, loads: dict[int, Load], calmest: bool, candidates: Collection[Pair]
) -> dict[Pair, OpenHost]:
    """The hosts to take from, locked, by (host id, lane) in the order of service."""
    found = _locked(node, {host_id for host_id, _ in candidates})
    lands = {host.land for host in found.values()}
    owners = dict(rows.select(("id", "node_id"), Land, "id", lands))
    return {
        (host_id, lane): found[host_id]
        for host_id, lane in candidates
        if host_id in found
        # The node to empty for a suspect may have it wherever its host's land lies.
        and ((calmest and lane == SUSPECT) or _ours(found[host_id], node, owners, loads))
    }


def _locked(node: Node, host_ids: set[int]) -> dict[int, OpenHost]:
    may_take = f"NOT paused AND (holder_id IS NULL OR holder_id = {int(node.pk)})"
    hosts: dict[int, OpenHost] = {}
    for chunk in rows.chunks(sorted(host_ids), frontier.REFRESH_CHUNK):
        where, values = rows.within("id", chunk)
        found = rows.lock(_OPEN_HOST, Host, f"{where} AND {may_take}", values)
        hosts |= {row[0]: OpenHost(*row) for row in found}
    return hosts


def _ours(
    host: OpenHost, node: Node, owners: Mapping[int, int | None], loads: dict[int, Load]
) -> bool:
    """Whether the node may take from a host: it owns its land, or the owner has enough to do.

    Who holds a host keeps it until the owner is half empty: then it is fed no more, is let go
    when nothing of it is out, and so comes to the owner even if it never runs dry.
    """
    if node.pk == owners.get(host.land):
        return True
    owner = loads.get(owners.get(host.land) or 0)
    if owner is None or not owner.room:
        return True
    return not owner.half_empty and (host.holder == node.pk or loads[node.pk].half_empty)


def _fair(
    due: list[Due], node: Node, hosts: Collection[OpenHost], loads: Mapping[int, Load]
) -> list[Due]:
    """The tasks without those that a node with more than enough leaves to half empty ones.

    It takes no free host, and of those that it holds it feeds only its share on, so that the others
    come free even if they never run dry.
    """
    idle = sum(load.half_empty for id_, load in loads.items() if id_ != node.pk)
    held = sorted({host.id for host in hosts if host.holder == node.pk})
    if not idle or not held or len(due) < loads[node.pk].room:
        return due
    kept = set(held[: -(-len(held) // (idle + 1))])
    return [task for task in due if task.host_id in kept or task.losses]
