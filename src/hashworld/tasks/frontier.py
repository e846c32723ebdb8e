"""What waits on each host, and since when it may be given out.

Mercator's frontier (Heydon and Najork, 1999) with its back queues in the database: a HostQueue
row for each host and lane. Its `due_at`, when the first of its tasks is due, is carried along as
tasks come and go, for to look it up is dear: the index of what is due keeps the entries of what
has just been given out until InnoDB has purged them, and the first one stands behind them all.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from django.db import connection

from hashworld.tasks import rows
from hashworld.tasks.lanes import in_order, shares
from hashworld.tasks.models import HostQueue, Lane, Task
from hashworld.tasks.portion import Due
from hashworld.transaction import retried

REFRESH_CHUNK = 500
#: SQLite takes at most 500 parts of a UNION; a statement of this size stays cheap to parse.
UNION_CHUNK = 100

#: What names a queue: the id of its host, and its lane.
Pair = tuple[int, int]


class Queue(NamedTuple):
    """A queue as it was read: when the first of its tasks is due, and how often any had come."""

    host_id: int
    lane: int
    id: int
    due_at: Any
    arrivals: int


_HOST = "FROM tasks_host AS h WHERE h.id = tasks_hostqueue.host_id"
_DERIVE = (
    f"UPDATE tasks_hostqueue SET holder_id = (SELECT h.holder_id {_HOST}), ready_at = {{later}}("  # noqa: S608
    f"(SELECT h.next_at {_HOST} AND NOT h.paused AND h.`out` < h.ahead), due_at)"
)
_LOOK_UP = (
    "UPDATE tasks_hostqueue SET arrivals = arrivals + 1, due_at = (SELECT t.due_at"
    " FROM tasks_task AS t WHERE t.host_id = tasks_hostqueue.host_id"
    " AND t.lane = tasks_hostqueue.lane ORDER BY t.due_at LIMIT 1)"
)


@retried
def open_lanes(lanes: Iterable[Pair]) -> None:
    """Make sure that there is a queue for each (host id, lane)."""
    pairs = sorted(set(lanes))
    columns = ("host_id", "lane", "arrivals")
    if rows.insert(HostQueue, columns, [(*pair, 0) for pair in pairs], ignore=True):
        used = sorted({lane for _, lane in pairs})
        rows.insert(Lane, ("id",), [(lane,) for lane in used], ignore=True)


def refresh(host_ids: Iterable[int]) -> None:
    """Look up what is due first in all queues of these hosts, and derive the rest of them.

    Right after whatever change, and slow; call it in the transaction of the change.
    """
    for chunk in rows.chunks(sorted(set(host_ids)), REFRESH_CHUNK):
        where, _ = rows.within("host_id", chunk)
        _lock(where)
        with connection.cursor() as cursor:
            cursor.execute(f"{_LOOK_UP} WHERE {where}")
        _derive(where)


def derive(host_ids: Iterable[int]) -> None:
    """Keep the queues in step with their hosts, in the transaction that changed these.

    A queue is ready when its first task is due and the host may be asked again; it is never
    ready while the host is paused or has as many tasks out as it may.
    """
    for chunk in rows.chunks(sorted(set(host_ids)), REFRESH_CHUNK):
        where, _ = rows.within("host_id", chunk)
        _lock(where)
        _derive(where)


def arrive(dues: Mapping[Pair, datetime]) -> None:
    """Take account of tasks that wait from now on, the first of each queue at these moments.

    Call it in the transaction that lets them wait, for queues that are there.
    """
    for lane in sorted({lane for _, lane in dues}):
        moments = {host_id: rows.stamp(due) for (host_id, at), due in dues.items() if at == lane}
        for hosts in rows.chunks(sorted(moments), REFRESH_CHUNK):
            sql, values = rows.chosen("host_id", {host_id: moments[host_id] for host_id in hosts})
            earlier = f"due_at = {_function('LEAST', 'MIN')}(COALESCE(due_at, {sql}), {sql})"
            sets = [rows.more("arrivals", 1), (earlier, values + values)]
            rows.update(HostQueue, hosts, sets, f"lane = {lane:d}", key="host_id")
    for hosts in rows.chunks(sorted({host_id for host_id, _ in dues}), REFRESH_CHUNK):
        _derive(rows.within("host_id", hosts)[0])


def advance(firsts: Mapping[Queue, Any]) -> None:
    """Say when the first of what is left in each queue is due, None if nothing is left.

    A queue in which something has come since it was read stays as it is: what it says is then
    too early at worst, and who looks there finds out.
    """
    if firsts:
        dues = rows.case("due_at", {queue.id: due_at for queue, due_at in firsts.items()})
        sql, values = rows.chosen("id", {queue.id: queue.arrivals for queue in firsts})
        ids = [queue.id for queue in firsts]
        rows.update(HostQueue, ids, [dues], f"arrivals = {sql}" % tuple(values))


def _lock(where: str) -> None:
    """What is read after this is no older than the last change by another."""
    rows.lock(("id",), HostQueue, where, [])


def _derive(where: str) -> None:
    with connection.cursor() as cursor:
        # Null when either moment is: both agree in this.
        later = _function("GREATEST", "MAX")
        cursor.execute(f"{_DERIVE.format(later=later)} WHERE {where}")


def _function(mysql: str, sqlite: str) -> str:
    return mysql if connection.vendor == "mysql" else sqlite


def ready(node_id: int, now: datetime, limit: int) -> dict[Pair, Queue]:
    """The queues that a node may be given from, in the order of service.

    Lane after lane; in each first those of hosts that the node holds, then those that nobody
    holds, and of each kind at most `limit`, the longest ready first. Lanes of the same rank that
    have something share what one of them would have alone.
    """
    part = (
        "SELECT * FROM (SELECT host_id, lane, id, due_at, arrivals FROM tasks_hostqueue"
        " WHERE holder_id {} AND lane = %s AND ready_at <= %s ORDER BY ready_at LIMIT %s) AS q"
    )
    held, free = part.format(f"= {node_id:d}"), part.format("IS NULL")
    asked = [(lane, rows.stamp(now), limit) for lane in lanes()]
    found: dict[int, list[Queue]] = {}
    for row in chain(_union(held, asked), _union(free, asked)):
        found.setdefault(row[1], []).append(Queue._make(row))
    parts = shares(found, 2 * limit)
    chosen = (queue for lane in in_order(found) for queue in found[lane][: parts[lane]])
    return {(queue.host_id, queue.lane): queue for queue in chosen}


def lanes() -> list[int]:
    """Every lane that was ever used."""
    return in_order(lane for (lane,) in rows.find(("id",), Lane, "1 = 1"))


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
    parts = [part.format(holder, lane) for lane in lanes() for holder in holders]
    moments: list[datetime] = []
    for chunk in rows.chunks(parts, UNION_CHUNK):
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(chunk), [rows.stamp(now)] * len(chunk))
            moments += [rows.moment(value) for (value,) in cursor.fetchall() if value]
    return min(moments, default=None)


def supplied(node_ids: Collection[int], now: datetime) -> set[int]:
    """Those of these nodes that hold hosts of which they may be given more at this moment."""
    part = (
        "SELECT * FROM (SELECT holder_id FROM tasks_hostqueue"
        " WHERE holder_id = %s AND lane = %s AND ready_at <= %s LIMIT 1) AS q"
    )
    asked = [(node_id, lane, rows.stamp(now)) for lane in lanes() for node_id in node_ids]
    return {node_id for (node_id,) in _union(part, asked)}


def due(
    wanted: Mapping[Pair, int], queues: Mapping[Pair, Queue], now: datetime
) -> dict[Pair, list[Due]]:
    """The due tasks of queues as they were read, of each at most as many as is wanted and one more.

    Nothing that waits is due before what its queue says is first; to begin there spares the index.
    """
    found: dict[Pair, list[Due]] = {pair: [] for pair in wanted}
    part = (
        "SELECT * FROM (SELECT id, host_id, lane, losses, job_id FROM tasks_task"
        " WHERE host_id = %s AND lane = %s AND due_at >= %s AND due_at <= %s"
        " ORDER BY due_at LIMIT %s) AS q"
    )
    asked = [
        (*pair, queues[pair].due_at, rows.stamp(now), limit + 1) for pair, limit in wanted.items()
    ]
    for row in _union(part, asked):
        task = Due._make(row)
        found[task.host_id, task.lane].append(task)
    return found


def dues(task_ids: Iterable[int]) -> dict[int, Any]:
    """When these tasks are due, as the database tells it."""
    return dict(rows.select(("id", "due_at"), Task, "id", task_ids))


def later(pairs: Iterable[Pair], now: datetime) -> dict[Pair, Any]:
    """When the first of those tasks of each queue is due that are not due yet, if there is one."""
    part = (
        "SELECT * FROM (SELECT host_id, lane, due_at FROM tasks_task"
        " WHERE host_id = %s AND lane = %s AND due_at > %s ORDER BY due_at LIMIT 1) AS q"
    )
    found = _union(part, [(*pair, rows.stamp(now)) for pair in pairs])
    return {(host_id, lane): due_at for host_id, lane, due_at in found}


def _union(part: str, parameters: Sequence[Sequence[Any]]) -> Iterator[Any]:
    """The rows of one SELECT after the other, each with its own parameters."""
    for chunk in rows.chunks(parameters, UNION_CHUNK):
        with connection.cursor() as cursor:
            cursor.execute(
                " UNION ALL ".join([part] * len(chunk)), [value for row in chunk for value in row]
            )
            yield from cursor.fetchall()
