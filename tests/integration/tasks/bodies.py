"""Bodies that are fetched, kept and named as a node's writer does it, all in one thread."""

import hashlib
from typing import Any

from hashworld.tasks import content
from hashworld.tasks.attempts import Ended
from hashworld.tasks.content import Store
from hashworld.tasks.holdings import Holdings
from hashworld.tasks.models import Job, Task
from hashworld.tasks.writer import Writer
from tests.integration.tasks import world


def writer(task: Task, store: Store) -> Writer:
    """The writer of the node that has this task."""
    assert task.lease is not None
    return Writer(
        task.lease.node,
        Holdings(15),
        store,
        freed=lambda: None,
        failed=lambda: None,
    )


def ended(task: Task, body: bytes) -> Ended:
    return world.end(
        task,
        sha256=hashlib.sha256(body).hexdigest(),
        size=len(body),
        compressed=content.compress(body),
        received=len(body),
    )


def hand_in(*found: bytes, **options: Any) -> tuple[Job, list[Ended]]:
    """A job with a running task for each body, and how these tasks end."""
    job = world.hand_in(*world.pages(len(found)), **options)
    world.run()
    return job, [ended(task, body) for task, body in zip(world.tasks(job), found, strict=True)]


def fetch(store: str, *found: bytes, **options: Any) -> Job:
    """A finished job with a task for each body, kept in "packs" or "database"."""
    job, ends = hand_in(*found, **options)
    kept = content.store_for(store, "one")
    desk = writer(world.tasks(job)[0], kept)
    desk.put(ends)
    desk.run_once()
    kept.close()
    job.refresh_from_db()
    assert job.finished_at is not None
    return job
