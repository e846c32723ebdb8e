"""How the tasks of a job ended, for whoever handed it in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count

from hashworld.tasks import rows
from hashworld.tasks.models import Attempt, Job, Task, TaskQuerySet
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
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Ending:
    """A way to end, and how many tasks ended so."""

    state: State
    status: int | None
    error: str
    count: int


def endings(job: Job) -> list[Ending]:
    """The ways in which a job's tasks ended, the most frequent first."""
    counted = (
        Task.objects.filter(job=job)
        .values_list("state", "status", "error")
        .annotate(count=Count("id"))
        .order_by("-count")
    )
    return [Ending(State(state), status, error, count) for state, status, error, count in counted]


def outcomes(job: Job) -> Iterator[Outcome]:
    """Every task's outcome, in the order of submission, read in chunks."""
    last = 0
    tasks = Task.objects.filter(job=job)
    while chunk := _read(tasks.filter(id__gt=last), CHUNK):
        yield from chunk
        last = chunk[-1].task


def failures(job: Job, limit: int) -> list[Outcome]:
    """The first tasks, at most `limit`, that were given up."""
    return _read(Task.objects.filter(job=job).in_state(State.RUNTIME_ERROR), limit)


def seconds_for(job: Job, share: float) -> tuple[int, float]:
    """How many tasks are this share of a finished job, and in how many seconds so many ended."""
    count = max(1, int(job.total * share))
    ended = Task.objects.filter(job=job).order_by("finished_at")
    moment = ended.values_list("finished_at", flat=True)[count - 1]
    assert moment is not None  # noqa: S101 - every task of a finished job has one
    return count, (moment - job.created_at) / timedelta(seconds=1)


#: Of the task and its content; then of its last attempt.
_TASK = ("id", "url", "state", "status", "error", "attempts", "content__size", "content__sha256")
_ATTEMPT = ("task_id", "number", "detail", "title", "final_url", "content_type")
_NO_ATTEMPT = ("", "", "", "")
_LABELS = {state.value: state.label for state in State}


def _read(tasks: TaskQuerySet, limit: int) -> list[Outcome]:
    """The first of them by two queries, without a model for each: an export has millions."""
    found = list(tasks.order_by("id").values_list(*_TASK)[:limit])
    tries = rows.select(_ATTEMPT, Attempt, "task_id", [row[0] for row in found])
    last: dict[int, Any] = {}
    for task_id, number, *told in tries:
        if task_id not in last or last[task_id][0] < number:
            last[task_id] = (number, told)
    return [_outcome(row, last[row[0]][1] if row[0] in last else _NO_ATTEMPT) for row in found]


def _outcome(row: Sequence[Any], told: Sequence[str]) -> Outcome:
    task_id, url, state, status, error, attempts, size, sha256 = row
    detail, title, final_url, content_type = told
    return Outcome(
        task=task_id,
        url=url,
        state=_LABELS[state],
        status=status,
        error=error,
        detail=detail,
        attempts=attempts,
        size=size,
        sha256=sha256,
        title=title,
        final_url=final_url or url,
        content_type=content_type,
    )
