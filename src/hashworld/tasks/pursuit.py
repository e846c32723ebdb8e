"""Carrying out what was asked of whole jobs, chunk by chunk, whoever dies meanwhile.

What is wanted stands in the job's row until nothing of it is left to do. Each chunk is a
transaction of its own; processes that carry out the same at once do no harm to each other.
"""

from time import monotonic

import structlog
from django.db.models import QuerySet

from hashworld.tasks import moves, parking, retention
from hashworld.tasks.models import Job, Lease, Task, Wanted
from hashworld.tasks.states import OUT, State
from hashworld.transaction import Overtaken, retried

log = structlog.get_logger(__name__)

CHUNK = 1000
#: How long one round takes at most, in seconds; the next begins a second after this one began.
ROUND_SECONDS = 0.8
_RETRIED = {Wanted.RETRY_FAILED: State.RUNTIME_ERROR, Wanted.RETRY_KILLED: State.KILLED}


def carry_out_all(seconds: float = ROUND_SECONDS) -> int:
    """Carry on with every job of which something is wanted, in turns; the number of chunks."""
    deadline, chunks = monotonic() + seconds, 0
    jobs = Job.objects.pursued()
    while jobs:
        for job_id in list(jobs):
            chunks += 1
            if not _step(job_id):
                jobs.remove(job_id)
            if monotonic() > deadline:
                return chunks
    return chunks


def carry_out(job_id: int) -> None:
    """Carry out all that is wanted of one job now; what another process does is left to it."""
    while _step(job_id):
        pass


def kill_job(job_id: int) -> int:
    """End every task of a job that is not at its end; the number ended."""
    total = 0
    while chunk := _unended(job_id):
        total += moves.kill(chunk)
    return total


def _step(job_id: int) -> bool:
    """Do the next chunk of what is wanted of a job; whether there may be more."""
    job = Job.objects.defer("body").filter(pk=job_id).first()
    if job is None:
        return False
    try:
        if job.wanted == Wanted.DELETE:
            return _delete(job)
        if job.wanted == Wanted.KILL:
            return _kill(job)
        if job.parked_to is not None:
            parking.step(job_id)
            return True
        return bool(job.wanted) and _retry(job)
    except Overtaken as error:
        log.info("left to whoever was quicker", job=job_id, reason=str(error))
        return False


def _kill(job: Job) -> bool:
    left = _unended(job.pk)
    moves.kill(left, job.asked_at)
    # What a submission that is not through still brings is killed too.
    if not left and job.sealed_at:
        _done(job)
    return bool(left)


def _delete(job: Job) -> bool:
    ids = list(Task.objects.filter(job_id=job.pk).values_list("id", flat=True)[:CHUNK])
    # What somebody retried since goes with the rest.
    moves.kill(ids, job.asked_at)
    retention.delete_tasks(ids)
    if not ids:
        Job.objects.filter(pk=job.pk, wanted=Wanted.DELETE).delete()
        log.info("job deleted", job=job.pk)
    return bool(ids)


@retried
def _retry(job: Job) -> bool:
    ended = Task.objects.filter(ended=_RETRIED[Wanted(job.wanted)], job_id=job.pk)
    after = ended.filter(id__gt=job.carried_to).order_by("id").values_list("id", flat=True)
    ids = list(after[:CHUNK])
    if not ids:
        _done(job)
        return False
    moves.retry(ids)
    # Once for each task: one that fails again is not retried again.
    if not _unchanged(job).update(carried_to=ids[-1]):
        raise Overtaken(f"job {job.pk} is retried by another")
    return True


def _done(job: Job) -> None:
    """Note that nothing is left to do."""
    if _unchanged(job).update(wanted="", asked_at=None, carried_to=0):
        log.info("carried out", job=job.pk, wanted=job.wanted)


def _unchanged(job: Job) -> QuerySet[Job]:
    """The job's row, if it is as it was read."""
    same = ("wanted", "asked_at", "carried_to")
    return Job.objects.filter(pk=job.pk, **{name: getattr(job, name) for name in same})


def _unended(job_id: int) -> list[int]:
    """Some of a job's tasks that are not at their end; those that are out come first."""
    unended = Task.objects.filter(ended=None, job_id=job_id).order_by("id")
    return _out(job_id) or list(unended.values_list("id", flat=True)[:CHUNK])


def _out(job_id: int) -> list[int]:
    """The tasks of a job that nodes have, by their leases: what runs must be cut off soon."""
    leases = list(Lease.objects.open().values_list("id", flat=True))
    out = Task.objects.filter(lease__in=leases, state__in=OUT, job_id=job_id)
    return list(out.values_list("id", flat=True))
