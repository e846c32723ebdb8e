"""The kills of tries that ran: asked, confirmed by their node, or fenced (contract C8).

From the moment at which a kill is asked for, nothing of the try can be recorded any more. What
stays open is whether somebody still asks the target: no longer, once the node has confirmed; and
nobody can tell, where the node lost its lease before. One that comes back confirms all the same.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db.models import Q

from hashworld.tasks import rows
from hashworld.tasks.accounts import Moved
from hashworld.tasks.models import Kill, Lease
from hashworld.transaction import retried

#: Kills fenced in one round of the reaper.
CHUNK = 1000
_OPEN = "confirmed_at IS NULL"
_UNFENCED = "fenced_at IS NULL"


def ask(tasks: Sequence[Moved], asked_at: datetime) -> None:
    """Note the kill of running tasks; call it in the transaction of their move."""
    rows.insert(
        Kill,
        ("task_id", "number", "lease_id", "asked_at"),
        [(task.id, task.attempts + 1, task.lease_id, rows.stamp(asked_at)) for task in tasks],
    )


def unconfirmed(lease_ids: Iterable[int]) -> list[tuple[int, int]]:
    """The tries under these leases that are to be cut off, as (lease id, task id).

    Not read from the tasks: one that was retried since has another lease, or none.
    """
    found = Kill.objects.filter(lease_id__in=list(lease_ids), confirmed_at=None)
    return list(found.values_list("lease_id", "task_id"))


@retried
def confirm(pairs: Collection[tuple[int, int]], now: datetime) -> int:
    """Note that these tries, as (lease id, task id), do not go on; the number of kills among them.

    Tries that nobody killed are ignored.
    """
    found = Kill.objects.filter(lease_id__in={lease for lease, _ in pairs}, confirmed_at=None)
    killed = found.values_list("lease_id", "task_id", "id")
    ids = [id_ for lease, task, id_ in killed if (lease, task) in pairs]
    return rows.update(Kill, sorted(ids), [rows.put("confirmed_at", rows.stamp(now))], guard=_OPEN)


def fence(lease_ids: Iterable[int], now: datetime) -> int:
    """Note that these leases were taken back from their node; the number of kills left open."""
    fenced = [rows.put("fenced_at", rows.stamp(now))]
    return rows.update(Kill, lease_ids, fenced, guard=f"{_OPEN} AND {_UNFENCED}", key="lease_id")


@retried
def fence_silent(now: datetime) -> int:
    """Fence the kills whose node let its lease run out without a word; their number.

    A lease that holds nothing but killed tasks is closed already, so nobody takes it back.
    """
    left = Kill.objects.filter(confirmed_at=None, fenced_at=None)
    leases = set(left.values_list("lease_id", flat=True)[:CHUNK])
    # An open lease is the reaper's: it may still be renewed.
    trusted = Lease.objects.filter(Q(closed_at=None) | Q(expires_at__gte=now), pk__in=leases)
    return fence(sorted(leases.difference(trusted.values_list("pk", flat=True))), now)
