"""The built-in periodic tasks, keyed by name; what an operator changes is never overwritten."""

from dataclasses import dataclass

from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from hashworld.celery import CONTROL_QUEUE, EXCHANGE


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A periodic task: every so many seconds, and worthless when so many seconds late."""

    name: str
    task: str
    every: int
    expires: int
    description: str


BUILT_IN = (
    BuiltIn("dispatch", "hashworld.dispatch", 1, 5, "Gives out due tasks, sees to kills."),
    BuiltIn("bulk operations", "hashworld.operate", 1, 3, "Carries out verbs on all that matches."),
    BuiltIn("reaper", "hashworld.reap", 5, 5, "Rescues the work of dead nodes."),
    BuiltIn("heartbeat request", "hashworld.request_heartbeats", 10, 10, "Asks nodes to beat now."),
    BuiltIn("retention", "hashworld.retention", 60, 60, "Removes what is kept no longer."),
    BuiltIn("metrics", "hashworld.metrics", 60, 60, "Adds the minutes up to hours."),
    BuiltIn("recurring jobs", "hashworld.submit_due", 10, 30, "Submits what recurring jobs owe."),
)


@transaction.atomic
def make() -> list[str]:
    """Create those that are missing; their names."""
    made = []
    for built_in in BUILT_IN:
        if PeriodicTask.objects.filter(name=built_in.name).exists():
            continue
        interval = IntervalSchedule.objects.filter(every=built_in.every, period="seconds").first()
        PeriodicTask.objects.create(
            name=built_in.name,
            task=built_in.task,
            interval=interval
            or IntervalSchedule.objects.create(every=built_in.every, period="seconds"),
            queue=CONTROL_QUEUE,
            exchange=EXCHANGE.name,
            routing_key=CONTROL_QUEUE,
            expire_seconds=built_in.expires,
            description=built_in.description,
        )
        made.append(built_in.name)
    return made
