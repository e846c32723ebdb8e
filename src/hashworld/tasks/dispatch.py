"""Giving due tasks to nodes with room.

For one node at a time: hosts that it holds or that nobody holds, by priority, the owners of jobs
in turn, and then the longest ready; of the free ones those of its own lands, and those that are
lent to it. What is chosen goes under leases; their ids are published after the commit. The cost of
a pass follows the room of the node and not the backlog (docs/design.md).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, NamedTuple, Protocol

from hashworld.nodes import clock
from hashworld.nodes.models import Land, Node, deaf
from hashworld.tasks import frontier, moves, parking, rows
from hashworld.tasks.frontier import Pair, Queue
from hashworld.tasks.lanes import SUSPECT
from hashworld.tasks.lending import even, fed, kept_hosts, lent
from hashworld.tasks.lifetimes import start_time
from hashworld.tasks.models import Host, Lease
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
    asked = _with_room() if node_ids is None else node_ids
    if not asked:
        return 0
    publisher.reach()
    given = 0
    hungry: set[int] = set()
    for node_id in asked:
        leases, left_to = _lease(node_id, scraps=node_ids is None)
        given += _publish(publisher, leases)
        hungry |= left_to
    for node_id in sorted(hungry):
        leases, _ = _lease(node_id, scraps=True)
        given += _publish(publisher, leases)
    return given


def _publish(publisher: Publisher, leases: Sequence[Lease]) -> int:
    for number, lease in enumerate(leases):
        try:
            publisher.publish(lease.pk, lease.node.name)
        except Exception:
            moves.release([left.pk for left in leases[number:]])
            raise
    return sum(lease.size for lease in leases)


def _with_room() -> list[int]:
    """The nodes that may be given something, the fullest first.

    What it then has no room for, the emptier ones may take.
    """
    loads = load(clock.now())
    with_room = [id_ for id_ in loads if _may_have(loads[id_], scraps=True)]
    return sorted(with_room, key=lambda id_: loads[id_].room)


def load(now: datetime) -> dict[int, Load]:
    """What each node that may be given work holds at this moment.

    Those that lately did not begin with what they were given are left out, unless all did: their
    hosts are lent to others meanwhile. Later they are tried again.
    """
    held: dict[int, list[_Held]] = {}
    for node_id, *lease in rows.find(_OPEN_LEASE, Lease, "closed_at IS NULL"):
        held.setdefault(node_id, []).append(_Held(*lease))
    nodes = list(Node.objects.available(now).values_list("id", "max_tasks", "deaf_at"))
    hearing = [node for node in nodes if not deaf(node[2], now)]
    return {id_: _load(most, held.get(id_, [])) for id_, most, _ in hearing or nodes}


def _load(max_tasks: int, leases: Iterable[_Held]) -> Load:
    """The load of a node with these open leases."""
    out = [lease for lease in leases if lease.left]
    suspected = [lease for lease in out if lease.suspicion]
    return Load(
        max_tasks=max_tasks,
        out=sum(lease.left for lease in out),
        suspects=sum(lease.left for lease in suspected),
        alone=any(lease.suspicion >= ALONE for lease in suspected),
        unstarted=sum(lease.started_at is None for lease in out),
    )


@retried
def _lease(node_id: int, *, scraps: bool) -> tuple[list[Lease], set[int]]:
    """Choose and lease tasks for one node, in one transaction that holds the node's row.

    Without `scraps` only when its room is worth a lease. Returned are the leases, and the nodes
    that it left tasks to because they have nothing to do.
    """
    now = clock.now()
    # Whom another gives work at this moment, or who beats, is asked again in a second: many who
    # wait for its row would keep it from beating.
    locked = rows.lock(_NODE, Node, "id = %s", [node_id], skip_locked=True)
    loads = load(now) if locked else {}
    if node_id not in loads or not _may_have(loads[node_id], scraps=scraps):
        return [], set()
    node = Node(**dict(zip(_NODE, locked[0], strict=True)))
    calmest = min(loads, key=lambda id_: (loads[id_].out, id_)) == node_id
    queues = frontier.ready(node.pk, now, loads[node.pk].room)
    open_hosts = _locked(node, {host_id for host_id, _ in queues})
    lands = {host.land for host in open_hosts.values()}
    owners = dict(rows.select(("id", "node_id"), Land, "id", lands))
    hosts = {
        (host_id, lane): open_hosts[host_id]
        for host_id, lane in queues
        if host_id in open_hosts
        # The node to empty for a suspect may have it wherever its host's land lies.
        and ((calmest and lane == SUSPECT) or _ours(open_hosts[host_id], node_id, owners, loads))
    }
    allowed = {host.id: host.allowed for host in hosts.values()}
    wanted = share(list(hosts), allowed, loads[node_id].room)
    found = frontier.due(wanted, queues, now)
    offered = [task for pair, tasks in found.items() for task in tasks[: wanted[pair]]]
    due, stopped = _open(offered)
    held = {host.id for host in hosts.values() if host.holder == node_id}
    hungry = _hungry(node_id, loads, len(due), open_hosts.values(), owners, now)
    more = any(len(tasks) > wanted[pair] for pair, tasks in found.items())
    room = even(len(due), loads[node_id], [loads[id_] for id_ in hungry], more=more)
    theirs = Host.objects.filter(holder_id__in=hungry).count() if hungry else 0
    kept = kept_hosts(due, held, 1 + len(hungry), 0 if more else room, theirs)
    chosen = portions(
        [task for task in due if task.host_id in kept or task.losses],
        loads[node_id],
        allowed,
        calmest=calmest,
        held=held,
        room=room,
        lease_size=LEASE_SIZE,
    )
    left = {task.task_id for task in due}.difference(*(portion.task_ids for portion in chosen))
    gone = {task.task_id for task in offered} - left
    began = monotonic()
    leases = moves.lease(node, chosen, _firsts(queues, found, gone, now), stopped)
    if monotonic() > began + TOO_SLOW * start_time().total_seconds():
        _stamp(leases)
    return leases, hungry


def _may_have(load: Load, *, scraps: bool) -> bool:
    return load.keeps_up and (load.room > 0 if scraps else load.worth_a_lease)


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


def _open(due: list[Due]) -> tuple[list[Due], set[int]]:
    """The tasks without those of jobs that are held back, which are found this once only.

    And the ids of these jobs: who commits makes sure that they still are.
    """
    held = parking.held({task.job_id for task in due})
    if held:
        parking.park([task.task_id for task in due if task.job_id in held])
    return [task for task in due if task.job_id not in held], held


def _locked(node: Node, host_ids: set[int]) -> dict[int, OpenHost]:
    may_take = f"NOT paused AND (holder_id IS NULL OR holder_id = {int(node.pk)})"
    hosts: dict[int, OpenHost] = {}
    for chunk in rows.chunks(sorted(host_ids), frontier.REFRESH_CHUNK):
        where, values = rows.within("id", chunk)
        found = rows.lock(_OPEN_HOST, Host, f"{where} AND {may_take}", values)
        hosts |= {row[0]: OpenHost(*row) for row in found}
    return hosts


def _ours(
    host: OpenHost, node_id: int, owners: Mapping[int, int | None], loads: Mapping[int, Load]
) -> bool:
    """Whether the node may take from a host: it owns its land, or is lent it."""
    if node_id == owners.get(host.land):
        return True
    owner = loads.get(owners.get(host.land) or 0)
    return (fed if host.holder == node_id else lent)(owner, loads[node_id])


def _hungry(
    node_id: int,
    loads: Mapping[int, Load],
    due: int,
    hosts: Collection[OpenHost],
    owners: Mapping[int, int | None],
    now: datetime,
) -> set[int]:
    """The other nodes that have room and nothing to fill it with, while this one has plenty."""
    load = loads[node_id]
    # So many free hosts that it cannot take them all keep nobody waiting.
    if load.out + due <= load.max_tasks or len(hosts) >= load.room:
        return set()
    with_room = {id_ for id_, load in loads.items() if id_ != node_id and load.worth_a_lease}
    with_room -= {owners.get(host.land) for host in hosts if host.holder is None}
    return with_room - frontier.supplied(with_room, now)
