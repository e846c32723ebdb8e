"""Ids as clients give them: a task's number, or the client's own id of a task that it created."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from hashworld.api.rpc.models import TaskName
from hashworld.tasks.models import Task
from hashworld.tasks.spec import JobSpec
from hashworld.verbs import jobs
from hashworld.verbs.errors import Conflict, Invalid

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LONGEST = 200
#: More digits than a number of a task can have.
_DIGITS = 19
#: How often a name is looked up anew when others create and delete under it.
_ROUNDS = 5


def numbers(user: "User", ids: Sequence[str]) -> dict[str, int | None]:
    """The task's number of each id; None for what cannot be one. Own ids go before numbers."""
    digests = {_digest(id_): id_ for id_ in ids}
    named = TaskName.objects.filter(owner=user, digest__in=digests, task_id__isnull=False)
    own = {digests[d]: number for d, number in named.values_list("digest", "task_id")}
    return {id_: own.get(id_) or _number(id_) for id_ in ids}


def own_ids(user: "User", task_ids: Sequence[int]) -> dict[int, str]:
    """The ids that this person's clients gave to some of these tasks."""
    named = TaskName.objects.filter(owner=user, task_id__in=task_ids)
    return {number: name for number, name in named.values_list("task_id", "name") if number}


def create(user: "User", name: str, target: str, spec: JobSpec) -> int:
    """Submit one task under the client's own id, once; its number. `target` is canonical.

    A repeat answers the task of then. Raises Conflict when that one has another target.
    """
    if len(name) > LONGEST or not name.isprintable():
        raise Invalid("id", f"must have at most {LONGEST} printable characters")
    for _ in range(_ROUNDS):
        row = _claimed(user, name)
        if row.task_id is None:
            # The row's number is the key: a repeat after a crash finds the job of then.
            made = jobs.submit(user, [target], spec_under(spec, f"task name {row.pk}")).job
            first = Task.objects.filter(job=made).order_by("pk").first()
            if first is None:
                TaskName.objects.filter(pk=row.pk).delete()
                continue
            TaskName.objects.filter(pk=row.pk).update(task_id=first.pk)
            row.task_id = first.pk
        found = Task.objects.filter(pk=row.task_id).first()
        if found is None:
            TaskName.objects.filter(pk=row.pk).delete()
            continue
        if found.url != target:
            raise Conflict(f"The id {name!r} is taken: it is your task of {found.url}.")
        return found.pk
    raise Conflict(f"The id {name!r} changes hands at this moment; try again.")


def forget(user: "User", ids: Sequence[str]) -> None:
    """Let own ids be free again: their tasks are gone."""
    TaskName.objects.filter(owner=user, digest__in=[_digest(id_) for id_ in ids]).delete()


def spec_under(spec: JobSpec, key: str) -> JobSpec:
    """The same options with an idempotency key."""
    return replace(spec, idempotency_key=key)


def _claimed(user: "User", name: str) -> TaskName:
    key = {"owner": user, "digest": _digest(name)}
    try:
        with transaction.atomic():
            return TaskName.objects.get_or_create(**key, defaults={"name": name})[0]
    except IntegrityError:
        return TaskName.objects.get(**key)


def _number(id_: str) -> int | None:
    short = id_.isascii() and id_.isdecimal() and len(id_) < _DIGITS
    return int(id_) if short else None


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
