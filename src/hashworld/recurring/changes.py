"""Making, changing, pausing and firing recurring jobs: the writes that every door uses."""

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
)

from hashworld.celery import CONTROL_QUEUE, EXCHANGE
from hashworld.nodes import clock
from hashworld.recurring.models import Firing, Recurring
from hashworld.recurring.template import FIELDS, Template, Timing
from hashworld.tasks.errors import InvalidInput
from hashworld.transaction import retried

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SUBMIT_DUE = "hashworld.submit_due"
#: The message of a firing is worthless later: the sweep has found what is owed. Seconds.
EXPIRES = 60


def create(template: Template, timing: Timing, owner: "User | None" = None) -> Recurring:
    """Make a recurring job; raises InvalidInput, and then nothing is changed."""
    now = clock.now()
    template.check()
    timing.check(now)
    with transaction.atomic():
        recurring = Recurring(
            owner=owner, timezone=timing.timezone, created_at=now, **template.columns()
        )
        recurring.periodic_task = PeriodicTask(
            name=secrets.token_hex(16),
            task=SUBMIT_DUE,
            queue=CONTROL_QUEUE,
            exchange=EXCHANGE.name,
            routing_key=CONTROL_QUEUE,
            expire_seconds=EXPIRES,
        )
        _time(recurring.periodic_task, timing, now)
        recurring.periodic_task.save()
        recurring.periodic_task_id = recurring.periodic_task.pk
        recurring.save()
        # Names of periodic tasks are unique; those of recurring jobs need not be.
        named = PeriodicTask.objects.filter(pk=recurring.periodic_task_id)
        named.update(name=f"recurring job {recurring.pk}")
    return recurring


@retried
def change(recurring_id: int, template: Template, timing: Timing) -> Recurring:
    """Change what is submitted and when, from the next firing on; raises InvalidInput.

    A new timing begins now: slots of the old one that have not fired are forgotten. It also sets
    one going again that was over.
    """
    now = clock.now()
    template.check()
    recurring = _locked(recurring_id)
    columns = template.columns()
    if timing != timing_of(recurring):
        timing.check(now)
        _time(recurring.periodic_task, timing, now)
        recurring.periodic_task.enabled = not recurring.paused
        recurring.periodic_task.save()
        columns["timezone"] = timing.timezone
    for name, value in columns.items():
        setattr(recurring, name, value)
    recurring.save(update_fields=list(columns))
    return recurring


@retried
def pause(recurring_id: int, reason: str = "") -> bool:
    """Fire no more until resumed; False when it was paused already."""
    recurring = _locked(recurring_id)
    if recurring.paused:
        return False
    return _set_paused(recurring, True, reason[:200])


@retried
def resume(recurring_id: int) -> bool:
    """Fire again, from the next slot on; False when it was not paused."""
    recurring = _locked(recurring_id)
    if not recurring.paused:
        return False
    return _set_paused(recurring, False, "")


@retried
def fire_now(recurring_id: int) -> Firing:
    """Add a firing of this moment, paused or not; `submission.submit_due_of` submits it."""
    recurring = _locked(recurring_id)
    return Firing.objects.create(recurring=recurring, slot=clock.now(), manual=True)


@retried
def delete(recurring_id: int) -> None:
    """Remove it with its history; the jobs that it made stay."""
    recurring = _locked(recurring_id)
    task = recurring.periodic_task
    recurring.delete()
    task.delete()


def timing_of(recurring: Recurring) -> Timing:
    """When it fires, as it was given."""
    task = recurring.periodic_task
    if task.crontab:
        fields = " ".join(str(getattr(task.crontab, name)) for name in FIELDS)
        return Timing(recurring.timezone, crontab=fields)
    if task.interval:
        return Timing(recurring.timezone, every=task.interval.every, period=task.interval.period)
    return Timing(recurring.timezone, moment=task.clocked.clocked_time)


def _locked(recurring_id: int) -> Recurring:
    row = Recurring.objects.select_for_update().defer("urls").filter(pk=recurring_id)
    found = row.first()
    if found is None:
        raise InvalidInput("recurring job", f"there is no recurring job {recurring_id}")
    return found


def _set_paused(recurring: Recurring, paused: bool, reason: str) -> bool:
    recurring.paused, recurring.pause_reason = paused, reason
    recurring.save(update_fields=["paused", "pause_reason"])
    task = recurring.periodic_task
    # One moment that has fired is over, and stays so.
    task.enabled = not paused and not _is_over(recurring)
    task.save()
    return True


def _is_over(recurring: Recurring) -> bool:
    fired = recurring.firings.filter(manual=False)
    return recurring.periodic_task.one_off and fired.exists()


def _time(task: PeriodicTask, timing: Timing, now: datetime) -> None:
    """Give a periodic task its timing, by rows that others may use too."""
    task.crontab = task.interval = task.clocked = task.start_time = None
    task.one_off = timing.moment is not None
    if timing.crontab:
        row = timing.crontab_row()
        task.crontab = _row(CrontabSchedule, timezone=row.timezone, **_parts(row))
    elif timing.every is not None:
        task.interval = _row(IntervalSchedule, every=timing.every, period=timing.period)
        task.start_time = now + timing.interval()
    else:
        task.clocked = _row(ClockedSchedule, clocked_time=timing.moment)


def _parts(row: CrontabSchedule) -> dict[str, str]:
    return {name: getattr(row, name) for name in FIELDS}


def _row(model: type[models.Model], **columns: Any) -> models.Model:
    return model._default_manager.filter(**columns).first() or model._default_manager.create(
        **columns
    )
