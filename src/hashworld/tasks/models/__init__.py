"""What is kept of jobs and tasks.

Index design, for 100 million tasks: a task is found by its id, in its job, in its host's lane by
due time while it waits (`due_at` is null in every other state, and `lane` while its job is paused
too), under its lease, by the state in which it ended from the newest job down, and by its URL's
hash. An index over every state would be written four times for each task and not once. Rows of
tasks and attempts are written in sets by plain SQL, without foreign-key checks: each would lock the
parent row at every insert.
"""

from hashworld.tasks.models.attempts import Attempt, Kill
from hashworld.tasks.models.columns import reference
from hashworld.tasks.models.contents import Blob, Content, Pack
from hashworld.tasks.models.counts import Counts, Hour, Minute
from hashworld.tasks.models.events import EVENT_PATIENCE, Event, Told
from hashworld.tasks.models.hosts import Host, HostQueue, Lane, ahead
from hashworld.tasks.models.jobs import (
    COUNTERS,
    Duplicates,
    Job,
    JobQuerySet,
    JobTag,
    Priority,
    Wanted,
)
from hashworld.tasks.models.leases import Lease
from hashworld.tasks.models.quotas import Quota, Usage
from hashworld.tasks.models.tasks import Task, TaskQuerySet

__all__ = [
    "COUNTERS",
    "EVENT_PATIENCE",
    "Attempt",
    "Blob",
    "Content",
    "Counts",
    "Duplicates",
    "Event",
    "Host",
    "HostQueue",
    "Hour",
    "Job",
    "JobQuerySet",
    "JobTag",
    "Kill",
    "Lane",
    "Lease",
    "Minute",
    "Pack",
    "Priority",
    "Quota",
    "Task",
    "TaskQuerySet",
    "Told",
    "Usage",
    "Wanted",
    "ahead",
    "reference",
]
