"""Jobs as the REST door says and takes them. Durations in seconds, moments in UTC."""

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import Field

from hashworld.api.schemas.words import In, StateName, Word, state_name
from hashworld.tasks.models import COUNTERS, Job
from hashworld.tasks.spec import JobSpec


class JobOut(Schema):
    """A job and its progress."""

    id: int
    name: str
    owner: str | None
    tags: list[str]
    method: str
    priority: int
    paused: bool
    pause_reason: str
    under_way: str = Field(description="What was asked of it and is being carried out.")
    counts: dict[StateName, int]
    total: int
    refused: int
    duplicated: int
    created_at: datetime
    sealed_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> "JobOut":
        """A job as it is told."""
        return cls(
            id=job.pk,
            name=job.name,
            owner=job.owner.get_username() if job.owner else None,
            tags=sorted(tag.name for tag in job.tags.all()),
            method=job.method,
            priority=job.priority,
            paused=job.paused,
            pause_reason=job.pause_reason,
            under_way=job.wanted,
            counts=counts(job),
            total=job.total,
            refused=job.refused,
            duplicated=job.duplicated,
            created_at=job.created_at,
            sealed_at=job.sealed_at,
            finished_at=job.finished_at,
        )


class JobPage(Schema):
    """Some jobs; `next` is the cursor of those that follow."""

    items: list[JobOut]
    next: str | None


class JobOptions(In):
    """The options of a job; each has the default of the admin's form."""

    name: Annotated[Word, Field(max_length=200)] = ""
    tags: list[Word] = Field(default_factory=list, max_length=20)
    method: Literal["GET", "HEAD", "POST"] = "GET"
    priority: Annotated[int, Field(ge=0, le=2)] = 1
    duplicates: Literal["keep", "one"] = "keep"
    verify_tls: bool = True
    max_attempts: Annotated[int, Field(ge=1, le=20)] = 4
    retry_base: Annotated[float, Field(ge=0, le=3600)] = 2.0
    retry_cap: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    keep_days: Annotated[int, Field(ge=0, le=36_500)] | None = None

    def spec(self, **more: Any) -> JobSpec:
        """As a submission takes them."""
        options = self.model_dump(include=set(JobOptions.model_fields))
        return JobSpec(**{**options, "tags": tuple(self.tags), **more})


class JobIn(JobOptions):
    """A job in one JSON document."""

    urls: Annotated[list[Annotated[str, Field(max_length=8192)]], Field(min_length=1)]
    headers: dict[str, str] = Field(default_factory=dict)
    limits: dict[str, int | Annotated[float, Field(allow_inf_nan=False)]] = Field(
        default_factory=dict
    )
    body: str | None = Field(None, description="Sent with POST, as UTF-8.")


class LineErrorOut(Schema):
    """A line that was not accepted; lines are counted from 1."""

    line: int
    value: str
    reason: str


class SubmissionOut(Schema):
    """What came of a submission; at most 1,000 refused lines are told, all are counted."""

    job: JobOut
    accepted: int
    duplicated: int
    refused: int
    errors: list[LineErrorOut]
    repeated: bool = Field(description="The idempotency key was known: nothing was added.")


class ProgressOut(Schema):
    """How far a job is; `version` changes with it."""

    job: int
    counts: dict[StateName, int]
    total: int
    done: int
    finished: bool
    paused: bool
    version: str

    @classmethod
    def of(cls, job: Job) -> "ProgressOut":
        """A job's progress."""
        told = counts(job)
        finished = job.finished_at is not None
        marks = [*told.values(), int(finished), int(job.paused)]
        return cls(
            job=job.pk,
            counts=told,
            total=job.total,
            done=job.done,
            finished=finished,
            paused=job.paused,
            version="-".join(map(str, marks)),
        )


def counts(job: Job) -> dict[StateName, int]:
    """A job's tasks by the names of their states."""
    return {state_name(state): getattr(job, column) for state, column in COUNTERS.items()}
