"""The only writer of a task's state (contract C2).

Each function makes one verb of `hashworld.tasks.states.MOVES` for a set of tasks in one
transaction: it writes the rows that the move is allowed for (and, where the move is fenced, that
are still under the given lease: contract C3), and settles what follows: leases, hosts, queues,
counters. Lease, start and ends write first and look when somebody lost; the others lock first.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction

from hashworld.nodes import clock
from hashworld.nodes.models import Node
from hashworld.tasks import accounts, frontier, kills, parking, rows
from hashworld.tasks.accounts import Moved, Tally
from hashworld.tasks.attempts import Ended, lost, record, traces
from hashworld.tasks.lanes import SUSPECT
from hashworld.tasks.lifetimes import first_time, start_time
from hashworld.tasks.models import Host, Lease, Task
from hashworld.tasks.portion import Due, Portion
from hashworld.tasks.states import State, Verb
from hashworld.tasks.transitions import ids, take, write
from hashworld.transaction import retried

#: The losses that end a task as `poison` (contract C6).
MAX_LOSSES = 3
CHUNK = 1000
FAILED: rows.Assignment = ("failures = failures + 1", [])
LOST: list[rows.Assignment] = [("losses = losses + 1, attempts = attempts + 1", [])]
#: The index that dispatch reads has an entry with a lane and a due time for waiting tasks only.
NOT_WAITING: rows.Assignment = ("lane = NULL, due_at = NULL", [])


class Started(NamedTuple):
    """A task that a lease's start has set running, with what its fetch needs."""

    id: int
    job_id: int
    host_id: int
    url: str
    failures: int
    state: int
    attempts: int
    losses: int


class _NotAll(Exception):
    """Some of the tasks are no longer in the state or under the lease that was believed."""


@retried
def lease(
    node: Node,
    portions: Iterable[Portion],
    firsts: Mapping[frontier.Queue, Any] | None = None,
    held: Collection[int] = (),
) -> list[Lease]:
    """Put due tasks under new leases of `node`, of each portion those that are still waiting.

    The caller holds the rows of their hosts, which are the node's or nobody's; they become the
    node's. `firsts` says when the first of what is left in their queues is due, `held` which jobs
    had tasks parked. A lease must be started before it expires, which is soon: what is only queued
    is taken back at no cost.
    """
    now = clock.now()
    made = [_lease(node, portion, now) for portion in portions]
    taken = [task for _, tasks in made for task in tasks]
    out = Counter(task.host_id for task in taken)
    if out:
        rows.update(Host, out, [rows.added("out", out), rows.put("holder_id", node.pk)])
    frontier.advance(firsts or {})
    frontier.derive({*out, *(queue.host_id for queue in firsts or ())})
    # Whoever paused or killed a job must not see anything of it leased afterwards; and what was
    # parked of one that was resumed since would wait where nobody looks for it.
    jobs = [task.job_id for task in taken]
    guards = dict.fromkeys(jobs, parking.NOT_HELD) | dict.fromkeys(held, parking.HELD)
    from_waiting = [(job_id, int(State.WAITING)) for job_id in jobs]
    accounts.conclude([Tally(State.INQUEUE, from_waiting, guards)], now)
    return [new for new, tasks in made if tasks]


def _lease(node: Node, portion: Portion, now: datetime) -> tuple[Lease, list[Due]]:
    """A new lease and its tasks, those that still waited; without any it does not stay."""
    size = len(portion.tasks)
    new = Lease.objects.create(
        node=node,
        incarnation=node.incarnation,
        size=size,
        left=size,
        suspicion=portion.suspicion,
        created_at=now,
        expires_at=now + start_time(),
    )
    if write(Verb.LEASE, portion.task_ids, rows.put("lease_id", new.pk), NOT_WAITING) == size:
        return new, portion.tasks
    moved = {id_ for (id_,) in rows.select(("id",), Task, "lease_id", [new.pk])}
    new.size = new.left = len(moved)
    new.save(update_fields=("size", "left")) if moved else new.delete()
    return new, [task for task in portion.tasks if task.task_id in moved]


@retried
def start(lease_id: int, incarnation: str) -> list[Started]:
    """Start a lease once, on the incarnation it was made for; the tasks that now run.

    Empty for a message that came twice, too late, or to another incarnation.
    """
    now = clock.now()
    began = Lease.objects.filter(pk=lease_id, left__gt=0, started_at=None, incarnation=incarnation)
    if not began.update(started_at=now, expires_at=now + first_time()):
        return []
    # Whom the guarded UPDATE moved is known without having looked before: all that now run.
    write(Verb.START, [lease_id], key="lease_id")
    found = map(Started._make, rows.select(Started._fields, Task, "lease_id", [lease_id]))
    started = sorted(task for task in found if task.state == State.RUNNING)
    accounts.count(State.RUNNING, [(task.job_id, State.INQUEUE) for task in started], now)
    return started


@retried
def finish(ended: Sequence[Ended], now: datetime) -> set[tuple[int, int]]:
    """Record ended tries: attempts, contents' references and states, in one transaction.

    A try whose lease is no longer its task's is dropped; (lease id, task id) of the others.
    """
    tries = {end.pair: end for end in ended}
    back: list[Moved] = []
    tallies: list[Tally] = []
    for verb in (Verb.SUCCEED, Verb.FAIL, Verb.RETRY_LATER):
        told = [end for end in tries.values() if end.verb is verb]
        if verb is Verb.RETRY_LATER:
            told = _still_held(verb, told)
            delays = {end.task_id: end.delay for end in told}
            moved = [end.task for end in told]
            tallies += _wait(verb, moved, now, *traces(told), FAILED, delays=delays)
        else:
            told = _end(verb, told, now)
            moved = [end.task for end in told]
            tallies += accounts.settle(verb, moved, now)
        record(told, now)
        back += moved
    accounts.conclude(tallies, now, back)
    return {(task.lease_id or 0, task.id) for task in back}


def _end(verb: Verb, told: Sequence[Ended], now: datetime) -> list[Ended]:
    """Write ends, and return those that count. All do but for a race: to look first costs more."""
    with suppress(_NotAll), transaction.atomic():
        if _write_ends(verb, told, now) < len(told):
            raise _NotAll
        return list(told)
    winners = _still_held(verb, told)
    _write_ends(verb, winners, now)
    return winners


def _write_ends(verb: Verb, told: Sequence[Ended], now: datetime) -> int:
    by_lease: dict[int, list[Ended]] = {}
    for end in told:
        by_lease.setdefault(end.lease_id, []).append(end)
    finished, number = rows.put("finished_at", rows.stamp(now)), 0
    for lease_id, ends in by_lease.items():
        guard = f"lease_id = {lease_id:d}"
        number += write(verb, [end.task_id for end in ends], *traces(ends), finished, guard=guard)
    return number


def _still_held(verb: Verb, told: Sequence[Ended]) -> list[Ended]:
    """Lock the tasks of those tries that are still their leases'."""
    fence = {(end.task_id, end.lease_id) for end in told}
    held = take(verb, ids=[id_ for id_, _ in fence], fence=fence)
    winners = {(task.id, task.lease_id) for task in held}
    return [end for end in told if (end.task_id, end.lease_id) in winners]


@retried
def rescue(lease_ids: Sequence[int], *, expired: bool = False) -> int:
    """Take the tasks of lost leases back; the number taken.

    What was only queued waits again. What was running is counted as a loss, waits in the lane of
    suspects, and ends as `poison` at its third loss. With `expired`, a lease that has been renewed
    meanwhile is left alone.
    """
    now = clock.now()
    leases = Lease.objects.expired(now) if expired else Lease.objects.open()
    locked = leases.select_for_update().filter(pk__in=lease_ids).order_by("pk")
    nodes = dict(locked.values_list("pk", "node_id"))
    moved = take(Verb.RESCUE, leases=list(nodes))
    queued = [task for task in moved if task.state == State.INQUEUE]
    running = [task for task in moved if task.state == State.RUNNING]
    suspects = [task for task in running if task.losses + 1 < MAX_LOSSES]
    poison = [task for task in running if task.losses + 1 >= MAX_LOSSES]
    lost(running, nodes, now)
    tallies = _wait(Verb.RESCUE, queued, now)
    tallies += _wait(Verb.RESCUE, suspects, now, *LOST, lane=SUSPECT)
    end = [rows.put("error", "poison"), rows.put("finished_at", rows.stamp(now))]
    write(Verb.POISON, ids(poison), *LOST, *end)
    tallies += accounts.settle(Verb.POISON, poison, now)
    accounts.conclude(tallies, now, moved, nodes)
    kills.fence(nodes, now)
    return len(moved)


@retried
def release(lease_ids: Sequence[int]) -> int:
    """Give tasks of living leases back unharmed: drain, or a lease that was never published."""
    moved = take(Verb.RELEASE, leases=lease_ids)
    accounts.conclude(_wait(Verb.RELEASE, moved, now := clock.now()), now, moved, lease_ids)
    return len(moved)


@retried
def give_back(pairs: Sequence[tuple[int, int]]) -> int:
    """Give single tasks, as (lease id, task id), back unharmed; those under another lease stay."""
    fence = {(task_id, lease_id) for lease_id, task_id in pairs}
    moved = take(Verb.RELEASE, ids=[id_ for id_, _ in fence], fence=fence)
    accounts.conclude(_wait(Verb.RELEASE, moved, now := clock.now()), now, moved)
    return len(moved)


def kill(task_ids: Iterable[int], asked_at: datetime | None = None) -> int:
    """End tasks that are not at their end; the number ended. A running fetch is cut off soon.

    `asked_at` is when it was committed that they shall end, if that was not just now.
    """
    return sum(_kill(chunk, asked_at) for chunk in rows.chunks(task_ids, CHUNK))


def retry(task_ids: Iterable[int]) -> int:
    """Let tasks at their end wait again, with their counts of errors and losses cleared."""
    return sum(_retry(chunk) for chunk in rows.chunks(task_ids, CHUNK))


@retried
def _kill(task_ids: Sequence[int], asked_at: datetime | None = None) -> int:
    now = clock.now()
    moved = take(Verb.KILL, ids=task_ids)
    running = [task for task in moved if task.state == State.RUNNING]
    others = [task for task in moved if task.state != State.RUNNING]
    leases = [task.lease_id for task in running if task.lease_id]
    nodes = dict(Lease.objects.filter(pk__in=leases).values_list("pk", "node_id"))
    lost(running, nodes, now, "killed")
    kills.ask(running, asked_at or now)
    end = [NOT_WAITING, rows.put("error", "killed"), rows.put("finished_at", rows.stamp(now))]
    write(Verb.KILL, ids(running), *end, ("attempts = attempts + 1", []))
    write(Verb.KILL, ids(others), *end)
    accounts.conclude(accounts.settle(Verb.KILL, moved, now), now, moved)
    return len(moved)


@retried
def _retry(task_ids: Sequence[int]) -> int:
    now = clock.now()
    moved = take(Verb.RETRY, ids=task_ids)
    fresh: rows.Assignment = (
        "failures = 0, losses = 0, error = '', status = NULL, content_id = NULL,"
        " finished_at = NULL",
        [],
    )
    fresh_start = [task._replace(losses=0) for task in moved]
    accounts.conclude(_wait(Verb.RETRY, fresh_start, now, fresh), now)
    return len(moved)


def _wait(
    verb: Verb,
    moved: Sequence[Moved],
    now: datetime,
    *sets: rows.Assignment,
    lane: int | None = None,
    delays: Mapping[int, float] | None = None,
) -> list[Tally]:
    """Let tasks wait, in this lane or in their own, until now or until their delays are over."""
    if not moved:
        return []
    lanes = parking.lanes(moved, lane)
    paused = {task.job_id: int(lanes[task.id] is None) for task in moved}
    due = {id_: now + timedelta(seconds=s) for id_, s in (delays or {}).items()}
    dues: dict[frontier.Pair, datetime] = {}
    for task in moved:
        if (at := lanes[task.id]) is not None:
            own = due.get(task.id, now)
            dues[task.host_id, at] = min(own, dues.get((task.host_id, at), own))
    frontier.open_lanes(dues)
    write(
        verb,
        ids(moved),
        rows.case("due_at", {t.id: rows.stamp(due.get(t.id, now)) for t in moved}),
        rows.case("lane", lanes),
        rows.put("lease_id", None),
        *sets,
    )
    # A job paused or resumed since would leave tasks where nobody looks for them.
    held = {id_: f"paused = {is_}" for id_, is_ in paused.items()}
    return accounts.settle(verb, moved, now, held, dues)
