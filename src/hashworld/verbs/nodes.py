"""Nodes and the whole cluster: look, pause, drain, resume, resize."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Count

from hashworld.nodes import clock, control, leadership, pauses
from hashworld.nodes.models import Cluster, Node, Standing
from hashworld.verbs import audit, rights
from hashworld.verbs.errors import NotFound, translated
from hashworld.verbs.rights import Scope, verb

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class Seen:
    """A node, and how it stands by the database's clock."""

    node: Node
    standing: Standing
    lands: int


@dataclass(frozen=True, slots=True)
class ClusterSeen:
    """The cluster as a whole; `master` is empty without one."""

    cluster: Cluster
    master: str
    term: int


@verb(Scope.READ)
def find(user: "User", standing: Standing | None = None) -> list[Seen]:
    """All nodes by name, or those that stand so; they are few."""
    rights.require(user, rights.VIEW_NODE, "see nodes")
    now = clock.now()
    seen = [_seen(node, now) for node in _nodes()]
    return [each for each in seen if standing in (None, each.standing)]


@verb(Scope.READ)
def get(user: "User", name: str) -> Seen:
    """One node; raises NotFound."""
    rights.require(user, rights.VIEW_NODE, "see nodes")
    found = _nodes().filter(name=name).first()
    if found is None:
        raise NotFound(f"There is no node {name!r}.")
    return _seen(found, clock.now())


@verb(Scope.READ)
def cluster(user: "User") -> ClusterSeen:
    """Whether the cluster is paused, and who leads it."""
    rights.require(user, rights.VIEW_NODE, "see the cluster")
    master = leadership.master(clock.now())
    return ClusterSeen(
        pauses.cluster(), master.name if master else "", master.term if master else 0
    )


@verb(Scope.OPERATE)
def pause(user: "User", name: str, reason: str = "") -> bool:
    """Give it nothing new, across its restarts too; False when it was so before."""
    return bool(_act(user, "pause", name, reason, lambda: pauses.pause_node(name, reason)))


@verb(Scope.OPERATE)
def unpause(user: "User", name: str, reason: str = "") -> bool:
    """Give it work again; False when it was not paused."""
    return bool(_act(user, "unpause", name, reason, lambda: pauses.resume_node(name)))


@verb(Scope.OPERATE)
def drain(user: "User", name: str, reason: str = "") -> control.Reply:
    """Let it end or give back what it has, and stay idle; what it says. Raises Unavailable."""
    reply: control.Reply = _act(user, "drain", name, reason, lambda: control.drain(name))
    return reply


@verb(Scope.OPERATE)
def resume(user: "User", name: str, reason: str = "") -> control.Reply:
    """Let it take work again after a drain; what it says. Raises Unavailable."""
    reply: control.Reply = _act(user, "resume", name, reason, lambda: control.resume(name))
    return reply


@verb(Scope.OPERATE)
def set_max_tasks(user: "User", name: str, max_tasks: int, reason: str = "") -> control.Reply:
    """Change how many fetches it may have in flight, until it starts again."""
    verb_ = f"set max_tasks {max_tasks} of"
    reply: control.Reply = _act(
        user, verb_, name, reason, lambda: control.set_max_tasks(name, max_tasks)
    )
    return reply


@verb(Scope.OPERATE)
def pause_cluster(user: "User", reason: str = "") -> bool:
    """Give out nothing to anybody; False when it was so before."""
    rights.require(user, rights.PAUSE_CLUSTER, "pause the cluster")
    with translated():
        changed = pauses.pause_cluster(reason, user.get_username())
    audit.note(user, "pause cluster", "the cluster", reason=reason)
    return changed


@verb(Scope.OPERATE)
def resume_cluster(user: "User", reason: str = "") -> bool:
    """Give out work again; False when it was not paused."""
    rights.require(user, rights.PAUSE_CLUSTER, "resume the cluster")
    changed = pauses.resume_cluster()
    audit.note(user, "resume cluster", "the cluster", reason=reason)
    return changed


def _act(user: "User", name: str, node: str, reason: str, act: Callable[[], Any]) -> Any:
    rights.require(user, rights.CONTROL_NODE, f"{name} nodes")
    with translated():
        done = act()
    audit.note(user, f"{name} node"[:40], f"node {node}", reason=reason)
    return done


def _nodes() -> Any:
    return Node.objects.annotate(owned=Count("lands")).order_by("name")


def _seen(node: Any, now: datetime) -> Seen:
    return Seen(node, node.standing(now), node.owned)
