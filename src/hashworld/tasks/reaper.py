"""Taking back what the dead, the frozen and the cut-off hold (contracts C5 and C6).

The master does it itself, every second, in a thread of its own: a message to a node that has just
died would wait as long as the node's work. The built-in schedule `reaper` has a node do it too, in
case that thread is the one that hangs; who comes second finds nothing.
"""

import atexit
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from hashworld.nodes import clock, master
from hashworld.nodes.models import Node
from hashworld.rounds import Rounds
from hashworld.tasks import kills, moves, rows
from hashworld.tasks.models import Lease
from hashworld.tasks.submit import abandon_stale

log = structlog.get_logger(__name__)

#: Seconds between two rounds of the master.
EVERY = 1.0
#: Leases taken back in one transaction.
CHUNK = 4
#: How long closed leases are kept for people to look at.
KEEP_CLOSED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reaped:
    """What one round did."""

    leases: int = 0
    tasks: int = 0
    submissions: int = 0
    fenced: int = 0


def reap() -> Reaped:
    """Close expired leases and give their tasks back."""
    now = clock.now()
    expired = list(Lease.objects.expired(now).values_list("pk", flat=True)[:1000])
    tasks = sum(moves.rescue(chunk, expired=True) for chunk in rows.chunks(expired, CHUNK))
    _note_deaf(expired, now)
    reaped = Reaped(
        leases=len(expired),
        tasks=tasks,
        submissions=abandon_stale(now),
        fenced=kills.fence_silent(now),
    )
    _forget_closed(now - KEEP_CLOSED)
    if reaped != Reaped():
        log.info("reaped", **{name: getattr(reaped, name) for name in Reaped.__slots__})
    return reaped


def rounds(leads: Callable[[], bool]) -> Rounds:
    """The thread that reaps while its process is the master."""
    return Rounds("reaper", lambda: leads() and reap(), EVERY, failed=EVERY)


def start() -> Rounds:
    """This process's own; it stops when the process ends."""
    thread = rounds(master.start().candidate.leads)
    thread.start()
    atexit.register(thread.stop)
    return thread


def reclaim(node: Node) -> int:
    """Take back what earlier incarnations of a node that starts still hold; the tasks."""
    earlier = Lease.objects.open().filter(node=node).exclude(incarnation=node.incarnation)
    return sum(moves.rescue(c) for c in rows.chunks(earlier.values_list("pk", flat=True), CHUNK))


def _note_deaf(lease_ids: list[int], now: datetime) -> None:
    """Note which nodes have not begun with what they were given.

    One that beats and hears nothing (it is cut off from the broker alone, say) would be given the
    same again and again, for it owns the land of its hosts and has nothing else to do.
    """
    closed = Lease.objects.filter(pk__in=lease_ids, closed_at__isnull=False, started_at=None)
    for node_id, incarnation in set(closed.values_list("node_id", "incarnation")):
        Node.objects.filter(pk=node_id, incarnation=incarnation).update(deaf_at=now)


def _forget_closed(before: datetime) -> None:
    old = Lease.objects.filter(closed_at__lt=before).values_list("pk", flat=True)[:1000]
    Lease.objects.filter(pk__in=list(old)).delete()
