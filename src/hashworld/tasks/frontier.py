"""What waits on each host, and since when it may be given out.

Mercator's frontier (Heydon and Najork, 1999) with its back queues in the database: a HostQueue
row for each host and lane, whose `ready_at` this module derives from the tasks themselves.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection

from hashworld.tasks import rows
from hashworld.tasks.models import SUSPECT, HostQueue, Priority
from hashworld.tasks.portion import Due

REFRESH_CHUNK = 500
#: SQLite takes at most 500 parts of a UNION; a statement of this size stays cheap to parse.
UNION_CHUNK = 100
#: Lanes in the order in which they are served.
LANES = (SUSPECT, *sorted(Priority.values, reverse=True))

_HOST = "FROM tasks_host AS h WHERE h.id = tasks_hostqueue.host_id"
_REFRESH = (
    f"UPDATE tasks_hostqueue SET holder_id = (SELECT h.holder_id {_HOST}), ready_at = {{later}}("  # noqa: S608
    f"(SELECT h.next_at {_HOST} AND NOT h.paused AND h.`out` < h.ahead),"
    " (SELECT t.due_at FROM tasks_task AS t WHERE t.host_id = tasks_hostqueue.host_id"
    " AND t.lane = tasks_hostqueue.lane ORDER BY t.due_at LIMIT 1))"
)


def open_lanes(lanes: Iterable[tuple[int, int]]) -> None:
    """Make sure that there is a queue for each (host id, lane)."""
    pairs = sorted(set(lanes))
    rows.insert(HostQueue, ("host_id", "lane"), pairs, ignore=True)


def refresh(host_ids: Iterable[int]) -> None:
    """Derive the queues of these hosts anew; call it in the transaction that changed anything.

    A queue is ready when its earliest task is due and the host may be asked again; it is never
    ready while the host is paused or has as many tasks out as it may.
    """
    for chunk in rows.chunks(sorted(set(host_ids)), REFRESH_CHUNK):
        where, _ = rows.within("host_id", chunk)
        # Locked first: what the UPDATE reads is then no older than the last change by another.
        rows.lock(("id",), HostQueue, where, [])
        with connection.cursor() as cursor:
            # Null when either moment is: GREATEST of MySQL and MAX of SQLite agree in this.
            later = "GREATEST" if connection.vendor == "mysql" else "MAX"
            cursor.execute(f"{_REFRESH.format(later=later)} WHERE {where}")


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


def waiting_since(node_ids: Iterable[int], now: datetime) -> datetime | None:
    """Since when that work waits longest which could be given out at once; None when none does.

    `node_ids` are the nodes that hold hosts. What a pause, a retry's time, a host's interval or its
    limit holds back is not counted: this is how long the cluster lets people wait.
    """
    part = (
        "SELECT MIN(ready_at) AS since FROM tasks_hostqueue"
        " WHERE holder_id {} AND lane = {:d} AND ready_at <= %s"
    )
    holders = ["IS NULL", *(f"= {int(node_id)}" for node_id in node_ids)]
    parts = [part.format(holder, lane) for holder in holders for lane in LANES]
    moments: list[datetime] = []
    for chunk in rows.chunks(parts, UNION_CHUNK):
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(chunk), [rows.stamp(now)] * len(chunk))
            moments += [rows.moment(value) for (value,) in cursor.fetchall() if value]
    return min(moments, default=None)


def due(queues: dict[tuple[int, int], int], now: datetime) -> list[Due]:
    """The due tasks, queue after queue, of each at most as many as it says."""
    found: list[Due] = []
    part = (
        "SELECT * FROM (SELECT id, host_id, lane, losses, job_id FROM tasks_task"
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
