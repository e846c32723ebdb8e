"""What people ask of whole jobs: kill, retry, delete. Pauses: `hashworld.tasks.pauses`.

Each is one short write to the job's row, however many tasks it has; from its commit on it holds,
and `hashworld.tasks.pursuit` carries it out.
"""

from django.db import transaction

from hashworld.nodes import clock
from hashworld.tasks import dispatcher
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.models import Job, Wanted

#: What is said of a job while something is carried out.
UNDER_WAY = {
    Wanted.KILL: "is being killed",
    Wanted.RETRY_FAILED: "is being retried",
    Wanted.RETRY_KILLED: "is being retried",
    Wanted.DELETE: "is being deleted",
}


def ask(job_id: int, wanted: Wanted) -> None:
    """Ask something of a whole job; asking the same again changes nothing.

    A kill takes the place of a retry that is under way. Raises InvalidInput when there is no such
    job, and when what is asked does not go with what is under way.
    """
    with transaction.atomic():
        job = locked(job_id)
        if job.wanted == wanted:
            return
        if job.wanted and not (wanted == Wanted.KILL and job.wanted != Wanted.DELETE):
            raise busy(job)
        if wanted == Wanted.DELETE and job.finished_at is None:
            raise InvalidInput("job", f"{job} is not finished; kill it first")
        Job.objects.filter(pk=job_id).update(wanted=wanted, asked_at=clock.now(), carried_to=0)
    dispatcher.nudge()


def locked(job_id: int) -> Job:
    """A job, its row locked until the transaction ends; raises InvalidInput if there is none."""
    job = Job.objects.select_for_update().defer("body").filter(pk=job_id).first()
    if job is None:
        raise InvalidInput("job", f"there is no job {job_id}")
    return job


def busy(job: Job) -> InvalidInput:
    """The error that a job is busy with what was asked of it before."""
    since = f"{job.asked_at:%H:%M:%S} UTC" if job.asked_at else "now"
    doing = UNDER_WAY[Wanted(job.wanted)]
    return InvalidInput("job", f"{job} {doing} since {since}; wait until that is done")
