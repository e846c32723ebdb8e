"""How the list of tasks is narrowed, and the order in which each way reads an index."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict

from hashworld.console.acting import person
from hashworld.console.badges import TONES
from hashworld.tasks.models import Job, Task
from hashworld.tasks.states import State
from hashworld.verbs import rights

#: The newest jobs are offered by name; any job is reached from its own page.
OFFERED = 20


class StateFilter(admin.SimpleListFilter):
    """By the index (ended, job), or by the open leases."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """Every state."""
        return [(str(state.value), str(state.label)) for state in State]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Task]:
        """Tasks in the chosen state."""
        state = _number(self.value())
        if state is None:
            return cast("QuerySet[Task]", queryset)
        found: QuerySet[Task] = (
            queryset.in_state(State(state)) if state in State.values else queryset.none()
        )
        return found


class JobFilter(admin.SimpleListFilter):
    """By the index (job), or (ended, job)."""

    title = "job"
    parameter_name = "job"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """The newest jobs, and the chosen one."""
        seen = rights.jobs(person(request))
        jobs = list(seen[:OFFERED])
        chosen = _number(request.GET.get(self.parameter_name))
        if chosen is not None and chosen not in {job.pk for job in jobs}:
            jobs += seen.filter(pk=chosen)
        return [(str(job.pk), f"#{job.pk} {job}") for job in jobs]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Task]:
        """Tasks of the chosen job."""
        job = _number(self.value())
        found: QuerySet[Task] = queryset if job is None else queryset.filter(job_id=job)
        return found


@dataclass(frozen=True, slots=True)
class Tab:
    """A state to choose above the list; `count` is known within a job only."""

    name: str
    tone: str
    query: str
    chosen: bool
    count: int | None


def order(parameters: Mapping[str, str]) -> tuple[str, ...]:
    """Newest first, as the index of these filters has it: (ended, job) ends with the task."""
    by_state_alone = bool(parameters.get("state")) and not parameters.get("job")
    return ("-job_id", "-id") if by_state_alone else ("-id",)


def tabs(parameters: QueryDict, seen: QuerySet[Job]) -> list[Tab]:
    """All states and each, for the job that is chosen of those that may be seen."""
    number = _number(parameters.get("job"))
    job = seen.filter(pk=number).first() if number is not None else None
    chosen = parameters.get("state", "")
    kept = {name: parameters[name] for name in ("job", "q") if parameters.get(name)}
    counts = job.counts() if job else {}
    every = Tab("all", "all", "?" + urlencode(kept), not chosen, job.total if job else None)
    return [every] + [
        Tab(
            str(state.label),
            TONES[state],
            "?" + urlencode({**kept, "state": state.value}),
            chosen == str(state.value),
            counts.get(state),
        )
        for state in State
    ]


def _number(text: str | None) -> int | None:
    fine = text is not None and text.isascii() and text.isdecimal() and len(text) <= 18
    return int(text) if fine and text else None
