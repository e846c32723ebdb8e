"""What a person does to tasks: by which verb, whether it is offered, and how it is told."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest

from hashworld.console.acting import perform, person
from hashworld.tasks.models import Job
from hashworld.verbs import rights, tasks
from hashworld.verbs.tasks import Acted


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do with tasks. `skips` says why some may be left as they are."""

    verb: str
    done: str
    permission: str
    make: Callable[[User, Iterable[int]], Acted]
    skips: str


KILL = Action("kill", "Killed", rights.KILL, tasks.kill, "had already ended")
RETRY = Action("retry", "Sent back to wait", rights.RETRY, tasks.retry, "had not ended yet")
DELETE = Action(
    "delete", "Deleted", rights.DELETE_TASK, tasks.delete, "had not ended yet: kill them first"
)


def allowed(request: HttpRequest, action: Action) -> bool:
    """Whether this person may do it to some tasks: to all of them, or to their own."""
    user = person(request)
    return rights.may(user, rights.ADD_JOB) or rights.may(user, action.permission)


def allowed_on(request: HttpRequest, action: Action, job: Job) -> bool:
    """Whether this person may do it to the tasks of a job."""
    return rights.acts_on(person(request), job, action.permission)


def run(request: HttpRequest, action: Action, task_ids: Iterable[int]) -> None:
    """Do it and tell how many tasks it was done to, and how many were skipped and why."""
    chosen = list(task_ids)
    acted = perform(request, lambda: action.make(person(request), chosen))
    if acted is not None:
        tell(request, action, len(acted.done), skipped=len(chosen) - len(acted.done))


def tell(request: HttpRequest, action: Action, moved: int, skipped: int = 0) -> None:
    """Say what came of it."""
    parts = [f"{action.done}: {_tasks(moved)}." if moved else f"No task to {action.verb}."]
    if skipped:
        parts.append(f"Skipped {_tasks(skipped)} that {action.skips}.")
    messages.add_message(request, messages.SUCCESS if moved else messages.WARNING, " ".join(parts))


def _tasks(count: int) -> str:
    return f"{count:,} task" if count == 1 else f"{count:,} tasks"
