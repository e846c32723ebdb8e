"""The only writer of a task's state (contract C2).

Each function makes one verb of `hashworld.tasks.states.MOVES` for a set of tasks in one
transaction: it takes the rows that the move is allowed for (and, where the move is fenced, that
are still under the given lease: contract C3), writes them, and settles everything that follows
from it: leases, hosts, queues, counters. Who is not among the moved has lost the race.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F, Q

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import frontier, rows
from hashworld.tasks.attempts import Ended, lost, record
from hashworld.tasks.models import COUNTERS, SUSPECT, Host, Job, Lease, Task
from hashworld.tasks.states import MOVES, OUT, TERMINAL, State, Verb
from hashworld.transaction import retried

#: The losses that end a task as `poison` (contract C6).
MAX_LOSSES = 3
CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Moved:
    """A task as it was when the move took it."""

    id: int
    job_id: int
    host_id: int
    lease_id: int | None
    state: int
    attempts: int
    losses: int
    lane: int


_FIELDS = tuple(Moved.__dataclass_fields__)


@retried
def lease(node: Node, task_ids: Sequence[int], suspicion: int) -> Lease | None:
    """Put due tasks under a new lease of `node`; None when not one of them was still waiting.

    The caller holds the rows of their hosts, which are the node's or nobody's; they become the
    node's. The lease must be started before it expires.
    """
    now = clock.now()
    new = Lease.objects.create(
        node=node,
        incarnation=node.incarnation,
        size=0,
        left=0,
        suspicion=suspicion,
        created_at=now,
        expires_at=now + timedelta(seconds=settings.ENV.lease_seconds),
    )
    moved = _take(Verb.LEASE, Q(id__in=task_ids))
    if not moved:
        new.delete()
        return None
    _write(Verb.LEASE, moved, {"lease_id": new.pk, "due_at": None})
    new.size = new.left = len(moved)
    new.save(update_fields=("size", "left"))
    out = Counter(task.host_id for task in moved)
    _add(Host, "out", out)
    Host.objects.filter(pk__in=sorted(out)).update(holder=node)
    _settle(Verb.LEASE, moved, now)
    return new


@retried
def start(lease_id: int, incarnation: str) -> list[Moved]:
    """Start a lease once, on the incarnation it was made for; the tasks that now run.

    Empty for a message that came twice, too late, or to another incarnation.
    """
    now = clock.now()
    began = Lease.objects.open().filter(pk=lease_id, started_at=None, incarnation=incarnation)
    expires_at = now + timedelta(seconds=settings.ENV.lease_seconds)
    if not began.update(started_at=now, expires_at=expires_at):
        return []
    moved = _take(Verb.START, Q(lease_id=lease_id))
    _write(Verb.START, moved, {})
    _settle(Verb.START, moved, now)
    return moved


@retried
def finish(ended: Sequence[Ended], now: datetime) -> set[int]:
    """Record ended tries: attempts, contents' references and states, in one transaction.

    A try whose lease is no longer its task's is dropped; the ids of the others are returned.
    """
    by_task = {try_.task_id: try_ for try_ in ended}
    recorded: set[int] = set()
    for verb in (Verb.SUCCEED, Verb.FAIL, Verb.RETRY_LATER):
        tries = [try_ for try_ in by_task.values() if try_.verb is verb]
        if not tries:
            continue
        fence = {try_.task_id: try_.lease_id for try_ in tries}
        moved = _take(verb, Q(id__in=fence), fence=fence)
        winners = [by_task[task.id] for task in moved]
        record(winners, {task.id: task.attempts + 1 for task in moved}, now)
        _write_ends(verb, moved, by_task, now)
        _settle(verb, moved, now)
        recorded.update(task.id for task in moved)
    return recorded


@retried
def rescue(lease_ids: Sequence[int]) -> int:
    """Take the tasks of lost leases back; the number taken.

    What was only queued waits again. What was running is counted as a loss, waits in the lane of
    suspects, and ends as `poison` at its third loss.
    """
    now = clock.now()
    nodes = dict(Lease.objects.filter(pk__in=lease_ids).values_list("pk", "node_id"))
    moved = _take(Verb.RESCUE, Q(lease_id__in=nodes))
    queued = [task for task in moved if task.state == State.INQUEUE]
    running = [task for task in moved if task.state == State.RUNNING]
    poison = [task for task in running if task.losses + 1 >= MAX_LOSSES]
    suspects = [task for task in running if task.losses + 1 < MAX_LOSSES]
    lost(running, nodes, now)
    _wait_again(Verb.RESCUE, queued, now, {})
    _wait_again(
        Verb.RESCUE,
        suspects,
        now,
        {"lane": SUSPECT, "losses": F("losses") + 1, "attempts": F("attempts") + 1},
    )
    _write(
        Verb.POISON,
        poison,
        {
            "losses": F("losses") + 1,
            "attempts": F("attempts") + 1,
            "error": "poison",
            "finished_at": now,
        },
    )
    _settle(Verb.POISON, poison, now)
    # A lease can be left without tasks that are out, when all of them were killed.
    Lease.objects.open().filter(pk__in=lease_ids).update(closed_at=now, left=0)
    return len(moved)


@retried
def release(lease_ids: Sequence[int], task_ids: Sequence[int] | None = None) -> int:
    """Give tasks of living leases back unharmed: drain, or a lease that was never published."""
    chosen = Q(lease_id__in=lease_ids)
    if task_ids is not None:
        chosen &= Q(id__in=task_ids)
    now = clock.now()
    moved = _take(Verb.RELEASE, chosen)
    _wait_again(Verb.RELEASE, moved, now, {})
    return len(moved)


def kill(task_ids: Iterable[int]) -> int:
    """End tasks that are not at their end; the number ended. A running fetch is cut off soon."""
    return sum(_kill(Q(id__in=chunk)) for chunk in rows.chunks(task_ids, CHUNK))


def kill_job(job_id: int) -> int:
    """End every task of a job that is not at its end; the number ended."""
    return _through_job(job_id, MOVES[Verb.KILL].sources, kill)


def retry(task_ids: Iterable[int]) -> int:
    """Let tasks at their end wait again, with their counts of errors and losses cleared."""
    return sum(_retry(chunk) for chunk in rows.chunks(task_ids, CHUNK))


def retry_job(job_id: int, states: Iterable[State]) -> int:
    """Retry every task of a job that is in one of these states; the number that wait again."""
    return _through_job(job_id, states, retry)


def _through_job(job_id: int, states: Iterable[State], verb: Any) -> int:
    total = 0
    for state in states:
        found = Task.objects.filter(state=state, job_id=job_id).order_by("id")
        last = 0
        while chunk := list(found.filter(id__gt=last).values_list("id", flat=True)[:CHUNK]):
            total += verb(chunk)
            last = chunk[-1]
    return total


@retried
def _kill(chosen: Q) -> int:
    now = clock.now()
    moved = _take(Verb.KILL, chosen)
    running = [task for task in moved if task.state == State.RUNNING]
    leases = [task.lease_id for task in running if task.lease_id]
    nodes = dict(Lease.objects.filter(pk__in=leases).values_list("pk", "node_id"))
    lost(running, nodes, now, error="killed")
    others = [task for task in moved if task.state != State.RUNNING]
    end = {"due_at": None, "finished_at": now, "error": "killed"}
    _write(Verb.KILL, running, {**end, "attempts": F("attempts") + 1})
    _write(Verb.KILL, others, end)
    _settle(Verb.KILL, moved, now)
    return len(moved)


@retried
def _retry(task_ids: Sequence[int]) -> int:
    now = clock.now()
    moved = _take(Verb.RETRY, Q(id__in=task_ids))
    lanes = dict(
        Job.objects.filter(pk__in={task.job_id for task in moved}).values_list("pk", "priority")
    )
    for priority in set(lanes.values()):
        some = [task for task in moved if lanes[task.job_id] == priority]
        fresh = {"failures": 0, "losses": 0, "error": "", "status": None, "content_id": None}
        _wait_again(Verb.RETRY, some, now, {"lane": priority, "finished_at": None, **fresh})
    return len(moved)


def _take(verb: Verb, chosen: Q, fence: Mapping[int, int] | None = None) -> list[Moved]:
    """Lock and return the tasks that the move may be made for."""
    sources = [int(state) for state in MOVES[verb].sources]
    found = Task.objects.select_for_update().filter(chosen, state__in=sources).order_by("id")
    moved = [Moved(*row) for row in found.values_list(*_FIELDS)]
    if fence is None:
        return moved
    return [task for task in moved if task.lease_id == fence[task.id]]


def _write(verb: Verb, moved: Sequence[Moved], columns: Mapping[str, Any]) -> None:
    move = MOVES[verb]
    if not moved:
        return
    guarded = Task.objects.filter(id__in=[task.id for task in moved], state__in=move.sources)
    guarded.update(state=move.target, **columns)


def _wait_again(
    verb: Verb, moved: Sequence[Moved], now: datetime, columns: Mapping[str, Any]
) -> None:
    if not moved:
        return
    lane = columns.get("lane")
    frontier.open_lanes((task.host_id, task.lane if lane is None else lane) for task in moved)
    _write(verb, moved, {"due_at": now, "lease_id": None, **columns})
    _settle(verb, moved, now)


def _write_ends(
    verb: Verb, moved: Sequence[Moved], by_task: Mapping[int, Ended], now: datetime
) -> None:
    """One guarded UPDATE whose rows differ in status, error, content and due time."""
    if not moved:
        return
    move = MOVES[verb]
    ends = {task.id: by_task[task.id] for task in moved}
    parts = [
        ("state = %s, attempts = attempts + 1", [int(move.target)]),
        rows.case("status", {i: end.status for i, end in ends.items()}),
        rows.case("error", {i: end.error for i, end in ends.items()}),
        rows.case("content_id", {i: end.content_id for i, end in ends.items()}),
    ]
    if verb is Verb.RETRY_LATER:
        due = {i: rows.stamp(now + timedelta(seconds=end.delay)) for i, end in ends.items()}
        parts += [("failures = failures + 1, lease_id = NULL", []), rows.case("due_at", due)]
    else:
        parts.append(("finished_at = %s", [rows.stamp(now)]))
    sources = [int(state) for state in move.sources]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE tasks_task SET {', '.join(sql for sql, _ in parts)}"  # noqa: S608
            f" WHERE id IN ({rows.marks(list(ends))}) AND state IN ({rows.marks(sources)})",
            [*(value for _, values in parts for value in values), *ends, *sources],
        )


def _settle(verb: Verb, moved: Sequence[Moved], now: datetime) -> None:
    """What follows from a move: leases and hosts are freed or filled, queues and counters kept."""
    if not moved:
        return
    target = MOVES[verb].target
    came_back = [task for task in moved if task.state in OUT and target not in OUT]
    if came_back:
        _add(Lease, "left", _less(task.lease_id for task in came_back if task.lease_id))
        Lease.objects.open().filter(pk__in={t.lease_id for t in came_back}, left=0).update(
            closed_at=now
        )
        _free_hosts(_less(task.host_id for task in came_back), now)
    if verb is not Verb.START:
        frontier.refresh(task.host_id for task in moved)
    _count(target, moved, now)


def _add(model: Any, column: str, amounts: Mapping[int, int]) -> None:
    by_amount: dict[int, list[int]] = {}
    for key, amount in amounts.items():
        by_amount.setdefault(amount, []).append(key)
    for amount, keys in by_amount.items():
        model.objects.filter(pk__in=sorted(keys)).update(**{column: F(column) + amount})


def _less(keys: Iterable[int]) -> dict[int, int]:
    return {key: -amount for key, amount in Counter(keys).items()}


def _free_hosts(amounts: Mapping[int, int], now: datetime) -> None:
    """Take tasks off their hosts' accounts; a host with nothing left out is let go."""
    _add(Host, "out", amounts)
    idle = Host.objects.filter(pk__in=sorted(amounts), out=0)
    for interval in set(idle.filter(min_interval__gt=0).values_list("min_interval", flat=True)):
        idle.filter(min_interval=interval).update(next_at=now + timedelta(seconds=interval))
    idle.update(holder=None)


def _count(target: State, moved: Sequence[Moved], now: datetime) -> None:
    """Keep the jobs' counters; last in the transaction, for their rows are the busiest."""
    by_job: dict[int, Counter[int]] = {}
    for task in moved:
        by_job.setdefault(task.job_id, Counter())[task.state] += 1
    for job_id, sources in sorted(by_job.items()):
        changes = {COUNTERS[State(s)]: F(COUNTERS[State(s)]) - n for s, n in sources.items()}
        column = COUNTERS[target]
        changes[column] = F(column) + sum(n for s, n in sources.items() if s != target)
        Job.objects.filter(pk=job_id).update(**changes)
    if target in TERMINAL:
        finish_jobs(by_job, now)
    elif target == State.WAITING:
        Job.objects.filter(pk__in=by_job).exclude(finished_at=None).update(finished_at=None)


def finish_jobs(job_ids: Iterable[int], now: datetime) -> None:
    """Mark those jobs finished that are sealed and have nothing left to do."""
    Job.objects.filter(
        pk__in=list(job_ids), sealed_at__isnull=False, waiting=0, inqueue=0, running=0
    ).filter(finished_at=None).update(finished_at=now)
