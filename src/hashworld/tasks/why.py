"""Why is a task not running? One answer for any task: the cause in a sentence, and the remedy.

Every door asks here. The causes are looked for in the order in which dispatch meets them, so the
one that is told is the one to do something about. It costs a few reads by index, however many
tasks there are, and changes nothing.
"""

from datetime import datetime

from hashworld.nodes import broker, pauses
from hashworld.nodes.models import NodeState
from hashworld.tasks import dispatch, turn
from hashworld.tasks.intents import UNDER_WAY
from hashworld.tasks.models import Host, Kill, Task, Wanted
from hashworld.tasks.reasons import Cause, Reason, because, hour, tasks, when, words
from hashworld.tasks.states import OUT, TERMINAL, State

__all__ = ["Cause", "Reason", "why"]


def why(task: Task, now: datetime) -> Reason:
    """What keeps this task from running at this moment of the database's clock."""
    if task.state in TERMINAL:
        return _ended(task)
    if task.job.wanted in (Wanted.KILL, Wanted.DELETE):
        doing = UNDER_WAY[Wanted(task.job.wanted)]
        return Reason(Cause.JOB_ENDING, f"Its job {doing}; its turn comes soon.")
    if task.state in OUT:
        return _out(task, now)
    host = task.host
    if reason := _paused(task, host) or _held_back(task, host, now) or _broker():
        return reason
    loads = dispatch.load(now)
    return turn.without_room(task, host, loads, now) or turn.ready(task, host, loads, now)


def _ended(task: Task) -> Reason:
    state = State(task.state)
    if state == State.SUCCEED:
        return Reason(Cause.ENDED, "It was fetched.")
    if state == State.KILLED:
        open_kills = Kill.objects.filter(task=task, confirmed_at=None, fenced_at=None)
        cut = " Its node has not said yet that its fetch is cut off." if open_kills.exists() else ""
        return Reason(Cause.ENDED, f"It was killed.{cut}", "Retry it to have it fetched after all.")
    tries = f"after {task.attempts} {'try' if task.attempts == 1 else 'tries'}"
    return Reason(
        Cause.ENDED,
        f"It was given up {tries}: {words(task.error)}.",
        "Look at its last try; retry it once the cause is gone.",
    )


def _out(task: Task, now: datetime) -> Reason:
    node = task.lease.node if task.lease else None
    if node is None:
        return Reason(Cause.IN_QUEUE, "It is changing hands at this moment.", "Look again.")
    if node.is_late(now) or node.state == NodeState.LEFT:
        return Reason(
            Cause.NODE_SILENT,
            f"Node {node}, which has it, was last heard of at {hour(node.seen_at)}.",
            "Nothing needs to be done: unless the node comes back, another is given it.",
        )
    if task.state == State.RUNNING:
        return Reason(Cause.RUNNING, f"It runs on node {node}.")
    return Reason(
        Cause.IN_QUEUE,
        f"It is in the queue of node {node}, which has not begun with it.",
        "Nothing needs to be done: what is not begun soon is given out again.",
    )


def _paused(task: Task, host: Host) -> Reason | None:
    """The widest pause that it is under."""
    cluster, job = pauses.cluster(), task.job
    if cluster.paused:
        by = f" by {cluster.paused_by}" if cluster.paused_by else ""
        return Reason(
            Cause.CLUSTER_PAUSED,
            f"The whole cluster was paused{by}{because(cluster.pause_reason)}.",
            "Resume the cluster.",
        )
    if job.paused:
        return Reason(
            Cause.JOB_PAUSED,
            f"Its job {job} is paused{because(job.pause_reason)}.",
            "Resume the job.",
        )
    if host.paused:
        return Reason(
            Cause.HOST_PAUSED,
            f"Its host {host} is paused{because(host.pause_reason)}.",
            "Resume the host.",
        )
    if task.lane is None:
        return Reason(
            Cause.JOB_RESUMING,
            f"Its job {job} was resumed, and its tasks come back one after the other.",
        )
    return None


def _held_back(task: Task, host: Host, now: datetime) -> Reason | None:
    """What else would hold it back however many nodes there were."""
    if task.due_at and task.due_at > now:
        return Reason(
            Cause.RETRY_LATER,
            f"Its last try failed ({words(task.error)}); the next is {when(task.due_at, now)}.",
            "Nothing needs to be done.",
        )
    if host.out >= host.ahead:
        return Reason(
            Cause.HOST_LIMIT,
            f"Its host {host} has {tasks(host.out)} out, as many as its limits allow.",
            "Allow the host more connections, if it can bear them.",
        )
    if host.next_at > now:
        return Reason(
            Cause.HOST_INTERVAL,
            f"Its host {host} is asked once in {host.min_interval:g} s,"
            f" again {when(host.next_at, now)}.",
            "Shorten the host's interval, if it can bear that.",
        )
    return None


def _broker() -> Reason | None:
    """Whether nothing can be given out for want of the broker."""
    since = broker.lost_at()
    if since is None:
        return None
    return Reason(
        Cause.BROKER_AWAY,
        f"The broker has not been reached since {hour(since)}, so nothing is given out.",
        "Start the broker, or look whether the nodes and the web server reach it.",
    )
