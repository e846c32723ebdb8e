"""Telling what can be seen by looking: nodes, leadership and the progress of jobs.

One looks each second, in the master's process. What was told last stands in the database and is
changed by compare-and-set in the transaction of the event, so any number may look: each change is
told once. Changes between two looks are told as one.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction

from hashworld.nodes import clock, leadership
from hashworld.nodes.models import Node, Standing
from hashworld.tasks import events
from hashworld.tasks.events import Kind
from hashworld.tasks.models import Event, Job, Task, Told
from hashworld.tasks.states import State
from hashworld.transaction import retried

#: Progress of a job is told in so many steps.
STEPS = 10
#: Days for which events are kept, and how many go at once.
KEPT = timedelta(days=7)
CHUNK = 5000
#: Jobs that are looked at, the newest first.
MOST_JOBS = 1000
#: Of a node that is first seen so, nothing is told: it was gone before anybody looked.
SILENT_FIRST = {Standing.DEAD, Standing.LEFT}
MASTER = "master"

_WORDS = {
    Standing.JOINING: "is joining",
    Standing.ALIVE: "takes work",
    Standing.DRAINING: "drains: it takes nothing new",
    Standing.SUSPECTED: "has missed its heartbeats and is given nothing new",
    Standing.DEAD: "is dead: its work is given to others",
    Standing.LEFT: "has left",
}


class Progress(NamedTuple):
    """How far a job has been told of: tenths done, and whether an error was."""

    step: int
    failed: bool

    @classmethod
    def of(cls, job: Job) -> "Progress | None":
        """How far a job is; None before its first task has started."""
        if not job.done and not job.running:
            return None
        step = STEPS * job.done // job.total if job.sealed_at and job.total else 0
        return cls(min(step, STEPS - 1), bool(job.runtime_error))

    def __str__(self) -> str:
        return f"{self.step}{'!' if self.failed else ''}"


class Watch:
    """Looks at nodes, leadership and jobs; remembers what it knows to be told."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def run_once(self) -> int:
        """Tell what has changed since it was last told; how many events."""
        now = clock.now()
        self._told = dict(Told.objects.values_list("subject", "what"))
        return sum((self._master(now), self._nodes(now), self._jobs()))

    def _master(self, now: datetime) -> int:
        leader = leadership.master(now)
        if leader is None:
            return 0
        text = f"{leader.name} is the new master, in term {leader.term}."
        event = Event(kind=Kind.MASTER_NEW, node=leader.name, text=text, data={"term": leader.term})
        return self._change(MASTER, str(leader.term), [event])

    def _nodes(self, now: datetime) -> int:
        return sum(self._node(node, node.standing(now)) for node in Node.objects.all())

    def _node(self, node: Node, standing: Standing) -> int:
        subject = f"node:{node.pk}"
        silent = subject not in self._told and standing in SILENT_FIRST
        text = f"Node {node.name} {_WORDS[standing]}."
        event = Event(kind=f"node.{standing.value}", node=node.name, text=text, data={})
        return self._change(subject, standing.value, [] if silent else [event])

    def _jobs(self) -> int:
        running = Job.objects.running().defer("body", "headers").order_by("-id")[:MOST_JOBS]
        number = 0
        for job in running:
            if reached := Progress.of(job):
                before = self._told.get(_subject(job))
                number += self._change(
                    _subject(job), str(reached), list(_news(job, reached, before))
                )
        return number

    @retried
    def _change(self, subject: str, what: str, told: list[Event]) -> int:
        """Compare and set; who wins tells."""
        before = self._told.get(subject)
        if before == what:
            return 0
        if before is None:
            _, won = Told.objects.get_or_create(subject=subject, defaults={"what": what})
        else:
            won = bool(Told.objects.filter(subject=subject, what=before).update(what=what))
        if not won:
            return 0
        now = clock.now()
        for event in told:
            event.at = now
        return len(Event.objects.bulk_create(told))


def _subject(job: Job) -> str:
    return f"job:{job.pk}"


def _news(job: Job, reached: Progress, before: str | None) -> Iterator[Event]:
    known = Progress(int(before.rstrip("!")), before.endswith("!")) if before else None
    if known is None:
        yield _of(job, Kind.JOB_STARTED, f"{events.titled(job)} has begun.")
    if reached.failed and not (known and known.failed):
        yield _first_error(job)
    if reached.step and reached.step > (known.step if known else 0):
        failed = f", {job.runtime_error:,} failed" if job.runtime_error else ""
        done = f"{job.done:,} of {job.total:,} done{failed}"
        yield _of(job, Kind.JOB_PROGRESS, f"{events.titled(job)}: {done}.")


def _first_error(job: Job) -> Event:
    task = (
        Task.objects.filter(job=job, ended=State.RUNTIME_ERROR).only("id", "url", "error").first()
    )
    what = f": {task.error.replace('_', ' ')}, {task.url[:150]}" if task else ""
    event = _of(job, Kind.JOB_FIRST_ERROR, f"The first error of {events.titled(job)}{what}.")
    if task:
        event.data |= {"task": task.pk, "error": task.error, "url": task.url}
    return event


def _of(job: Job, kind: Kind, text: str) -> Event:
    data = events.summary(job)
    return Event(kind=kind, job_id=job.pk, owner_id=job.owner_id, text=text[:300], data=data)


@transaction.atomic
def tidy() -> int:
    """Remove events that are old, and what was told of jobs that are over; the events' number."""
    ids = Event.objects.filter(at__lt=clock.now() - KEPT).order_by("at").values_list("pk")[:CHUNK]
    number, _ = Event.objects.filter(pk__in=[pk for (pk,) in ids]).delete()
    jobs = Told.objects.filter(subject__startswith="job:").order_by("pk")[:CHUNK]
    numbers = {int(told.subject.removeprefix("job:")): told.pk for told in jobs}
    running = set(Job.objects.running().filter(pk__in=numbers).values_list("pk", flat=True))
    over = [pk for job_id, pk in numbers.items() if job_id not in running]
    Told.objects.filter(pk__in=over).delete()
    return number
