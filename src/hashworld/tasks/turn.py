"""Whose turn it is: which node may have a waiting task, whether it has room, and what comes before.

The rules are those of `hashworld.tasks.dispatch`, looked at from the task.
"""

from collections.abc import Mapping
from datetime import datetime

from hashworld.nodes import leadership
from hashworld.nodes.models import Land, Node, NodeState, Standing
from hashworld.tasks import frontier
from hashworld.tasks.lanes import SUSPECT, rank
from hashworld.tasks.models import Host, HostQueue, Task
from hashworld.tasks.portion import Load
from hashworld.tasks.reasons import Cause, Reason, because, hour, tasks, times

#: What stands before a task is counted up to this number.
COUNTED = 1000


def without_room(task: Task, host: Host, loads: Mapping[int, Load], now: datetime) -> Reason | None:
    """Whether the nodes that may have it have no room, or are not there."""
    if host.holder is not None:
        return _not_from_holder(task, host, host.holder, loads, now)
    if not loads:
        return _no_node(now)
    if not any(load.room for load in loads.values()):
        which = "The only node is" if len(loads) == 1 else f"All {len(loads)} nodes are"
        alone = sum(load.alone for load in loads.values())
        suspects = f" ({alone} left alone with a suspect)" if alone else ""
        return Reason(
            Cause.NODES_FULL,
            f"{which} full{suspects}{_before(task, None, now)}.",
            "Start another node, or let the nodes have more in flight (HASHWORLD_MAX_TASKS).",
        )
    return None


def _not_from_holder(
    task: Task, host: Host, holder: Node, loads: Mapping[int, Load], now: datetime
) -> Reason | None:
    load = loads.get(holder.pk)
    if load is None:
        return Reason(
            Cause.HOLDER_AWAY,
            f"Node {holder}, which alone has tasks of its host {host}, takes nothing new:"
            f" it is {_state(holder, now)}.",
            "Nothing needs to be done: its tasks end there or are taken back soon.",
        )
    if load.room:
        return None
    return Reason(
        Cause.HOLDER_FULL,
        f"Node {holder}, which alone fetches from its host {host} now, is full with"
        f" {tasks(load.out)}{_before(task, holder, now)}.",
        "Let the node have more in flight (HASHWORLD_MAX_TASKS).",
    )


def _no_node(now: datetime) -> Reason:
    paused = Node.objects.alive(now).filter(paused=True).first()
    if paused is not None:
        return Reason(
            Cause.NODES_PAUSED,
            f"No node may be given work: {paused} is {_state(paused, now)}.",
            "Resume a node, or start another.",
        )
    some = Node.objects.filter(state=NodeState.DRAINING).first()
    late = Node.objects.alive(now).first()
    if late is not None and late.is_stuck:
        return Reason(
            Cause.NO_NODE,
            f"The engine of node {late} stands still, and no other node is there.",
            "Nothing needs to be done: the node ends by itself, and what supervises it starts it.",
        )
    if late is not None:
        return Reason(
            Cause.NO_NODE,
            f"No node is on time with its heartbeat; {late} was last heard of at"
            f" {hour(late.seen_at)}.",
            "Look whether the nodes reach the database.",
        )
    which = f"No node is alive but {some}, which drains" if some else "No node is alive"
    start = "Start a node: make run on one machine, or a node of the cluster."
    return Reason(Cause.NO_NODE, f"{which}.", start)


def ready(task: Task, host: Host, loads: Mapping[int, Load], now: datetime) -> Reason:
    """Nothing is in its way but its turn."""
    node, lent = _taker(host, loads, now)
    if leadership.master(now) is None:
        return Reason(
            Cause.NO_MASTER,
            f"Node {node} has room, but no scheduler leads: it is given out only when something is"
            " handed in or ends.",
            "Start a scheduler: make run on one machine, or one of the cluster.",
        )
    if task.lane == SUSPECT:
        return Reason(
            Cause.SUSPECT,
            f"{times(task.losses)} a node was lost while it ran, so it is given out with care:"
            " with few others, or alone on an empty node.",
            "Nothing needs to be done; kill it if it is to blame.",
        )
    earlier = Task.objects.filter(host=host, lane=task.lane, due_at__lt=task.due_at)
    before = earlier[:COUNTED].count()
    if before:
        number = f"{COUNTED:,} or more" if before == COUNTED else f"{before:,}"
        return Reason(
            Cause.BEHIND,
            f"On its host {host} {number} {'task' if before == 1 else 'tasks'} came before it;"
            f" node {node} is given those first.",
            "Nothing needs to be done.",
        )
    if lent:
        return Reason(Cause.LENT, f"{lent}, so it goes to node {node} at once.")
    return Reason(Cause.NEXT, f"It goes to node {node} at once.")


def _taker(host: Host, loads: Mapping[int, Load], now: datetime) -> tuple[Node, str]:
    """The node with room that is given it next, and why that is not its land's, if it is not."""
    if host.holder is not None:
        return host.holder, ""
    land = Land.objects.filter(pk=host.land).select_related("node").first()
    owner = land.node if land else None
    if owner is not None and owner.pk in loads and loads[owner.pk].room:
        return owner, ""
    # The fullest that has room is served first.
    taker = Node.objects.get(
        pk=min((pk for pk in loads if loads[pk].room), key=lambda pk: loads[pk].room)
    )
    if owner is None:
        return taker, f"No node owns land {host.land} of its host yet"
    state = "is full" if owner.pk in loads else f"is {_state(owner, now)}"
    return taker, f"Node {owner}, which owns land {host.land} of its host, {state}"


def _state(node: Node, now: datetime) -> str:
    """Why a node takes nothing new."""
    standing = node.standing(now)
    if node.paused and standing == Standing.ALIVE:
        return f"paused{because(node.pause_reason)}"
    return standing.label.lower()


def _before(task: Task, holder: Node | None, now: datetime) -> str:
    """How many hosts are served before its own: of higher lanes, or ready for longer."""
    lane = task.lane or 0
    queues = HostQueue.objects.filter(holder=holder, ready_at__lte=now)
    own = queues.filter(host=task.host, lane=lane).values_list("ready_at", flat=True).first()
    above = [other for other in frontier.lanes() if rank(other) > rank(lane)]
    higher = queues.filter(lane__in=above)[:COUNTED].count()
    longer = queues.filter(lane=lane, ready_at__lt=own)[:COUNTED].count() if own else 0
    number = higher + longer
    if not number:
        return ""
    text = f"{COUNTED:,} or more" if number >= COUNTED else f"{number:,}"
    return f", and {text} {'host is' if number == 1 else 'hosts are'} served before its own"
