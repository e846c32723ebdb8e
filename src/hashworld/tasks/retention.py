"""Removing what is no longer wanted."""

from collections.abc import Iterable

from django.db.models import F

from hashworld.tasks import rows
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.models import COUNTERS, Attempt, Job, Task
from hashworld.tasks.states import TERMINAL, State
from hashworld.transaction import retried

CHUNK = 1000


def delete_tasks(task_ids: Iterable[int]) -> int:
    """Delete those of the tasks that are at their end, with their attempts; their number."""
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
    while ids := list(Task.objects.filter(job_id=job_id).values_list("id", flat=True)[:CHUNK]):
        deleted = delete_tasks(ids)
        if not deleted:
            raise InvalidInput("job", f"{job} has tasks again; kill it first")
        total += deleted
    job.delete()
    return total


@retried
def _delete(task_ids: list[int]) -> int:
    ended = Task.objects.select_for_update().filter(pk__in=task_ids, state__in=TERMINAL)
    found = list(ended.order_by("pk").values_list("pk", "job_id", "state"))
    ids = [pk for pk, _, _ in found]
    Attempt.objects.filter(task_id__in=ids).delete()
    Task.objects.filter(pk__in=ids).delete()
    for job_id in {job_id for _, job_id, _ in found}:
        for state in TERMINAL:
            number = sum(1 for _, job, s in found if job == job_id and s == state)
            if number:
                column = COUNTERS[State(state)]
                Job.objects.filter(pk=job_id).update(**{column: F(column) - number})
    return len(ids)
