"""Verbs on everything that matches a filter: asked for at once, carried out in the background.

Each chunk is one transaction with the note of how far it came, so whoever carries on does nothing
twice, and processes that carry out the same at once do no harm to each other. The rights are
those of the person who asked, looked up anew for each chunk.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

import structlog
from django.db.models import F, Max, QuerySet

from hashworld.nodes import clock
from hashworld.tasks import moves, retention
from hashworld.tasks.models import Job
from hashworld.tasks.states import TERMINAL, State
from hashworld.transaction import Overtaken, retried
from hashworld.verbs import audit, paging, rights, selection
from hashworld.verbs.errors import Conflict, Invalid, NotFound, VerbError
from hashworld.verbs.filters import TaskFilter
from hashworld.verbs.models import Operation, OperationState
from hashworld.verbs.paging import Page
from hashworld.verbs.rights import Scope, verb

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = structlog.get_logger(__name__)

CHUNK = 500
#: How long one round takes at most, in seconds; the next begins a second after this one began.
ROUND_SECONDS = 0.8


@dataclass(frozen=True, slots=True)
class Kind:
    """A verb, what it takes, the states that it can be done in, and those meant without a word."""

    permission: str
    act: Callable[[Iterable[int]], int]
    states: frozenset[State]
    usual: frozenset[State]


_LIVING = frozenset(State) - TERMINAL
KINDS = {
    "kill": Kind(rights.KILL, moves.kill, _LIVING, _LIVING),
    "retry": Kind(rights.RETRY, moves.retry, TERMINAL, TERMINAL - {State.SUCCEED}),
    "delete": Kind(rights.DELETE_TASK, retention.delete_tasks, TERMINAL, TERMINAL),
}


@verb(Scope.OPERATE)
def start(user: "User", verb: str, wanted: TaskFilter, reason: str = "") -> Operation:
    """Begin to kill, retry or delete all tasks that match and that this person may act on.

    Without states, a retry is for those that failed or were killed. Jobs that come later are not
    touched. Raises Invalid.
    """
    if verb not in KINDS:
        raise Invalid("verb", f"must be one of {', '.join(KINDS)}")
    kind = KINDS[verb]
    wanted.check()
    jobs = rights.actable(user, kind.permission)
    states = frozenset(wanted.states or kind.usual)
    if not states <= kind.states:
        names = ", ".join(sorted(State(state).label for state in states - kind.states))
        raise Invalid("states", f"{verb} cannot be done to tasks that are: {names}")
    wanted = replace(wanted, states=tuple(sorted(states)))
    totals = wanted.narrow_jobs(jobs).order_by()
    made = Operation.objects.create(
        owner=user,
        verb=verb,
        wanted=wanted.as_json(),
        reason=reason[:300],
        newest_job=Job.objects.aggregate(newest=Max("pk"))["newest"] or 0,
        total=sum(sum(job.counts()[state] for state in states) for job in totals.iterator()),
        created_at=clock.now(),
    )
    audit.note(user, f"{verb} all", f"operation {made.pk}", number=made.total, reason=reason)
    return made


@verb(Scope.READ)
def find(user: "User", cursor: str | None = None, limit: int = paging.USUAL) -> Page[Operation]:
    """A person's operations, or everybody's for whoever sees all jobs, the newest first."""
    paging.check_limit(limit)
    place = paging.numbers(cursor, 1)
    rows = _visible(user).select_related("owner")
    found = list((rows.filter(pk__lt=place[0]) if place else rows)[: limit + 1])
    return Page(found[:limit], paging.encode(found[limit - 1].pk) if len(found) > limit else None)


@verb(Scope.READ)
def get(user: "User", operation_id: int) -> Operation:
    """One operation and how far it is; raises NotFound."""
    found = _visible(user).select_related("owner").filter(pk=operation_id).first()
    if found is None:
        raise NotFound(f"There is no operation {operation_id}.")
    return found


@verb(Scope.OPERATE)
def cancel(user: "User", operation_id: int, reason: str = "") -> Operation:
    """End it where it is; what is done stays done. Raises Conflict when it has ended."""
    found = get(user, operation_id)
    if found.owner_id != user.pk:
        rights.require(user, KINDS[found.verb].permission, "cancel the operations of others")
    if not _end(found, OperationState.CANCELLED):
        raise Conflict(f"Operation {operation_id} has ended.")
    audit.note(user, "cancel operation", f"operation {found.pk}", reason=reason)
    return get(user, operation_id)


def carry_out_all(seconds: float = ROUND_SECONDS) -> int:
    """Carry on with every operation, in turns; the number of chunks."""
    deadline, chunks = monotonic() + seconds, 0
    running = Operation.objects.filter(state=OperationState.RUNNING)
    left = list(running.order_by("pk").values_list("pk", flat=True)[:100])
    while left:
        for operation_id in list(left):
            chunks += 1
            if not _step(operation_id):
                left.remove(operation_id)
            if monotonic() > deadline:
                return chunks
    return chunks


def _step(operation_id: int) -> bool:
    """Do the next chunk; whether there may be more."""
    operation = Operation.objects.select_related("owner").filter(pk=operation_id).first()
    if operation is None or operation.state != OperationState.RUNNING:
        return False
    try:
        return _chunk(operation)
    except VerbError as error:
        _end(operation, OperationState.FAILED, failure=str(error)[:300])
    except Overtaken as error:
        log.info("left to whoever was quicker", operation=operation_id, reason=str(error))
    return False


@retried
def _chunk(operation: Operation) -> bool:
    """One chunk and the note of it, in one transaction."""
    kind, wanted = KINDS[operation.verb], TaskFilter.from_json(operation.wanted)
    jobs = rights.actable(operation.owner, kind.permission).filter(pk__lte=operation.newest_job)
    begin = None if operation.job is None else (operation.job, operation.task)
    found, place = selection.read(wanted.narrow_jobs(jobs), wanted, begin, CHUNK)
    done = kind.act([task.pk for task in found])
    job, task = place or (0, 0)
    same = {"state": OperationState.RUNNING, "job": operation.job, "task": operation.task}
    noted = Operation.objects.filter(pk=operation.pk, **same).update(
        job=job, task=task, matched=F("matched") + len(found), done=F("done") + done
    )
    if not noted:
        raise Overtaken(f"operation {operation.pk} is carried out by another")
    if place is None:
        _end(operation, OperationState.DONE)
    return place is not None


def _end(operation: Operation, state: OperationState, **columns: str) -> int:
    running = Operation.objects.filter(pk=operation.pk, state=OperationState.RUNNING)
    return running.update(state=state, finished_at=clock.now(), **columns)


def _visible(user: "User") -> QuerySet[Operation]:
    rights.require(user, rights.VIEW_JOB, "see operations")
    rows = Operation.objects.order_by("-id")
    return rows if rights.sees_all(user) else rows.filter(owner=user)
