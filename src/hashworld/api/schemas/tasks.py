"""Tasks, their tries and bulk operations as the REST door says and takes them."""

from datetime import datetime
from typing import Annotated

from ninja import Schema
from pydantic import Field

from hashworld.api.schemas.words import (
    Id,
    In,
    Reason,
    StateName,
    Verb,
    Word,
    state,
    state_name,
)
from hashworld.tasks.models import Attempt, Task
from hashworld.verbs.filters import TaskFilter
from hashworld.verbs.models import Operation


class TaskOut(Schema):
    """A task."""

    id: int
    job: int
    url: str
    host: str
    state: StateName
    status: int | None
    error: str
    attempts: int
    due_at: datetime | None
    finished_at: datetime | None
    has_body: bool

    @classmethod
    def of(cls, task: Task) -> "TaskOut":
        """A task as it is told."""
        return cls(
            id=task.pk,
            job=task.job_id,
            url=task.url,
            host=task.host.name,
            state=state_name(task.state),
            status=task.status,
            error=task.error,
            attempts=task.attempts,
            due_at=task.due_at,
            finished_at=task.finished_at,
            has_body=task.content_id is not None,
        )


class TaskPage(Schema):
    """Some tasks; it may be shorter than asked for although `next` says that there are more."""

    items: list[TaskOut]
    next: str | None


class AttemptOut(Schema):
    """One try of a task; timings in milliseconds."""

    number: int
    node: str
    started_at: datetime
    finished_at: datetime
    status: int | None
    error: str
    detail: str
    final_url: str
    ip: str
    received: int
    content_type: str
    charset: str
    title: str
    sha256: str | None
    size: int | None
    total_ms: float | None
    first_byte_ms: float | None

    @classmethod
    def of(cls, attempt: Attempt) -> "AttemptOut":
        """A try as it is told."""
        kept = attempt.content
        told = ("number started_at finished_at status error detail final_url ip received").split()
        told += "content_type charset title total_ms first_byte_ms".split()
        return cls(
            node=attempt.node.name,
            sha256=kept.sha256 if kept else None,
            size=kept.size if kept else None,
            **{name: getattr(attempt, name) for name in told},
        )


class ReasonOut(Schema):
    """Why a task is not running, and what to do, if there is anything to do."""

    cause: str
    sentence: str
    remedy: str


class Ids(In):
    """Tasks by their numbers."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=10_000)]
    reason: Reason = ""


class ActedOut(Schema):
    """What became of each number: done, left as it was, or unknown to you."""

    done: list[int]
    skipped: list[int]
    unknown: list[int]


class Where(In):
    """Which tasks, in the words of their list."""

    state: list[StateName] = Field(default_factory=list)
    host: Word = ""
    code: Annotated[int, Field(ge=1, le=5)] | None = None
    error: Word = ""
    job: Id | None = None
    owner: Word = ""
    tag: Word = ""
    since: datetime | None = None

    def filter(self) -> TaskFilter:
        """As the verbs take it."""
        told = self.model_dump(exclude={"state"})
        return TaskFilter(states=tuple(dict.fromkeys(map(state, self.state))), **told)


class OperationIn(In):
    """A verb and the tasks that it is for; an empty `where` means all that you may act on."""

    verb: Verb
    where: Where
    reason: Reason = ""


class OperationOut(Schema):
    """A bulk operation. `matched` of about `total` tasks were looked at, `done` were changed."""

    id: int
    verb: str
    state: str
    owner: str
    reason: str
    failure: str
    total: int
    matched: int
    done: int
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, found: Operation) -> "OperationOut":
        """An operation as it is told."""
        told = "id verb state reason failure total matched done created_at finished_at".split()
        values = {name: getattr(found, name) for name in told}
        return cls(owner=found.owner.get_username(), **values)


class OperationPage(Schema):
    """Some operations."""

    items: list[OperationOut]
    next: str | None
