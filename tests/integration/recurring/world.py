"""Schedules and schedulers to try the firing with."""

from datetime import datetime, timedelta
from typing import Any

from django_celery_beat.models import IntervalSchedule, PeriodicTask

from hashworld.celery import app
from hashworld.nodes import clock
from hashworld.nodes.leadership import Candidate
from hashworld.recurring.firing import Come
from hashworld.recurring.models import Recurring
from hashworld.recurring.scheduler import Entry, Scheduler
from hashworld.recurring.template import Timing

HOURLY = Timing(crontab="0 * * * *")


def every(seconds: int, **columns: Any) -> PeriodicTask:
    """A periodic task that has been there for a day."""
    interval = IntervalSchedule.objects.create(every=seconds, period="seconds")
    task = PeriodicTask.objects.create(
        name=f"every {seconds} s", task="a.task", interval=interval, **columns
    )
    backdate(task.pk, clock.now() - timedelta(days=1))
    return task


def backdate(task_id: int, moment: datetime) -> None:
    """Let a periodic task have been there, unchanged, since a moment."""
    PeriodicTask.objects.filter(pk=task_id).update(date_changed=moment)


def since(recurring: Recurring, moment: datetime) -> None:
    """Let a recurring job have been there, unchanged, since a moment."""
    backdate(recurring.periodic_task_id, moment)


class Hand(Scheduler):
    """A scheduler that is ticked by hand and remembers what it published."""

    def __init__(self, candidate: Candidate) -> None:
        self.published: list[str] = []
        self.failing: Exception | None = None
        super().__init__(app, lazy=True)
        self._candidate = candidate

    def _publish(self, entry: Entry, come: Come, term: int) -> None:
        if self.failing:
            raise self.failing
        self.published.append(entry.name)
