"""Pauses of the whole cluster and of single nodes: nothing new is leased, what runs goes on.

When one of these returns, no lease that began before can still be committed: dispatch holds the
row of the node that it serves, and looks at the pauses after it has it.
"""

from django.db import transaction

from hashworld.nodes import clock
from hashworld.nodes.errors import InvalidValue, UnknownNode
from hashworld.nodes.models import Cluster, Node

REASON_LENGTH = 200


def cluster() -> Cluster:
    """How the cluster stands."""
    return Cluster.objects.filter(pk=Cluster.ID).first() or Cluster(pk=Cluster.ID)


def pause_cluster(reason: str = "", by: str = "") -> bool:
    """Lease nothing to anybody; False when it was so before, and only the reason is changed.

    `by` says who wants it. Raises InvalidValue when the reason is too long.
    """
    checked = check_reason(reason)
    before = _set_cluster(paused=True, pause_reason=checked, paused_by=by[:150])
    with transaction.atomic():
        # Whoever was leasing has a node's row and is through once we have had it.
        list(Node.objects.select_for_update().order_by("pk").values_list("pk"))
    return not before


def resume_cluster() -> bool:
    """Lease again; False when it was not paused."""
    return _set_cluster(paused=False, pause_reason="", paused_by="")


def pause_node(name: str, reason: str = "") -> bool:
    """Lease nothing to a node, across its restarts too; False when it was so before.

    Its lands stay its own, and their hosts are lent to other nodes meanwhile. Raises UnknownNode,
    and InvalidValue when the reason is too long.
    """
    return _set_node(name, paused=True, reason=check_reason(reason))


def resume_node(name: str) -> bool:
    """Lease to a node again; False when it was not paused. Raises UnknownNode."""
    return _set_node(name, paused=False, reason="")


def check_reason(reason: str) -> str:
    """A reason without blanks around it; raises InvalidValue when it is too long."""
    stripped = reason.strip()
    if len(stripped) > REASON_LENGTH:
        raise InvalidValue("reason", f"it is longer than {REASON_LENGTH} characters; shorten it")
    return stripped


@transaction.atomic
def _set_cluster(*, paused: bool, **columns: str) -> bool:
    """Write the row; whether the cluster was paused before."""
    Cluster.objects.get_or_create(pk=Cluster.ID)
    row = Cluster.objects.select_for_update().get(pk=Cluster.ID)
    was = row.paused
    since = (row.paused_at if was else clock.now()) if paused else None
    Cluster.objects.filter(pk=Cluster.ID).update(paused=paused, paused_at=since, **columns)
    return was


@transaction.atomic
def _set_node(name: str, *, paused: bool, reason: str) -> bool:
    node = Node.objects.select_for_update().filter(name=name).first()
    if node is None:
        raise UnknownNode(f"there is no node {name!r}")
    Node.objects.filter(pk=node.pk).update(paused=paused, pause_reason=reason)
    return node.paused != paused
