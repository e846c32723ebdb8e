"""Tasks: find among millions, look at, collect a body, and kill, retry or delete single ones."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hashworld.nodes import clock
from hashworld.tasks import content, moves, retention
from hashworld.tasks import why as reasons
from hashworld.tasks.models import Attempt, Content, Task
from hashworld.tasks.reasons import Reason
from hashworld.tasks.states import TERMINAL
from hashworld.verbs import audit, paging, rights, selection
from hashworld.verbs.errors import Invalid, NotFound, translated
from hashworld.verbs.filters import TaskFilter
from hashworld.verbs.paging import Page
from hashworld.verbs.rights import Scope, verb

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Ids of one call.
MOST_IDS = 10_000


@dataclass(frozen=True, slots=True)
class Acted:
    """What became of each id: done, left as it was, or unknown to this person."""

    done: frozenset[int]
    skipped: frozenset[int]
    unknown: frozenset[int]


@verb(Scope.READ)
def find(
    user: "User",
    wanted: TaskFilter | None = None,
    cursor: str | None = None,
    limit: int = paging.USUAL,
) -> Page[Task]:
    """The tasks that a person may see, newest job and then newest task first.

    A page may have fewer than `limit` although there are more: its `next` says so.
    """
    rights.require(user, rights.VIEW_TASK, "see tasks")
    wanted = wanted or TaskFilter()
    paging.check_limit(limit)
    wanted.check()
    place = paging.numbers(cursor, 2)
    jobs = wanted.narrow_jobs(rights.jobs(user))
    start = (place[0], place[1]) if place else None
    found, ended = selection.read(jobs, wanted, start, limit)
    return Page(found, paging.encode(*ended) if ended else None)


@verb(Scope.READ)
def get(user: "User", task_id: int) -> Task:
    """One task with its job and its host; raises NotFound."""
    rights.require(user, rights.VIEW_TASK, "see tasks")
    found = Task.objects.select_related("host", "content").filter(pk=task_id).first()
    job = rights.jobs(user).filter(pk=found.job_id).first() if found else None
    if found is None or job is None:
        raise NotFound(f"There is no task {task_id}.")
    found.job = job
    return found


@verb(Scope.READ)
def several(user: "User", task_ids: Iterable[int]) -> dict[int, Task]:
    """Tasks with their jobs, by number; raises NotFound naming the first that is not there."""
    rights.require(user, rights.VIEW_TASK, "see tasks")
    asked = _checked(task_ids)
    found = {task.pk: task for task in Task.objects.filter(pk__in=asked)}
    jobs = rights.jobs(user).in_bulk({task.job_id for task in found.values()})
    for task_id in sorted(asked):
        if task_id not in found or found[task_id].job_id not in jobs:
            raise NotFound(f"There is no task {task_id}.")
        found[task_id].job = jobs[found[task_id].job_id]
    return found


@verb(Scope.READ)
def attempts(user: "User", task_id: int) -> list[Attempt]:
    """Its tries, the first one first."""
    found = get(user, task_id)
    history = Attempt.objects.filter(task_id=found.pk).select_related("node", "content")
    return list(history.order_by("number"))


@verb(Scope.READ)
def why(user: "User", task_id: int) -> Reason:
    """What keeps it from running at this moment."""
    return reasons.why(get(user, task_id), clock.now())


@verb(Scope.READ)
def body(user: "User", task_id: int) -> bytes:
    """The body of its newest success; raises NotFound when it has none that can be read."""
    kept = content_of(user, task_id)
    with translated():
        return content.read(kept)


@verb(Scope.READ)
def content_of(user: "User", task_id: int) -> Content:
    """Where the body of its newest success is; raises NotFound when it has none."""
    rights.require(user, rights.VIEW_BODY, "see bodies")
    found = get(user, task_id)
    kept: Content | None = found.content
    if kept is None:
        raise NotFound(f"Task {task_id} has no body.")
    return kept


@verb(Scope.OPERATE)
def kill(user: "User", task_ids: Iterable[int], reason: str = "") -> Acted:
    """End those that have not ended."""
    return _act(user, task_ids, reason, "kill", rights.KILL, moves.kill, ended=False)


@verb(Scope.OPERATE)
def retry(user: "User", task_ids: Iterable[int], reason: str = "") -> Acted:
    """Let those that have ended wait again."""
    return _act(user, task_ids, reason, "retry", rights.RETRY, moves.retry, ended=True)


@verb(Scope.OPERATE)
def delete(user: "User", task_ids: Iterable[int], reason: str = "") -> Acted:
    """Delete those that have ended, with their attempts."""
    delete_ = retention.delete_tasks
    return _act(user, task_ids, reason, "delete", rights.DELETE_TASK, delete_, ended=True)


def _act(
    user: "User",
    task_ids: Iterable[int],
    reason: str,
    name: str,
    permission: str,
    act: Callable[[Iterable[int]], int],
    *,
    ended: bool,
) -> Acted:
    """Do it in one set to those that it can be done to; what became of each."""
    asked = _checked(task_ids)
    known = _actable(user, asked, permission)
    chosen = sorted(task_id for task_id, has_ended in known.items() if has_ended is ended)
    number = act(chosen)
    done = frozenset(chosen) if number == len(chosen) else _changed(chosen, ended)
    if number:
        target = f"task {chosen[0]}" if number == 1 else f"{number} tasks from {chosen[0]}"
        audit.note(user, f"{name} task", target, number=number, reason=reason)
    return Acted(done, frozenset(known) - done, asked - known.keys())


def _checked(task_ids: Iterable[int]) -> frozenset[int]:
    asked = frozenset(task_ids)
    if len(asked) > MOST_IDS:
        raise Invalid("ids", f"must be at most {MOST_IDS:,}; use a filter for more")
    return asked


def _actable(user: "User", asked: Collection[int], permission: str) -> dict[int, bool]:
    """Those of the tasks that a person may act on, and whether each has ended."""
    jobs = rights.actable(user, permission)
    rows = list(Task.objects.filter(pk__in=asked).values_list("pk", "job_id", "state"))
    theirs = set(jobs.filter(pk__in={job for _, job, _ in rows}).values_list("pk", flat=True))
    return {pk: state in TERMINAL for pk, job, state in rows if job in theirs}


def _changed(task_ids: Collection[int], ended: bool) -> frozenset[int]:
    """Those that are no longer as they were: some lost a race, so each is looked at."""
    found = Task.objects.filter(pk__in=task_ids).values_list("pk", "state")
    same = {pk for pk, state in found if (state in TERMINAL) is ended}
    return frozenset(task_ids) - same


@verb(Scope.READ)
def every(user: "User", wanted: TaskFilter, chunk: int = paging.MOST) -> Iterator[Task]:
    """All tasks that a person may see and that are wanted, read page by page."""
    page = find(user, wanted, None, chunk)

    def pages(page: Page[Task]) -> Iterator[Task]:
        yield from page.items
        while page.next is not None:
            page = find(user, wanted, page.next, chunk)
            yield from page.items

    return pages(page)
