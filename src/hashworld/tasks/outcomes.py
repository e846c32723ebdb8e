"""How the tasks of a job ended, for whoever handed it in."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count

from hashworld.tasks.models import Attempt, Job, Task
from hashworld.tasks.states import State

CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """One task and what its last attempt told; `size` is the kept body's, in bytes."""

    task: int
    url: str
    state: str
    status: int | None
    error: str
    detail: str
    attempts: int
    size: int | None
    sha256: str | None
    title: str
    final_url: str
    content_type: str

    def as_dict(self) -> dict[str, Any]:
        """The outcome as a JSON object's members."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Ending:
    """A way to end, and how many tasks ended so."""

    state: State
    status: int | None
    error: str
    count: int


def endings(job: Job) -> list[Ending]:
    """The ways in which a job's tasks ended, the most frequent first."""
    rows = (
        Task.objects.filter(job=job)
        .values_list("state", "status", "error")
        .annotate(count=Count("id"))
        .order_by("-count")
    )
    return [Ending(State(state), status, error, count) for state, status, error, count in rows]


def outcomes(job: Job) -> Iterator[Outcome]:
    """Every task's outcome, in the order of submission, read in chunks."""
    last = 0
    while chunk := list(_tasks(job).filter(id__gt=last).order_by("id")[:CHUNK]):
        yield from _with_attempts(chunk)
        last = chunk[-1].pk


def failures(job: Job, limit: int) -> list[Outcome]:
    """The first tasks, at most `limit`, that were given up."""
    return _with_attempts(list(_tasks(job).in_state(State.RUNTIME_ERROR).order_by("id")[:limit]))


def seconds_for(job: Job, share: float) -> tuple[int, float]:
    """How many tasks are this share of a finished job, and in how many seconds so many ended."""
    count = max(1, int(job.total * share))
    ended = Task.objects.filter(job=job).order_by("finished_at")
    moment = ended.values_list("finished_at", flat=True)[count - 1]
    assert moment is not None  # noqa: S101 - every task of a finished job has one
    return count, (moment - job.created_at) / timedelta(seconds=1)


def _tasks(job: Job) -> Any:
    return Task.objects.filter(job=job).select_related("content")


def _with_attempts(tasks: list[Task]) -> list[Outcome]:
    history = Attempt.objects.filter(task__in=[task.pk for task in tasks]).order_by("number")
    last = {attempt.task_id: attempt for attempt in history.defer("headers", "redirects")}
    return [_outcome(task, last.get(task.pk) or Attempt()) for task in tasks]


def _outcome(task: Task, attempt: Attempt) -> Outcome:
    return Outcome(
        task=task.pk,
        url=task.url,
        state=State(task.state).label,
        status=task.status,
        error=task.error,
        detail=attempt.detail,
        attempts=task.attempts,
        size=task.content.size if task.content else None,
        sha256=task.content.sha256 if task.content else None,
        title=attempt.title,
        final_url=attempt.final_url or task.url,
        content_type=attempt.content_type,
    )
