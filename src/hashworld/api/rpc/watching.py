"""The streams of Tasks: what changes, as it changes.

A stream looks at the database twice a second and holds a thread of the server, so the server
serves a bounded number of them (`hashworld.api.rpc.server`).
"""

from collections.abc import Iterator

from django.db import close_old_connections

from hashworld.api import communicate_pb2 as pb
from hashworld.api.rpc import messages, names
from hashworld.api.rpc.calls import Call
from hashworld.api.rpc.methods import serves
from hashworld.tasks.models import Task
from hashworld.tasks.states import TERMINAL
from hashworld.verbs import events, jobs, tasks
from hashworld.verbs.errors import Invalid, NotFound

#: Seconds between two looks.
LOOK = 0.5
#: Tasks of one stream.
MOST_TASKS = 1000


@serves("Tasks.WatchTasks", tasks.get)
def watch_tasks(call: Call, request: pb.Watch) -> Iterator[pb.Progress]:
    """How some tasks or a job stand, and then every change until all is finished."""
    if bool(request.id) == bool(request.job):
        raise Invalid("id", "name either tasks by id or one job")
    if request.job:
        return _watch_job(call, request.job)
    if len(request.id) > MOST_TASKS:
        raise Invalid("id", f"must be at most {MOST_TASKS:,}; watch the job instead")
    return _watch_tasks(call, list(request.id))


@serves("Tasks.WatchEvents", events.find)
def watch_events(call: Call, request: pb.EventQuery) -> Iterator[pb.Event]:
    """Events after a number, or from now on, until the client leaves."""
    if request.after < 0:
        raise Invalid("after", "must not be negative")
    after = request.after or events.newest(call.user)
    events.check(request.kind)
    for _ in _looks(call):
        found, after = events.find(call.user, after, request.kind, request.job or None)
        yield from map(messages.event, found)


def _watch_job(call: Call, job_id: int) -> Iterator[pb.Progress]:
    told = None
    for _ in _looks(call):
        job = jobs.get(call.user, job_id)
        now = messages.job(job)
        if now != told:
            told = now
            yield pb.Progress(job=now)
        if job.finished_at:
            return


def _watch_tasks(call: Call, ids: list[str]) -> Iterator[pb.Progress]:
    numbers = names.numbers(call.user, ids)
    if unknown := [id_ for id_, number in numbers.items() if number is None]:
        raise NotFound(f"There is no task {unknown[0]}.")
    own = {number: id_ for id_, number in numbers.items() if number is not None}
    # Rights are asked of each once: whose a job is does not change.
    shown = tasks.several(call.user, own)
    told: dict[int, pb.Task] = {}
    for _ in _looks(call):
        fresh = Task.objects.filter(pk__in=shown).order_by("pk")
        for task in fresh:
            task.job = shown[task.pk].job
            now = messages.task(task, own[task.pk])
            if told.get(task.pk) != now:
                told[task.pk] = now
                yield pb.Progress(task=now)
        # What was deleted meanwhile is over as well.
        if all(task.state in TERMINAL for task in fresh):
            return


def _looks(call: Call) -> Iterator[None]:
    """Once now, and again and again while the client is there."""
    while call.goes_on():
        yield
        close_old_connections()
        call.wait(LOOK)
