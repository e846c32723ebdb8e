"""Telling what happens: typed events, each a row written in the transaction that it tells of.

The hot path pays for none that nobody asked for: the end of single tasks is told only of jobs that
somebody listens to (`listeners`), one row for each job and flush. Whatever can be seen by looking
(nodes, leadership, progress) is told by one who looks, `hashworld.tasks.watch`.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from time import monotonic
from typing import Any, NamedTuple, Protocol

from django.db import transaction

from hashworld.nodes import clock
from hashworld.tasks.models import COUNTERS, Event, Job, Told
from hashworld.tasks.states import TERMINAL, State


class Kind(StrEnum):
    """What an event tells. Those of nodes are "node." and their standing."""

    NODE_JOINING = "node.joining"
    NODE_ALIVE = "node.alive"
    NODE_DRAINING = "node.draining"
    NODE_SUSPECTED = "node.suspected"
    NODE_DEAD = "node.dead"
    NODE_LEFT = "node.left"
    MASTER_NEW = "master.new"
    SCHEDULE_SKIPPED = "schedule.skipped"
    QUOTA_HIT = "quota.hit"
    JOB_STARTED = "job.started"
    JOB_PROGRESS = "job.progress"
    JOB_FIRST_ERROR = "job.first_error"
    JOB_FINISHED = "job.finished"
    TASK_FINISHED = "task.finished"
    WEBHOOK_DISABLED = "webhook.disabled"


class Listeners(NamedTuple):
    """Who wants to hear of single tasks: jobs, and owners of jobs, by id."""

    jobs: frozenset[int] = frozenset()
    owners: frozenset[int] = frozenset()


class Ended(Protocol):
    """A task that a move took."""

    @property
    def id(self) -> int: ...
    @property
    def job_id(self) -> int: ...


#: Seconds for which what `listeners` answered is believed.
BELIEVED = 1.0
#: Ids of tasks in one event.
MOST_IDS = 1000
#: The jobs whose owners are remembered.
KEPT_OWNERS = 4096

_ask: Callable[[], Listeners] = Listeners
_heard: tuple[float, Listeners] | None = None
_owners: dict[int, int | None] = {}


def listen_by(ask: Callable[[], Listeners]) -> None:
    """Let `ask` say, about once a second, who wants to hear of single tasks."""
    global _ask, _heard
    _ask, _heard = ask, None


def listeners() -> Listeners:
    """Who wants to hear of single tasks."""
    global _heard
    if _heard is None or monotonic() - _heard[0] > BELIEVED:
        _heard = (monotonic(), _ask())
    return _heard[1]


def tell(
    kind: Kind,
    text: str,
    *,
    job: Job | None = None,
    owner_id: int | None = None,
    node: str = "",
    **data: Any,
) -> Event:
    """Write one event; in a transaction, it is told if that commits."""
    return Event.objects.create(
        kind=kind,
        at=clock.now(),
        job_id=job.pk if job else None,
        owner_id=job.owner_id if job else owner_id,
        node=node,
        text=text[:300],
        data=data,
    )


def jobs_finished(job_ids: Iterable[int], now: datetime) -> None:
    """Tell of those of the jobs that were marked finished at this moment."""
    ended = Job.objects.filter(pk__in=list(job_ids), finished_at=now)
    Event.objects.bulk_create(_finished(job, now) for job in ended.defer("body", "headers"))


@transaction.atomic
def quota_hit(owner_id: int, name: str, reason: str) -> bool:
    """Tell that a person has reached a quota, once an hour; whether it was told now."""
    subject, hour = f"quota:{owner_id}", f"{clock.now():%Y-%m-%d %H}"
    if not Told.objects.filter(subject=subject).exclude(what=hour).update(what=hour):
        _, first = Told.objects.get_or_create(subject=subject, defaults={"what": hour})
        if not first:
            return False
    text = f"{name} has reached a quota: {reason}"
    tell(Kind.QUOTA_HIT, text, owner_id=owner_id, person=name, reason=reason)
    return True


def tasks_ended(target: State, moved: Sequence[Ended], now: datetime) -> None:
    """Tell of tasks that came to their end, where somebody listens; one statement at most."""
    if target not in TERMINAL:
        return
    heard = listeners()
    if heard == Listeners():
        return
    by_job: dict[int, list[int]] = defaultdict(list)
    for task in moved:
        by_job[task.job_id].append(task.id)
    wanted = owners(by_job)
    Event.objects.bulk_create(
        Event(
            kind=Kind.TASK_FINISHED,
            at=now,
            job_id=job_id,
            owner_id=owner_id,
            data={"ended": target.name, "tasks": ids},
        )
        for job_id, owner_id in wanted.items()
        if job_id in heard.jobs or owner_id in heard.owners
        for ids in _parts(by_job[job_id])
    )


def owners(job_ids: Collection[int]) -> dict[int, int | None]:
    """Whose jobs they are; that never changes but when the person is deleted, so it is kept."""
    kept = _owners.copy()  # other threads may clear it
    found = {id_: kept[id_] for id_ in job_ids if id_ in kept}
    if missing := [id_ for id_ in job_ids if id_ not in found]:
        fresh = dict(Job.objects.filter(pk__in=missing).values_list("id", "owner_id"))
        if len(_owners) + len(fresh) > KEPT_OWNERS:
            _owners.clear()
        _owners.update(fresh)
        found |= fresh
    return {id_: found.get(id_) for id_ in job_ids}


def forget_owners() -> None:
    """Keep none, as after a restart."""
    _owners.clear()


def summary(job: Job) -> dict[str, Any]:
    """What programs are told of a job."""
    return {
        "job": job.pk,
        "name": job.name,
        "total": job.total,
        **{COUNTERS[state]: getattr(job, COUNTERS[state]) for state in State},
    }


def _finished(job: Job, now: datetime) -> Event:
    ends = ((job.succeed, "succeeded"), (job.runtime_error, "failed"), (job.killed, "killed"))
    told = ", ".join(f"{number:,} {word}" for number, word in ends if number) or "it was empty"
    return Event(
        kind=Kind.JOB_FINISHED,
        at=now,
        job_id=job.pk,
        owner_id=job.owner_id,
        text=f"{titled(job)} is finished: {told}."[:300],
        data=summary(job) | {"created_at": job.created_at.isoformat()},
    )


def titled(job: Job) -> str:
    """A job as people are told of it."""
    return f"Job {job.pk} ({job.name[:120]})" if job.name else f"Job {job.pk}"


def _parts(ids: Sequence[int]) -> Iterable[Collection[int]]:
    return (ids[start : start + MOST_IDS] for start in range(0, len(ids), MOST_IDS))
