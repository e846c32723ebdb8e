"""What follows from a move of tasks: their leases, hosts, queues and jobs are kept in step.

Only `hashworld.tasks.moves` calls this, in the transaction of the move.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import F

from hashworld.tasks import frontier, rows
from hashworld.tasks.models import COUNTERS, Host, Job, Lease
from hashworld.tasks.states import MOVES, OUT, TERMINAL, State, Verb


class Moved(NamedTuple):
    """A task as it was when a move took it."""

    id: int
    job_id: int
    host_id: int
    lease_id: int | None
    state: int
    attempts: int
    losses: int


def settle(verb: Verb, moved: Sequence[Moved], now: datetime) -> None:
    """Keep everything in step with tasks that made a move."""
    if not moved:
        return
    target = MOVES[verb].target
    if target not in OUT:
        came_back = [task for task in moved if task.state in OUT]
        _lower_leases(Counter(task.lease_id for task in came_back if task.lease_id), now)
        _free_hosts(Counter(task.host_id for task in came_back), now)
    if verb is not Verb.START:
        frontier.refresh(task.host_id for task in moved)
    _count(target, moved, now)


def close(lease_ids: Iterable[int], now: datetime) -> None:
    """Close leases that answer for nothing any more: their tasks came back or were killed."""
    Lease.objects.open().filter(pk__in=list(lease_ids), left=0).update(closed_at=now)


def finish_jobs(job_ids: Iterable[int], now: datetime) -> None:
    """Mark those jobs finished that are sealed and have nothing left to do."""
    Job.objects.filter(
        pk__in=list(job_ids), sealed_at__isnull=False, waiting=0, inqueue=0, running=0
    ).filter(finished_at=None).update(finished_at=now)


def _lower_leases(amounts: Counter[int], now: datetime) -> None:
    if amounts:
        rows.add(Lease, "left", _negative(amounts))
        close(amounts, now)


def _free_hosts(amounts: Counter[int], now: datetime) -> None:
    """Take tasks off their hosts' accounts; a host with nothing left out is let go."""
    if not amounts:
        return
    rows.add(Host, "out", _negative(amounts))
    idle = Host.objects.filter(pk__in=sorted(amounts), out=0)
    for interval in set(idle.filter(min_interval__gt=0).values_list("min_interval", flat=True)):
        idle.filter(min_interval=interval).update(next_at=now + timedelta(seconds=interval))
    idle.update(holder=None)


def _negative(amounts: Mapping[int, int]) -> dict[int, int]:
    return {key: -amount for key, amount in amounts.items()}


def _count(target: State, moved: Sequence[Moved], now: datetime) -> None:
    """Keep the jobs' counters; last in the transaction, for their rows are the busiest."""
    by_job: dict[int, Counter[int]] = {}
    for task in moved:
        by_job.setdefault(task.job_id, Counter())[task.state] += 1
    for job_id, sources in sorted(by_job.items()):
        changes = {COUNTERS[State(s)]: F(COUNTERS[State(s)]) - n for s, n in sources.items()}
        changes[COUNTERS[target]] = F(COUNTERS[target]) + sum(sources.values())
        Job.objects.filter(pk=job_id).update(**changes)
    if target in TERMINAL:
        finish_jobs(by_job, now)
    elif target == State.WAITING:
        Job.objects.filter(pk__in=by_job).exclude(finished_at=None).update(finished_at=None)
