"""What a list of jobs or of tasks is narrowed to, the same words at every door."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from django.db.models import Q

from hashworld.tasks.models import COUNTERS, JobQuerySet, TaskQuerySet
from hashworld.tasks.states import TERMINAL, State
from hashworld.verbs.errors import Invalid


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs. `since` is when they were handed in; `owner` is a username."""

    name: str = ""
    owner: str = ""
    tag: str = ""
    since: datetime | None = None
    unfinished: bool | None = None

    def narrow(self, jobs: JobQuerySet) -> JobQuerySet:
        """Those of `jobs`; they are few beside tasks and may be read through."""
        if self.name:
            jobs = jobs.filter(name__icontains=self.name)
        if self.owner:
            jobs = jobs.filter(owner__username=self.owner)
        if self.tag:
            jobs = jobs.filter(tags__name=self.tag)
        if self.since:
            jobs = jobs.filter(created_at__gte=self.since)
        if self.unfinished is not None:
            jobs = jobs.filter(finished_at__isnull=self.unfinished)
        return jobs


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks. `code` is the class of the HTTP status, 1 to 5; `error` a kind of error."""

    states: tuple[State, ...] = ()
    host: str = ""
    code: int | None = None
    error: str = ""
    job: int | None = None
    owner: str = ""
    tag: str = ""
    since: datetime | None = None

    def check(self) -> None:
        """Raise Invalid naming the first field that cannot be used."""
        if self.code is not None and not 1 <= self.code <= 5:
            raise Invalid("code", "must be the class of a status: 1, 2, 3, 4 or 5")
        if self.since is not None and self.since.tzinfo is None:
            raise Invalid("since", "must name its time zone, as in 2030-01-31T12:00:00Z")

    def narrow_jobs(self, jobs: JobQuerySet) -> JobQuerySet:
        """Those of `jobs` that may have such tasks."""
        jobs = JobFilter(owner=self.owner, tag=self.tag, since=self.since).narrow(jobs)
        if self.job is not None:
            jobs = jobs.filter(pk=self.job)
        if self.states:
            some = Q()
            for state in self.states:
                some |= Q(**{f"{COUNTERS[state]}__gt": 0})
            jobs = jobs.filter(some)
        return jobs

    def narrow(self, tasks: TaskQuerySet) -> TaskQuerySet:
        """Those of `tasks`, whose jobs are narrowed to already."""
        if len(self.states) == 1:
            tasks = tasks.in_state(self.states[0])
        elif self.states and TERMINAL.issuperset(self.states):
            tasks = tasks.filter(ended__in=self.states)
        elif self.states:
            tasks = tasks.filter(state__in=self.states)
        if self.host:
            tasks = tasks.filter(host__name=self.host.lower().rstrip("."))
        if self.code is not None:
            tasks = tasks.filter(status__gte=100 * self.code, status__lt=100 * self.code + 100)
        if self.error:
            tasks = tasks.filter(error=self.error)
        return tasks

    def as_json(self) -> dict[str, Any]:
        """As a JSON object, to be kept."""
        kept = {name: value for name, value in asdict(self).items() if value not in ((), "", None)}
        if self.states:
            kept["states"] = [int(state) for state in self.states]
        if self.since:
            kept["since"] = self.since.isoformat()
        return kept

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "TaskFilter":
        """What `as_json` gave."""
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in kept.items() if name in known}
        if "states" in values:
            values["states"] = tuple(State(state) for state in values["states"])
        if "since" in values:
            values["since"] = datetime.fromisoformat(values["since"])
        return cls(**values)
