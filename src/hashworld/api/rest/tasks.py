"""Tasks over REST."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Router
from ninja.params import functions
from pydantic import Field

from hashworld import download
from hashworld.api.door import opened, user
from hashworld.api.schemas import words
from hashworld.api.schemas.tasks import ActedOut, AttemptOut, Ids, ReasonOut, TaskOut, TaskPage
from hashworld.api.schemas.words import Id, StateName, Word
from hashworld.verbs import paging, tasks
from hashworld.verbs.filters import TaskFilter

router = Router(tags=["tasks"])

Task = Id


@opened(router, "GET", "/tasks", tasks.find, response=TaskPage)
def list_tasks(
    request: HttpRequest,
    state: list[StateName] = functions.Query([]),
    host: Word = "",
    code: Annotated[int, Field(ge=1, le=5)] | None = None,
    error: Word = "",
    job: Id | None = None,
    owner: Word = "",
    tag: Word = "",
    since: datetime | None = None,
    cursor: Word | None = None,
    limit: Annotated[int, Field(ge=1, le=paging.MOST)] = paging.USUAL,
) -> TaskPage:
    """The tasks that you may see, newest job and then newest task first.

    `code` is the class of the HTTP status, 1 to 5; `since` is when their job was handed in.
    """
    states = tuple(dict.fromkeys(words.state(name) for name in state))
    wanted = TaskFilter(states, host, code, error, job, owner, tag, since)
    page = tasks.find(user(request), wanted, cursor, limit)
    return TaskPage(items=[TaskOut.of(task) for task in page.items], next=page.next)


# Before the addresses with a number, which would take their names for one.
@opened(router, "POST", "/tasks/kill", tasks.kill, response=ActedOut)
def kill_tasks(request: HttpRequest, chosen: Ids) -> ActedOut:
    """End those that have not ended."""
    return _acted(request, tasks.kill, chosen)


@opened(router, "POST", "/tasks/retry", tasks.retry, response=ActedOut)
def retry_tasks(request: HttpRequest, chosen: Ids) -> ActedOut:
    """Let those that have ended wait again."""
    return _acted(request, tasks.retry, chosen)


@opened(router, "POST", "/tasks/delete", tasks.delete, response=ActedOut)
def delete_tasks(request: HttpRequest, chosen: Ids) -> ActedOut:
    """Delete those that have ended, with their attempts."""
    return _acted(request, tasks.delete, chosen)


@opened(router, "GET", "/tasks/{task_id}", tasks.get, response=TaskOut)
def get_task(request: HttpRequest, task_id: Task) -> TaskOut:
    """One task."""
    return TaskOut.of(tasks.get(user(request), task_id))


@opened(router, "GET", "/tasks/{task_id}/attempts", tasks.attempts, response=list[AttemptOut])
def list_attempts(request: HttpRequest, task_id: Task) -> list[AttemptOut]:
    """Its tries, the first one first."""
    return [AttemptOut.of(attempt) for attempt in tasks.attempts(user(request), task_id)]


@opened(router, "GET", "/tasks/{task_id}/why", tasks.why, response=ReasonOut)
def why_task(request: HttpRequest, task_id: Task) -> ReasonOut:
    """What keeps it from running at this moment."""
    found = tasks.why(user(request), task_id)
    return ReasonOut(cause=found.cause.value, sentence=found.sentence, remedy=found.remedy)


@opened(router, "GET", "/tasks/{task_id}/body", tasks.body, produces=["application/octet-stream"])
def get_body(request: HttpRequest, task_id: Task) -> HttpResponse:
    """The body of its newest success, byte by byte, as a file that no browser runs."""
    body = tasks.body(user(request), task_id)
    return download.attachment(body, f"task-{task_id}.bin")


def _acted(request: HttpRequest, act: Callable[..., tasks.Acted], chosen: Ids) -> ActedOut:
    acted = act(user(request), chosen.ids, chosen.reason)
    return ActedOut(
        done=sorted(acted.done), skipped=sorted(acted.skipped), unknown=sorted(acted.unknown)
    )
