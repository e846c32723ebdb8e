"""Schedules as the REST door says and takes them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import Field

from hashworld.api.schemas.jobs import JobOptions
from hashworld.api.schemas.words import In, Word
from hashworld.recurring.models import Firing, Recurring
from hashworld.recurring.template import Timing


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
