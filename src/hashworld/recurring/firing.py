"""Deciding slots: once each, under the term of the master, before anything is published."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import F
from django_celery_beat.models import PeriodicTask

from hashworld.nodes import clock, leadership
from hashworld.recurring import policy, slots, telling, timing
from hashworld.recurring.models import Cursor, Firing, FiringState, Recurring
from hashworld.transaction import retried


class Come(NamedTuple):
    """The last slot of a periodic task that has come, and what the decision needs to know."""

    task_id: int
    slot: datetime
    after: datetime
    one_off: bool = False
    recurring_id: int | None = None


@retried
def decide(come: Come, term: int) -> bool:
    """Move the task's cursor to the slot; whether that was done here and is to be published.

    False when the slot is decided already or the task was switched off. What a recurring job owes
    for its slots is written in the same transaction. Raises TermOver when the term leads no more.
    """
    leadership.guard(term)
    if not _move(come, term):
        return False
    now = clock.now()
    task = PeriodicTask.objects.filter(pk=come.task_id)
    fired = {"last_run_at": now, "total_run_count": F("total_run_count") + 1}
    if not task.filter(enabled=True).update(**fired):
        return False
    if come.one_off:
        task.filter(one_off=True).update(enabled=False)
    if come.recurring_id is None:
        return True
    return _owe(come.recurring_id, come.after, now)


def mark_published(come: Come) -> None:
    """The broker has confirmed the message of the task's last slot."""
    Cursor.objects.filter(pk=come.task_id, slot=come.slot).update(published=True)


def _move(come: Come, term: int) -> bool:
    """Compare and set: of any number of schedulers one wins a slot, and none goes back."""
    to = {"slot": come.slot, "term": term, "published": False}
    if Cursor.objects.filter(pk=come.task_id, slot__lt=come.slot).update(**to):
        return True
    _, made = Cursor.objects.get_or_create(pk=come.task_id, defaults=to)
    return made


def _owe(recurring_id: int, after: datetime, now: datetime) -> bool:
    """Write the firings of the slots that have come; whether any is to be submitted."""
    recurring = Recurring.objects.light().get(pk=recurring_id)
    task = recurring.periodic_task
    # The task may have been edited since the scheduler read it.
    since = max(after, timing.wanted_since(task, now))
    came = slots.newest(timing.schedule(task), since, now, policy.MOST_CAUGHT_UP)
    window = timedelta(seconds=recurring.window)
    due = policy.due(came, now, policy.CatchUp(recurring.catch_up), window)
    late = "its time had passed when a scheduler was there again"
    Firing.objects.bulk_create(
        [
            *(Firing(recurring=recurring, slot=slot) for slot in due.fire),
            *(
                Firing(recurring=recurring, slot=slot, state=FiringState.MISSED, reason=late)
                for slot in due.missed
            ),
        ],
        ignore_conflicts=True,
    )
    for slot in due.missed:
        telling.skipped(recurring, slot, FiringState.MISSED, late)
    return bool(due.fire)
