"""Jobs: hand in, list, look at, collect, and what to do with a whole one."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hashworld.tasks import events, intents, outcomes, pauses
from hashworld.tasks import submit as submission
from hashworld.tasks.models import Job, Wanted
from hashworld.tasks.outcomes import Outcome
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.taken import Line, Submission
from hashworld.verbs import audit, paging, rights
from hashworld.verbs.errors import Invalid, NotFound, QuotaExceeded, translated
from hashworld.verbs.filters import JobFilter
from hashworld.verbs.paging import Page
from hashworld.verbs.rights import Scope, verb

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: What `retry` can be asked for.
RETRIED = {"failed": Wanted.RETRY_FAILED, "killed": Wanted.RETRY_KILLED}


@verb(Scope.SUBMIT)
def submit(user: "User", urls: Iterable[str | Line], spec: JobSpec | None = None) -> Submission:
    """Make a job of `urls`: each a text, a pair of line number and text, or why a line has none.

    Raises Forbidden, Invalid, Conflict and QuotaExceeded; nothing is left of the job then.
    """
    rights.require(user, rights.ADD_JOB, "hand in jobs")
    try:
        with translated():
            return submission.submit(urls, spec, user)
    except QuotaExceeded as error:
        events.quota_hit(user.pk, user.get_username(), str(error))
        raise


@verb(Scope.READ)
def find(
    user: "User",
    wanted: JobFilter | None = None,
    cursor: str | None = None,
    limit: int = paging.USUAL,
) -> Page[Job]:
    """The jobs that a person may see, the newest first."""
    paging.check_limit(limit)
    place = paging.numbers(cursor, 1)
    wanted = wanted or JobFilter()
    wanted.check()
    jobs = wanted.narrow(rights.jobs(user)).order_by("-id")
    if place:
        jobs = jobs.filter(pk__lt=place[0])
    found = list(jobs.select_related("owner").prefetch_related("tags")[: limit + 1])
    more = paging.encode(found[limit - 1].pk) if len(found) > limit else None
    return Page(found[:limit], more)


@verb(Scope.READ)
def get(user: "User", job_id: int) -> Job:
    """One job; raises NotFound."""
    return rights.job(user, job_id)


@verb(Scope.READ)
def by_key(user: "User", key: str) -> Job:
    """The job that this person handed in under an idempotency key; raises NotFound."""
    found = rights.jobs(user).filter(idempotency_key=submission.namespaced(key, user)).first()
    if found is None:
        raise NotFound("There is no job of yours with this idempotency key.")
    return found


@verb(Scope.READ)
def results(user: "User", job_id: int) -> Iterator[Outcome]:
    """Every task of a job with what its last try told, in the order of submission."""
    rights.require(user, rights.VIEW_TASK, "see tasks")
    return outcomes.outcomes(rights.job(user, job_id))


@verb(Scope.OPERATE)
def kill(user: "User", job_id: int, reason: str = "") -> Job:
    """End all of it that has not ended; it is carried out in the background."""
    return _ask(user, job_id, rights.KILL, Wanted.KILL, reason)


@verb(Scope.OPERATE)
def retry(user: "User", job_id: int, which: str = "failed", reason: str = "") -> Job:
    """Let its "failed" or its "killed" tasks wait again; carried out in the background."""
    if which not in RETRIED:
        raise Invalid("which", f"must be one of {', '.join(RETRIED)}")
    return _ask(user, job_id, rights.RETRY, RETRIED[which], reason)


@verb(Scope.OPERATE)
def delete(user: "User", job_id: int, reason: str = "") -> Job:
    """Delete a finished job with all it has; carried out in the background.

    Raises Conflict while it has something to do.
    """
    return _ask(user, job_id, rights.DELETE_JOB, Wanted.DELETE, reason)


@verb(Scope.OPERATE)
def pause(user: "User", job_id: int, reason: str = "") -> bool:
    """Give out nothing more of it; False when it was so before, and only the reason changed."""
    found = _theirs(user, job_id, rights.PAUSE_JOB, "pause")
    with translated():
        changed = pauses.pause_job(job_id, reason)
    audit.note(user, "pause job", _name(found), reason=reason)
    return changed


@verb(Scope.OPERATE)
def resume(user: "User", job_id: int, reason: str = "") -> bool:
    """Give out its tasks again; False when it was not paused."""
    found = _theirs(user, job_id, rights.PAUSE_JOB, "resume")
    with translated():
        changed = pauses.resume_job(job_id)
    audit.note(user, "resume job", _name(found), reason=reason)
    return changed


def _ask(user: "User", job_id: int, permission: str, wanted: Wanted, reason: str) -> Job:
    found = _theirs(user, job_id, permission, wanted.value)
    with translated():
        intents.ask(job_id, wanted)
    audit.note(user, f"{wanted.value} job", _name(found), number=found.total, reason=reason)
    found.wanted = wanted
    return found


def _theirs(user: "User", job_id: int, permission: str, doing: str) -> Job:
    found = rights.job(user, job_id)
    rights.require_on(user, found, permission, doing)
    return found


def _name(job: Job) -> str:
    return f"job {job.pk}: {job.name}" if job.name else f"job {job.pk}"
