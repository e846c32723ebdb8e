"""Which hosts a node takes and which it leaves to others, by how full the nodes are. Pure.

A host's tasks go to the node that owns its land. Hosts are lent while that node has much more to
do than another, and a node with much to do leaves some of its hosts to one that has nothing: they
come free when nothing of them is out, even if they never run dry.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from hashworld.tasks.portion import SCRAP, Due, Load

#: The difference of how full two nodes are that is worth a lease.
GAP = 0.25


def lent(owner: Load | None, node: Load) -> bool:
    """Whether a node may have a free host whose land another owns; None where nobody does."""
    if owner is None or not owner.room:
        return True
    return node.half_empty and owner.fullness - node.fullness >= GAP


def fed(owner: Load | None, node: Load) -> bool:
    """Whether a node goes on with a host that it holds, though another owns its land.

    It does until the owner has little to do; the host is then let go, and so comes to the owner.
    """
    if owner is None or not owner.half_empty:
        return True
    return node.fullness - owner.fullness < GAP


def even(due: int, load: Load, hungry: Collection[Load], *, more: bool) -> int:
    """How many of so many due tasks a node takes, so that those with nothing to do come level.

    All that it has room for when there are `more` than these: it then leaves hosts, not tasks.
    """
    if not hungry or more or load.out + due <= load.max_tasks:
        return load.room
    slots = load.max_tasks + sum(other.max_tasks for other in hungry)
    work = load.out + sum(other.out for other in hungry) + due
    level = max(work * load.max_tasks // slots, load.max_tasks // SCRAP)
    return min(load.room, max(0, level - load.out))


def kept_hosts(
    due: Sequence[Due], held: Collection[int], nodes: int, wanted: int, theirs: int = 0
) -> set[int]:
    """The hosts of which a node takes due tasks, when it shares them with so many nodes.

    So many that all come to the same number where the others hold `theirs`; those that it holds
    first; more when these have too little.
    """
    sizes = Counter(task.host_id for task in due)
    hosts = sorted(sizes, key=lambda id_: (id_ not in held, id_))
    number = max(1, -(-(len(hosts) + theirs) // nodes))
    while number < len(hosts) and sum(sizes[id_] for id_ in hosts[:number]) < wanted:
        number += 1
    return set(hosts[:number])
