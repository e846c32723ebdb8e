"""What an operator does to tasks: who may, what is done, and how it is told."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest

from hashworld.tasks import moves, retention


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do with tasks. `skips` says why some may be left as they are."""

    verb: str
    done: str
    permission: str
    make: Callable[[Iterable[int]], int]
    skips: str


KILL = Action(
    "kill",
    "Killed",
    "tasks.kill_task",
    moves.kill,
    "had already ended",
)
RETRY = Action(
    "retry",
    "Sent back to wait",
    "tasks.retry_task",
    moves.retry,
    "had not ended yet",
)
DELETE = Action(
    "delete",
    "Deleted",
    "tasks.delete_task",
    retention.delete_tasks,
    "had not ended yet: kill them first",
)


def allowed(request: HttpRequest, action: Action) -> bool:
    """Whether this user may do it."""
    return request.user.has_perm(action.permission)


def run(request: HttpRequest, action: Action, task_ids: Iterable[int]) -> None:
    """Do it and tell how many tasks it was done to, and how many were skipped and why."""
    chosen = list(task_ids)
    moved = action.make(chosen)
    tell(request, action, moved, skipped=len(chosen) - moved)


def tell(request: HttpRequest, action: Action, moved: int, skipped: int = 0) -> None:
    """Say what came of it."""
    parts = [f"{action.done}: {_tasks(moved)}." if moved else f"No task to {action.verb}."]
    if skipped:
        parts.append(f"Skipped {_tasks(skipped)} that {action.skips}.")
    messages.add_message(request, messages.SUCCESS if moved else messages.WARNING, " ".join(parts))


def _tasks(count: int) -> str:
    return f"{count:,} task" if count == 1 else f"{count:,} tasks"
