"""Who may do what. Every door asks here, and nobody else decides.

A person's rights are Django's permissions, which come with the groups of `init.json`. Whoever may
hand in jobs may do anything to their own; to see the jobs of others takes `tasks.view_any_job`,
and to act on them the permission of the verb besides. A token narrows its owner's rights to its
scopes: each verb names the one that it needs.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from hashworld.recurring.models import Recurring, RecurringQuerySet
from hashworld.tasks.models import Job, JobQuerySet
from hashworld.verbs.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from django.contrib.auth.models import User

F = TypeVar("F", bound=Callable[..., Any])

ANY_JOB = "tasks.view_any_job"
VIEW_JOB = "tasks.view_job"
VIEW_TASK = "tasks.view_task"
VIEW_BODY = "tasks.view_content"
ADD_JOB = "tasks.add_job"
KILL = "tasks.kill_task"
RETRY = "tasks.retry_task"
DELETE_TASK = "tasks.delete_task"
DELETE_JOB = "tasks.delete_job"
PAUSE_JOB = "tasks.pause_job"
VIEW_HOST = "tasks.view_host"
CHANGE_HOST = "tasks.change_host"
VIEW_NODE = "nodes.view_node"
CONTROL_NODE = "nodes.control_node"
PAUSE_CLUSTER = "nodes.pause_cluster"
VIEW_SCHEDULE = "recurring.view_recurring"
ADD_SCHEDULE = "recurring.add_recurring"
CHANGE_SCHEDULE = "recurring.change_recurring"
DELETE_SCHEDULE = "recurring.delete_recurring"


class Scope(StrEnum):
    """What a token may be used for; none includes another."""

    READ = "read"
    SUBMIT = "submit"
    OPERATE = "operate"
    ADMIN = "admin"


_scopes: dict[Callable[..., Any], Scope] = {}


def verb(scope: Scope) -> Callable[[F], F]:
    """Mark a function as a verb, which a token with this scope may be used for."""

    def mark(function: F) -> F:
        _scopes[function] = scope
        return function

    return mark


def scope_of(function: Callable[..., Any]) -> Scope:
    """The scope that a verb needs; a KeyError for what is no verb, so that no door opens it."""
    return _scopes[function]


def is_verb(function: Callable[..., Any]) -> bool:
    """Whether this is a verb."""
    return function in _scopes


def may(user: "User", permission: str) -> bool:
    """Whether a person has a permission."""
    return bool(user.is_active and user.has_perm(permission))


def require(user: "User", permission: str, doing: str) -> None:
    """Raise Forbidden unless a person has a permission; `doing` says for what, in words."""
    if not may(user, permission):
        raise Forbidden(f"You may not {doing}: it needs the permission {permission}.")


def jobs(user: "User") -> JobQuerySet:
    """The jobs that a person may see: their own, or all of them."""
    require(user, VIEW_JOB, "see jobs")
    found: JobQuerySet = Job.objects.defer("body")
    return found if may(user, ANY_JOB) else found.filter(owner_id=user.pk)


def job(user: "User", job_id: int) -> Job:
    """A job that a person may see; raises NotFound."""
    found = jobs(user).filter(pk=job_id).first()
    if found is None:
        raise NotFound(f"There is no job {job_id}.")
    return found


def acts_on(user: "User", found: Job, permission: str) -> bool:
    """Whether a person may act on a job: on their own, or on others' with the permission."""
    if found.owner_id == user.pk and may(user, ADD_JOB):
        return True
    return may(user, ANY_JOB) and may(user, permission)


def require_on(user: "User", found: Job, permission: str, doing: str) -> None:
    """Raise Forbidden unless a person may act on a job."""
    if not acts_on(user, found, permission):
        raise Forbidden(f"You may not {doing} {found}: it needs the permission {permission}.")


def actable(user: "User", permission: str) -> JobQuerySet:
    """The jobs that a person may act on with this permission."""
    if may(user, ANY_JOB) and may(user, permission):
        return Job.objects.defer("body")
    require(user, ADD_JOB, "act on jobs")
    return jobs(user).filter(owner_id=user.pk)


def schedules(user: "User") -> RecurringQuerySet:
    """The recurring jobs that a person may see: their own, or all of them."""
    require(user, VIEW_SCHEDULE, "see schedules")
    found: RecurringQuerySet = Recurring.objects.light()
    return found if may(user, ANY_JOB) else found.filter(owner_id=user.pk)


def schedule(user: "User", schedule_id: int) -> Recurring:
    """A recurring job that a person may see; raises NotFound."""
    found = schedules(user).filter(pk=schedule_id).first()
    if found is None:
        raise NotFound(f"There is no schedule {schedule_id}.")
    return found


def acts_on_schedule(user: "User", found: Recurring, permission: str) -> bool:
    """Whether a person may act on a recurring job: their own, or others' with the permission."""
    if found.owner_id == user.pk and may(user, ADD_SCHEDULE):
        return True
    return may(user, ANY_JOB) and may(user, permission)
