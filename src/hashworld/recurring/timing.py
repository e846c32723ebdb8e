"""Reading django-celery-beat's rows as schedules."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from celery import schedules
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from hashworld.recurring.slots import Crontab, Interval, Once, Schedule

#: Intervals without a start are counted from here, so that every process finds the same slots.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: A scheduler does not look more often.
SHORTEST = timedelta(seconds=1)


class UnknownTiming(Exception):
    """A periodic task whose schedule has no slots, or more than can be kept."""


def schedule(task: PeriodicTask) -> Schedule:
    """When a periodic task fires; raises UnknownTiming, and ValueError on a wrong crontab."""
    if task.crontab:
        return crontab(task.crontab)
    if task.interval:
        every = timedelta(**{task.interval.period: task.interval.every})
        if every < SHORTEST:
            raise UnknownTiming(f"{task.name} has an interval of less than a second")
        return Interval(every, task.start_time or EPOCH)
    if task.clocked:
        return Once(task.clocked.clocked_time)
    raise UnknownTiming(f"{task.name} has no crontab, interval or clocked schedule")


def crontab(row: CrontabSchedule) -> Crontab:
    """A crontab's row; raises ValueError when a field of it cannot be read."""
    # The stubs leave out what the constructor has expanded.
    parsed: Any = schedules.crontab(
        minute=row.minute,
        hour=row.hour,
        day_of_month=row.day_of_month,
        month_of_year=row.month_of_year,
        day_of_week=row.day_of_week,
    )
    return Crontab(
        minutes=frozenset(parsed.minute),
        hours=frozenset(parsed.hour),
        days=frozenset(parsed.day_of_month),
        months=frozenset(parsed.month_of_year),
        weekdays=frozenset(parsed.day_of_week),
        zone=ZoneInfo(str(row.timezone)),
    )


def wanted_since(task: PeriodicTask, now: datetime) -> datetime:
    """Slots up to this moment are not wanted: the task was not there, or switched off, or other.

    Switching a task on and editing it set `date_changed`, by the clock of whoever did it, which
    may be ahead of the database's `now`.
    """
    since: datetime = min(task.date_changed, now)
    if task.start_time:
        since = max(since, task.start_time - timedelta(microseconds=1))
    return since


def begins(task: PeriodicTask, now: datetime) -> datetime:
    """Slots up to this moment are not looked at: not wanted, or decided."""
    since = wanted_since(task, now)
    cursor = getattr(task, "cursor", None)
    return max(since, cursor.slot) if cursor else since
