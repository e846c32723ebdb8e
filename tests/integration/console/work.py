"""Work as the cluster leaves it, made by hand."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager

from django.test import Client
from django.utils import timezone

from hashworld.nodes.models import Node
from hashworld.tasks import content
from hashworld.tasks.content.place import Body
from hashworld.tasks.models import Attempt, Content, Job, Lease, Task
from hashworld.tasks.states import State

EVIL = "<script>alert('hashworld')</script>"
HIDDEN = "pay\u202efdp.exe"

As = Callable[[str], Client]
Made = Callable[..., Task]
MaxQueries = Callable[[int], AbstractContextManager[object]]


def keep(body: bytes) -> Content:
    """A body in the database."""
    digest = hashlib.sha256(body).hexdigest()
    store = content.store_for("database", "berlin-1")
    places = store.keep([Body(digest, len(body), content.compress(body))])
    content.register(places, timezone.now())
    return Content.objects.get(sha256=digest)


def end(task: Task, state: State, **columns: object) -> None:
    """Bring a waiting task to its end as the cluster would; rows only, no moves."""
    for name, value in columns.items():
        setattr(task, name, value)
    task.state = task.ended = state
    task.due_at, task.finished_at, task.attempts = None, timezone.now(), 1
    task.save()
    column = state.name.lower()
    job = task.job
    Job.objects.filter(pk=job.pk).update(
        **{"waiting": job.waiting - 1, column: getattr(job, column) + 1},
        finished_at=timezone.now() if job.waiting == 1 else None,
    )


def record(task: Task, node: Node, **columns: object) -> Attempt:
    """A try of a task."""
    now = timezone.now()
    lease = Lease.objects.create(
        node=node, incarnation="1", size=1, left=0, created_at=now, expires_at=now
    )
    defaults = {"number": 1, "started_at": now, "finished_at": now, "total_ms": 100.0}
    return Attempt.objects.create(task=task, node=node, lease=lease, **{**defaults, **columns})
