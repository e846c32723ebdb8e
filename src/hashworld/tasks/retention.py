"""Removing what is no longer wanted, in steps that are each one short transaction.

Whatever breaks off a removal, the next round goes on with it: what is left to do is in the
database, never in a process.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic

import structlog
from django.db.models import F

from hashworld.nodes import clock
from hashworld.tasks import keeping, rows
from hashworld.tasks.content import compaction, freeing
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.models import COUNTERS, Attempt, Job, Kill, Task
from hashworld.tasks.states import TERMINAL, State
from hashworld.transaction import retried

log = structlog.get_logger(__name__)

#: Tasks deleted in one transaction; with attempts and contents that is about a thousand rows.
CHUNK = 300
#: The seconds after which a round begins nothing new. It holds one of the node's two threads.
ROUND_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Retained:
    """What one round removed; `space` in bytes of packs."""

    jobs: int = 0
    tasks: int = 0
    space: int = 0


def retain() -> Retained:
    """Remove jobs that are kept no longer and win back the space of bodies; for ROUND_SECONDS."""
    until = monotonic() + ROUND_SECONDS
    # Retried while it was being removed: it is wanted again.
    Job.objects.filter(finished_at=None).exclude(removal_began_at=None).update(
        removal_began_at=None
    )
    jobs = tasks = 0
    rules, busy = keeping.rules(), set[int]()
    while monotonic() < until and (job_id := keeping.overdue(clock.now(), rules, busy)):
        busy.add(job_id)
        gone, whole = _remove(job_id, until)
        jobs, tasks = jobs + whole, tasks + gone
    done = Retained(jobs, tasks, compaction.tidy(until))
    if done != Retained():
        log.info("retained", **{name: getattr(done, name) for name in Retained.__slots__})
    return done


def delete_tasks(task_ids: Iterable[int]) -> int:
    """Delete those of the tasks that are at their end, with their attempts; their number.

    Bodies that no other attempt names are freed with them.
    """
    return sum(_delete(chunk) for chunk in rows.chunks(task_ids, CHUNK))


def delete_job(job_id: int) -> int:
    """Delete a finished job with all it has; the number of its tasks.

    Raises InvalidInput while it still has something to do.
    """
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        return 0
    if job.finished_at is None:
        raise InvalidInput("job", f"{job} is not finished; kill it first")
    total = 0
    while ids := _tasks(job_id):
        deleted = delete_tasks(ids)
        if not deleted:
            raise InvalidInput("job", f"{job} has tasks again; kill it first")
        total += deleted
    job.delete()
    return total


def _remove(job_id: int, until: float) -> tuple[int, bool]:
    """Delete a finished job step by step until the time is over; tasks gone, and whether all."""
    total = 0
    finished = Job.objects.filter(pk=job_id, finished_at__isnull=False)
    finished.filter(removal_began_at=None).update(removal_began_at=clock.now())
    while ids := _tasks(job_id):
        # Not at all when it was retried: what else has ended in it must stay.
        deleted = delete_tasks(ids) if finished.exists() else 0
        total += deleted
        if not deleted or monotonic() >= until:
            return total, False
    return total, bool(finished.delete()[0])


def _tasks(job_id: int) -> list[int]:
    return list(Task.objects.filter(job_id=job_id).values_list("id", flat=True)[:CHUNK])


@retried
def _delete(task_ids: list[int]) -> int:
    ended = Task.objects.select_for_update().filter(pk__in=task_ids, state__in=TERMINAL)
    found = list(ended.order_by("pk").values_list("pk", "job_id", "state"))
    ids = [pk for pk, _, _ in found]
    attempts = Attempt.objects.filter(task_id__in=ids)
    contents = set(attempts.exclude(content=None).values_list("content_id", flat=True))
    attempts.delete()
    Kill.objects.filter(task_id__in=ids).delete()
    Task.objects.filter(pk__in=ids).delete()
    freeing.free((content_id for content_id in contents if content_id), clock.now())
    for job_id in {job_id for _, job_id, _ in found}:
        for state in TERMINAL:
            number = sum(1 for _, job, s in found if job == job_id and s == state)
            if number:
                column = COUNTERS[State(state)]
                Job.objects.filter(pk=job_id).update(**{column: F(column) - number})
    return len(ids)
