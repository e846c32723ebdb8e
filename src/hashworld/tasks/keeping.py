"""How long finished jobs are kept: which is removed next, and what is known of it beforehand.

A job that says itself for how many days it is kept is held to that alone. All others follow the
cluster's rules (HASHWORLD_KEEP_DAYS, _JOBS and _BYTES), each of which may be 0 for none.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import QuerySet

from hashworld.tasks import counts
from hashworld.tasks.models import Job


@dataclass(frozen=True, slots=True)
class Rules:
    """The cluster's rules; 0 stands for no rule."""

    days: int = 0
    jobs: int = 0
    bytes: int = 0


class Removal(NamedTuple):
    """A rule by which a job will be removed; `at` is None where it depends on other jobs."""

    at: datetime | None
    rule: str


def rules() -> Rules:
    """The rules that the environment gives."""
    env = settings.ENV
    return Rules(env.keep_days, env.keep_jobs, env.keep_bytes)


def overdue(now: datetime, rules: Rules, but: Collection[int] = ()) -> int | None:
    """The id of the job to remove next, the oldest first; None when all may stay.

    What was begun is ended first: a job is removed in many steps, and a round may break off.
    """
    # Of what is being retried or deleted already, `hashworld.tasks.pursuit` takes care.
    finished = Job.objects.filter(finished_at__isnull=False, wanted="").exclude(pk__in=but)
    oldest = finished.order_by("finished_at", "pk")
    ours = oldest.filter(keep_days=None)
    return (
        _first(oldest.exclude(removal_began_at=None))
        or _by_own_days(oldest, now)
        or (_first(ours.filter(finished_at__lt=now - _days(rules.days))) if rules.days else None)
        or (_first(ours) if rules.jobs and ours.count() > rules.jobs else None)
        or (_first(ours) if rules.bytes and counts.kept_bytes() > rules.bytes else None)
    )


def removals(job: Job, rules: Rules) -> list[Removal]:
    """Every rule by which this job will be removed, those with a known day first.

    Empty when it is kept for ever. Before the job's end no day is known.
    """
    if job.removal_began_at:
        return [Removal(job.removal_began_at, "its removal has begun")]
    if job.keep_days is not None:
        return [_after(job, job.keep_days, "as the job says")] if job.keep_days else []
    found = [_after(job, rules.days, "HASHWORLD_KEEP_DAYS")] if rules.days else []
    if rules.jobs:
        newer = Job.objects.filter(
            keep_days=None, finished_at__gt=job.finished_at or job.created_at
        )
        ended = f", {newer.count():,} have" if job.finished_at else ""
        text = f"when {rules.jobs:,} other jobs have ended after it{ended} (HASHWORLD_KEEP_JOBS)"
        found.append(Removal(None, text))
    if rules.bytes:
        text = (
            f"when it is the oldest and more than {rules.bytes:,} bytes of bodies are kept,"
            f" {counts.kept_bytes():,} are (HASHWORLD_KEEP_BYTES)"
        )
        found.append(Removal(None, text))
    return found


def _by_own_days(oldest: QuerySet[Job], now: datetime) -> int | None:
    """A job that has been kept for as many days as it says; few different numbers are in use."""
    distinct = oldest.filter(keep_days__gt=0).order_by().values_list("keep_days", flat=True)
    for days in distinct.distinct():
        due = oldest.filter(keep_days=days, finished_at__lt=now - _days(days or 0))
        if found := _first(due):
            return found
    return None


def _after(job: Job, days: int, source: str) -> Removal:
    at = job.finished_at + _days(days) if job.finished_at else None
    return Removal(at, f"{days} day{'s' if days != 1 else ''} after its end ({source})")


def _days(number: int) -> timedelta:
    return timedelta(days=number)


def _first(jobs: QuerySet[Job]) -> int | None:
    return jobs.values_list("pk", flat=True).first()
