"""Reading tasks that fit a filter, some at a time, by index however many there are."""

from hashworld.tasks.models import JobQuerySet, Task, TaskQuerySet
from hashworld.verbs.filters import TaskFilter

#: Jobs are looked through in windows of so many, or of so many tasks if that is fewer.
WINDOW_JOBS = 200
WINDOW_TASKS = 10_000
#: A reading ends after so many windows, full or not, so that none takes long.
WINDOWS = 50

#: A job, and a task of it; or 0 for the end of the job.
Place = tuple[int, int]


def read(
    jobs: JobQuerySet, wanted: TaskFilter, place: Place | None, limit: int
) -> tuple[list[Task], Place | None]:
    """Up to `limit` tasks of `jobs` after `place`, and the place where to go on, None at the end.

    The order is that of the indexes (job) and (ended, job) read backwards, so that nothing is
    sorted and what is skipped is not read.
    """
    found: list[Task] = []
    before = place[0] if place else None
    if place and place[1] and jobs.filter(pk=place[0]).exists():
        found += _newest(wanted, [place[0]]).filter(id__lt=place[1])[:limit]
    for _ in range(WINDOWS):
        if len(found) == limit:
            break
        window = _window(jobs, before)
        if not window:
            return found, None
        found += _newest(wanted, window)[: limit - len(found)]
        before = window[-1]
    if len(found) == limit:
        return found, (found[-1].job_id, found[-1].pk)
    return found, (before, 0) if before else None


def _newest(wanted: TaskFilter, job_ids: list[int]) -> TaskQuerySet:
    tasks: TaskQuerySet = Task.objects.filter(job_id__in=job_ids)
    return wanted.narrow(tasks).select_related("host").order_by("-job_id", "-id")


def _window(jobs: JobQuerySet, before: int | None) -> list[int]:
    """The next jobs down from `before`: one large one alone, or many small ones."""
    rows = jobs.filter(pk__lt=before) if before else jobs
    window: list[int] = []
    total = 0
    for job in rows.order_by("-id")[:WINDOW_JOBS]:
        if window and total + job.total > WINDOW_TASKS:
            break
        window.append(job.pk)
        total += job.total
    return window
