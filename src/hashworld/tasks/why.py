"""Why is a task not running? One answer for any task: the cause in a sentence, and the remedy.

Every door asks here. The causes are looked for in the order in which dispatch meets them, so the
one that is told is the one to do something about. It costs a few reads by index, however many
tasks there are, and changes nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from hashworld.nodes import leadership
from hashworld.nodes.models import Land, Node, NodeState, Standing
from hashworld.tasks import dispatch
from hashworld.tasks.models import SUSPECT, Host, HostQueue, Task
from hashworld.tasks.portion import Load
from hashworld.tasks.states import OUT, TERMINAL, State

#: What stands before a task is counted up to this number.
COUNTED = 1000


class Cause(StrEnum):
    """What keeps a task from running, or that nothing does."""

    ENDED = "ended"
    RUNNING = "running"
    IN_QUEUE = "in_queue"
    NODE_SILENT = "node_silent"
    HOST_PAUSED = "host_paused"
    RETRY_LATER = "retry_later"
    NO_NODE = "no_node"
    HOST_LIMIT = "host_limit"
    HOST_INTERVAL = "host_interval"
    HOLDER_AWAY = "holder_away"
    HOLDER_FULL = "holder_full"
    NODES_FULL = "nodes_full"
    SUSPECT = "suspect"
    BEHIND = "behind"
    NO_MASTER = "no_master"
    LENT = "lent"
    NEXT = "next"


class Reason(NamedTuple):
    """The cause, the sentence that tells it, and what to do, if there is anything to do."""

    cause: Cause
    sentence: str
    remedy: str = ""


def why(task: Task, now: datetime) -> Reason:
    """What keeps this task from running at this moment of the database's clock."""
    if task.state in TERMINAL:
        return _ended(task)
    if task.state in OUT:
        return _out(task, now)
    host = task.host
    if reason := _held_back(task, host, now):
        return reason
    loads = dispatch.load(now)
    return _without_room(task, host, loads, now) or _ready(task, host, loads, now)


def _ended(task: Task) -> Reason:
    state = State(task.state)
    if state == State.SUCCEED:
        return Reason(Cause.ENDED, "It was fetched.")
    if state == State.KILLED:
        return Reason(Cause.ENDED, "It was killed.", "Retry it to have it fetched after all.")
    tries = f"after {task.attempts} {'try' if task.attempts == 1 else 'tries'}"
    return Reason(
        Cause.ENDED,
        f"It was given up {tries}: {_words(task.error)}.",
        "Look at its last try; retry it once the cause is gone.",
    )


def _out(task: Task, now: datetime) -> Reason:
    node = task.lease.node if task.lease else None
    if node is None:
        return Reason(Cause.IN_QUEUE, "It is changing hands at this moment.", "Look again.")
    if node.standing(now) in (Standing.SUSPECTED, Standing.DEAD, Standing.LEFT):
        return Reason(
            Cause.NODE_SILENT,
            f"Node {node}, which has it, was last heard of at {_moment(node.seen_at)}.",
            "Nothing needs to be done: unless the node comes back, another is given it.",
        )
    if task.state == State.RUNNING:
        return Reason(Cause.RUNNING, f"It runs on node {node}.")
    return Reason(
        Cause.IN_QUEUE,
        f"It is in the queue of node {node}, which has not begun with it.",
        "Nothing needs to be done: what is not begun soon is given out again.",
    )


def _held_back(task: Task, host: Host, now: datetime) -> Reason | None:
    """What would hold it back however many nodes there were."""
    if host.paused:
        return Reason(
            Cause.HOST_PAUSED,
            f"Its host {host} is paused{_because(host.pause_reason)}.",
            "Resume the host.",
        )
    if task.due_at and task.due_at > now:
        return Reason(
            Cause.RETRY_LATER,
            f"Its last try failed ({_words(task.error)}); the next is {_when(task.due_at, now)}.",
            "Nothing needs to be done.",
        )
    if host.out >= host.ahead:
        return Reason(
            Cause.HOST_LIMIT,
            f"Its host {host} has {_tasks(host.out)} out, as many as its limits allow.",
            "Allow the host more connections, if it can bear them.",
        )
    if host.next_at > now:
        return Reason(
            Cause.HOST_INTERVAL,
            f"Its host {host} is asked once in {host.min_interval:g} s,"
            f" again {_when(host.next_at, now)}.",
            "Shorten the host's interval, if it can bear that.",
        )
    return None


def _without_room(
    task: Task, host: Host, loads: Mapping[int, Load], now: datetime
) -> Reason | None:
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
            f" it is {holder.standing(now).label.lower()}.",
            "Nothing needs to be done: its tasks end there or are taken back soon.",
        )
    if load.room:
        return None
    return Reason(
        Cause.HOLDER_FULL,
        f"Node {holder}, which alone fetches from its host {host} now, is full with"
        f" {_tasks(load.out)}{_before(task, holder, now)}.",
        "Let the node have more in flight (HASHWORLD_MAX_TASKS).",
    )


def _no_node(now: datetime) -> Reason:
    some = Node.objects.filter(state=NodeState.DRAINING).first()
    late = Node.objects.alive(now).first()
    if late is not None:
        return Reason(
            Cause.NO_NODE,
            f"No node is on time with its heartbeat; {late} was last heard of at"
            f" {_moment(late.seen_at)}.",
            "Look whether the nodes reach the database.",
        )
    which = f"No node is alive but {some}, which drains" if some else "No node is alive"
    start = "Start a node: make run on one machine, or a node of the cluster."
    return Reason(Cause.NO_NODE, f"{which}.", start)


def _ready(task: Task, host: Host, loads: Mapping[int, Load], now: datetime) -> Reason:
    """Nothing is in its way but its turn."""
    if task.lane == SUSPECT:
        return Reason(
            Cause.SUSPECT,
            f"{_times(task.losses)} a node was lost while it ran, so it is given out with care:"
            " with few others, or alone on an empty node.",
            "Nothing needs to be done; kill it if it is to blame.",
        )
    node, lent = _taker(host, loads, now)
    if leadership.master(now) is None:
        return Reason(
            Cause.NO_MASTER,
            f"Node {node} has room, but no scheduler leads: it is given out only when something is"
            " handed in or ends.",
            "Start a scheduler: make run on one machine, or one of the cluster.",
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
    state = "is full" if owner.pk in loads else f"is {owner.standing(now).label.lower()}"
    return taker, f"Node {owner}, which owns land {host.land} of its host, {state}"


def _before(task: Task, holder: Node | None, now: datetime) -> str:
    """How many hosts are served before its own: of higher lanes, or ready for longer."""
    lane = task.lane or 0
    queues = HostQueue.objects.filter(holder=holder, ready_at__lte=now)
    own = queues.filter(host=task.host, lane=lane).values_list("ready_at", flat=True).first()
    higher = queues.filter(lane__gt=lane)[:COUNTED].count()
    longer = queues.filter(lane=lane, ready_at__lt=own)[:COUNTED].count() if own else 0
    number = higher + longer
    if not number:
        return ""
    text = f"{COUNTED:,} or more" if number >= COUNTED else f"{number:,}"
    return f", and {text} {'host is' if number == 1 else 'hosts are'} served before its own"


def _because(reason: str) -> str:
    return f": {reason.rstrip('.')}" if reason else ""


def _words(name: str) -> str:
    return name.replace("_", " ") or "unknown"


def _tasks(number: int) -> str:
    return f"{number:,} {'task' if number == 1 else 'tasks'}"


def _times(number: int) -> str:
    return {1: "Once", 2: "Twice"}.get(number, f"{number} times")


def _moment(moment: datetime) -> str:
    return f"{moment:%H:%M:%S} UTC"


def _when(moment: datetime, now: datetime) -> str:
    day = "" if moment.date() == now.date() else f"{moment:%Y-%m-%d} "
    return f"at {day}{_moment(moment)}, in {(moment - now).total_seconds():,.0f} s"
