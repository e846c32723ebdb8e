"""What waits on each host, and since when it may be given out.

Mercator's frontier (Heydon and Najork, 1999) with its back queues in the database: a HostQueue
row for each host and lane, whose `ready_at` this module derives from the tasks themselves.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Greatest

from hashworld.tasks import rows
from hashworld.tasks.models import SUSPECT, Host, HostQueue, Priority, Task
from hashworld.tasks.portion import Due

REFRESH_CHUNK = 500
#: SQLite takes at most 500 parts of a UNION; a statement of this size stays cheap to parse.
UNION_CHUNK = 100
#: Lanes in the order in which they are served.
LANES = (SUSPECT, *sorted(Priority.values, reverse=True))


def open_lanes(lanes: Iterable[tuple[int, int]]) -> None:
    """Make sure that there is a queue for each (host id, lane)."""
    pairs = sorted(set(lanes))
    rows.insert(HostQueue, ("host_id", "lane"), pairs, ignore=True)


def refresh(host_ids: Iterable[int]) -> None:
    """Derive the queues of these hosts anew; call it in the transaction that changed anything.

    A queue is ready when its earliest task is due and the host may be asked again; it is never
    ready while the host is paused or has as many tasks out as it may.
    """
    host = Host.objects.filter(pk=OuterRef("host_id"))
    open_host = host.filter(paused=False, out__lt=F("ahead"))
    earliest = Task.objects.filter(host_id=OuterRef("host_id"), lane=OuterRef("lane")).order_by(
        "due_at"
    )
    for chunk in rows.chunks(sorted(set(host_ids)), REFRESH_CHUNK):
        # Locked first: what the UPDATE reads is then no older than the last change by another.
        rows.lock(("id",), HostQueue, *rows.within("host_id", chunk))
        HostQueue.objects.filter(host_id__in=chunk).update(
            holder_id=Subquery(host.values("holder_id")[:1]),
            # Null when either is: GREATEST of MySQL and MAX of SQLite agree in this.
            ready_at=Greatest(
                Subquery(open_host.values("next_at")[:1]),
                Subquery(earliest.values("due_at")[:1]),
            ),
        )


def ready(node_id: int, now: datetime, limit: int) -> list[tuple[int, int]]:
    """(host id, lane) of queues that a node may be given from, in the order of service.

    Lane after lane; in each first those of hosts that the node holds, then those that nobody
    holds, and of each kind at most `limit`, the longest ready first.
    """
    part = (
        "SELECT * FROM (SELECT host_id, lane FROM tasks_hostqueue"
        " WHERE holder_id {} AND lane = %s AND ready_at <= %s ORDER BY ready_at LIMIT %s) AS q"
    )
    parts: list[str] = []
    parameters: list[Any] = []
    for lane in LANES:
        parts += [part.format("= %s"), part.format("IS NULL")]
        parameters += [node_id, *(bounds := (lane, rows.stamp(now), limit)), *bounds]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), parameters)
        return list(cursor.fetchall())


def due(queues: dict[tuple[int, int], int], now: datetime) -> list[Due]:
    """The due tasks, queue after queue, of each at most as many as it says."""
    found: list[Due] = []
    part = (
        "SELECT * FROM (SELECT id, host_id, lane, losses FROM tasks_task"
        " WHERE host_id = %s AND lane = %s AND due_at <= %s ORDER BY due_at LIMIT %s) AS q"
    )
    for chunk in rows.chunks(queues.items(), UNION_CHUNK):
        parameters = [
            value
            for (host_id, lane), limit in chunk
            for value in (host_id, lane, rows.stamp(now), limit)
        ]
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join([part] * len(chunk)), parameters)
            found += map(Due._make, cursor.fetchall())
    return found
