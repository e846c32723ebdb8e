"""What the REST door says and takes. Moments are in UTC, sizes in bytes, durations in seconds."""

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field, StringConstraints

from hashworld.api.models import Token
from hashworld.recurring.models import Firing, Recurring
from hashworld.recurring.template import Timing
from hashworld.tasks.models import COUNTERS, Attempt, Host, Job, Task
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.states import State
from hashworld.verbs.filters import TaskFilter
from hashworld.verbs.models import Operation
from hashworld.verbs.nodes import Seen

#: A number of a row.
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
StateName = Literal["waiting", "inqueue", "running", "runtime_error", "succeed", "killed"]
Verb = Literal["kill", "retry", "delete"]
#: Text that any database takes: without NUL.
Word = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00]*$")]
Reason = Annotated[Word, Field(max_length=200, description="Why; it is written down.")]


class In(Schema):
    """What is taken; a member that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Why(In):
    """The reason of a verb."""

    reason: Reason = ""


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
    limits: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = Field(default_factory=dict)
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


class HostOut(Schema):
    """A target host and what may be asked of it."""

    name: str
    max_connections: int
    min_interval: float
    paused: bool
    pause_reason: str
    out: int
    holder: str | None
    next_at: datetime

    @classmethod
    def of(cls, host: Host) -> "HostOut":
        """A host as it is told."""
        told = "name max_connections min_interval paused pause_reason out next_at".split()
        values = {name: getattr(host, name) for name in told}
        return cls(holder=host.holder.name if host.holder else None, **values)


class HostPage(Schema):
    """Some hosts by name."""

    items: list[HostOut]
    next: str | None


class HostIn(In):
    """What changes in a host's limits."""

    max_connections: Annotated[int, Field(ge=1, le=1000)] | None = None
    min_interval: Annotated[float, Field(ge=0, le=86_400)] | None = None
    reason: Reason = ""


class NodeOut(Schema):
    """A node as it last told of itself, and how it stands by the cluster's clock."""

    name: str
    standing: str
    paused: bool
    pause_reason: str
    hostname: str
    version: str
    max_tasks: int
    in_flight: int
    lands: int
    cpu_percent: float
    memory_mb: float
    started_at: datetime
    seen_at: datetime

    @classmethod
    def of(cls, seen: Seen) -> "NodeOut":
        """A node as it is told."""
        told = "name paused pause_reason hostname version max_tasks in_flight".split()
        told += "cpu_percent memory_mb started_at seen_at".split()
        values = {name: getattr(seen.node, name) for name in told}
        return cls(standing=seen.standing.value, lands=seen.lands, **values)


class ClusterOut(Schema):
    """The cluster as a whole; `master` is empty while nobody leads it."""

    paused: bool
    pause_reason: str
    paused_by: str
    master: str
    term: int


class Size(In):
    """How many fetches a node may have in flight."""

    max_tasks: Annotated[int, Field(ge=1, le=10_000)]
    reason: Reason = ""


class Changed(Schema):
    """Whether anything changed, or to how many."""

    changed: int


class TimingIn(In):
    """When it fires: a crontab of five fields, an interval, or one moment."""

    timezone: Word = "UTC"
    crontab: Word = ""
    every: Annotated[int, Field(ge=1, le=2**31)] | None = None
    period: Literal["seconds", "minutes", "hours", "days"] = "minutes"
    moment: datetime | None = None


class ScheduleIn(In):
    """A recurring job: what is submitted, when, and how firings behave."""

    name: Annotated[Word, Field(min_length=1, max_length=160)]
    urls: Annotated[list[Annotated[str, Field(max_length=8192)]], Field(min_length=1)]
    timing: TimingIn
    options: JobOptions = Field(default_factory=JobOptions)
    overlap: Literal["skip", "queue", "kill"] = "skip"
    catch_up: Literal["none", "last", "all"] = "last"
    window: Annotated[int, Field(ge=0, le=30 * 86_400)] = 3600


class ScheduleOut(Schema):
    """A recurring job."""

    id: int
    name: str
    owner: str | None
    timing: dict[str, Any]
    overlap: str
    catch_up: str
    window: int
    paused: bool
    pause_reason: str
    created_at: datetime

    @classmethod
    def of(cls, found: Recurring, timing: Timing) -> "ScheduleOut":
        """A recurring job as it is told."""
        told = "id name overlap catch_up window paused pause_reason created_at".split()
        return cls(
            owner=found.owner.get_username() if found.owner else None,
            timing={
                name: getattr(timing, name)
                for name in ("timezone", "crontab", "every", "period", "moment")
            },
            **{name: getattr(found, name) for name in told},
        )


class SchedulePage(Schema):
    """Some recurring jobs."""

    items: list[ScheduleOut]
    next: str | None


class FiringOut(Schema):
    """A slot of a schedule, and what became of it."""

    slot: datetime
    manual: bool
    state: str
    reason: str
    job: int | None

    @classmethod
    def of(cls, firing: Firing) -> "FiringOut":
        """A firing as it is told."""
        told = {name: getattr(firing, name) for name in ("slot", "manual", "state", "reason")}
        return cls(job=firing.job_id, **told)


class TokenIn(In):
    """A token to be made."""

    name: Annotated[Word, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Literal["read", "submit", "operate", "admin"]], Field(min_length=1)]
    expires_in: Annotated[int, Field(ge=1, le=3660 * 86_400)] | None = Field(
        None, description="Seconds; left out, it never expires."
    )


class TokenOut(Schema):
    """A token without its secret."""

    id: int
    user: str
    name: str
    hint: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, token: Token) -> "TokenOut":
        """A token as it is told."""
        told = "id name hint scopes created_at expires_at last_used_at revoked_at".split()
        values = {name: getattr(token, name) for name in told}
        return cls(user=token.user.get_username(), **values)


class SecretOut(TokenOut):
    """A new token; its secret is shown this once."""

    secret: str


def counts(job: Job) -> dict[StateName, int]:
    """A job's tasks by the names of their states."""
    return {state_name(state): getattr(job, column) for state, column in COUNTERS.items()}


def state_name(state: int) -> StateName:
    """The name of a state at this door."""
    name: StateName = State(state).name.lower()  # type: ignore[assignment]  # a test compares
    return name


def state(name: str) -> State:
    """The state of this name."""
    return State[name.upper()]
