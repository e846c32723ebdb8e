"""What the page of one task tells: where it is and why, each try, and the body it brought."""

from dataclasses import dataclass

from hashworld.console import text, timings
from hashworld.console.text import Preview
from hashworld.console.timings import Phase
from hashworld.nodes import clock
from hashworld.tasks import content
from hashworld.tasks.errors import ContentDamaged
from hashworld.tasks.models import Attempt, Kill, Task
from hashworld.tasks.states import TERMINAL
from hashworld.tasks.why import Reason, why

#: A task is tried a few times; one that was retried by hand for ever shows its last tries.
SHOWN = 50


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt with its times; `seconds` is all it took, measured or by the clock."""

    attempt: Attempt
    seconds: float
    phases: list[Phase]
    kill: Kill | None = None


@dataclass(frozen=True, slots=True)
class TaskPage:
    """The story of a task, the last try first."""

    tries: list[Try]
    last: Attempt | None
    why: Reason
    body: Preview | None
    damage: str
    terminal: bool


def read(task: Task, *, with_body: bool) -> TaskPage:
    """Gather the page; `with_body` when the reader may see what was fetched."""
    killed = {kill.number: kill for kill in Kill.objects.filter(task=task)}
    tries = [_try(attempt, killed.get(attempt.number)) for attempt in _attempts(task)]
    bringing = (found.attempt for found in tries if found.attempt.content_id == task.content_id)
    source = next(bringing, None) if task.content_id else None
    body, damage = _body(task, source) if with_body and task.content_id else (None, "")
    return TaskPage(
        tries,
        source or (tries[0].attempt if tries else None),
        why(task, clock.now()),
        body,
        damage,
        terminal=task.state in TERMINAL,
    )


def _attempts(task: Task) -> list[Attempt]:
    newest = Attempt.objects.filter(task=task).order_by("-number")
    return list(newest.prefetch_related("node")[:SHOWN])


def _try(attempt: Attempt, kill: Kill | None) -> Try:
    measured = attempt.total_ms
    spent = (attempt.finished_at - attempt.started_at).total_seconds()
    seconds = spent if measured is None else measured / 1000
    return Try(attempt, seconds, timings.phases(attempt), kill)


def _body(task: Task, source: Attempt | None) -> tuple[Preview | None, str]:
    """The beginning of the body, or what is wrong with it."""
    if task.content is None:
        return None, "the record of it is gone"
    try:
        whole = content.read(task.content)
    except ContentDamaged as error:
        return None, str(error)
    return text.preview(whole, source.charset if source else ""), ""
