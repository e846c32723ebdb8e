"""Pauses of jobs and of hosts: nothing new of them is leased, what runs goes on.

Those of nodes and of the whole cluster: `hashworld.nodes.pauses`.
"""

from collections.abc import Collection
from typing import Any

from django.db import transaction

from hashworld.nodes import pauses
from hashworld.nodes.errors import InvalidValue
from hashworld.tasks import dispatcher, frontier, intents
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.models import Host, Job, Wanted
from hashworld.transaction import retried


def pause_job(job_id: int, reason: str = "") -> bool:
    """Lease nothing more of a job; False when it was paused already, and the reason is changed.

    Raises InvalidInput when there is no such job, it is about to end, or the reason is too long.
    """
    return _set_job(job_id, paused=True, reason=_checked(reason))


def resume_job(job_id: int) -> bool:
    """Lease a job's tasks again; False when it was not paused. Raises InvalidInput."""
    return _set_job(job_id, paused=False, reason="")


def pause_hosts(host_ids: Collection[int], reason: str = "") -> int:
    """Lease nothing more of these hosts; how many were not paused before.

    Raises InvalidInput when the reason is too long.
    """
    return _set_hosts(host_ids, paused=True, reason=_checked(reason))


def resume_hosts(host_ids: Collection[int]) -> int:
    """Lease tasks of these hosts again; how many were paused."""
    return _set_hosts(host_ids, paused=False, reason="")


def _set_job(job_id: int, *, paused: bool, reason: str) -> bool:
    with transaction.atomic():
        job = intents.locked(job_id)
        if job.wanted in (Wanted.KILL, Wanted.DELETE):
            raise intents.busy(job)
        columns: dict[str, Any] = {"paused": paused, "pause_reason": reason}
        if job.paused != paused:
            columns["parked_to"] = 0
        Job.objects.filter(pk=job_id).update(**columns)
    dispatcher.nudge()
    return job.paused != paused


@retried
def _set_hosts(host_ids: Collection[int], *, paused: bool, reason: str) -> int:
    hosts = Host.objects.select_for_update().filter(pk__in=host_ids).order_by("pk")
    before = dict(hosts.values_list("pk", "paused"))
    Host.objects.filter(pk__in=before).update(paused=paused, pause_reason=reason)
    frontier.derive(before)
    return sum(was != paused for was in before.values())


def _checked(reason: str) -> str:
    try:
        return pauses.check_reason(reason)
    except InvalidValue as error:
        raise InvalidInput(error.field, error.reason) from error
