"""Loading started tasks as the engine takes them."""

from collections.abc import Callable, Collection, Container, Sequence
from typing import Any, NamedTuple, TypeVar

import structlog
from django.conf import settings

from hashworld.fetcher.engine import Request
from hashworld.fetcher.errors import ErrorKind
from hashworld.fetcher.limits import FetchLimits, HostLimits
from hashworld.tasks import rows, writer
from hashworld.tasks.accounts import Moved
from hashworld.tasks.attempts import Ended
from hashworld.tasks.errors import TaskError
from hashworld.tasks.finishing import DETAIL, Running
from hashworld.tasks.lanes import lane_of
from hashworld.tasks.models import Host, Job, Lease
from hashworld.tasks.moves import Started
from hashworld.tasks.retry import RetryPolicy
from hashworld.tasks.spec import fetch_limits
from hashworld.tasks.states import Verb

log = structlog.get_logger(__name__)

A = TypeVar("A")
T = TypeVar("T")

#: The jobs whose options a node remembers.
KEPT = 1024


class Options:
    """A job's options in the engine's terms. They never change, so they are kept."""

    def __init__(self, job: Job) -> None:
        self.method = job.method
        self.headers: tuple[tuple[str, str], ...] = tuple(job.headers.items())
        self.body = bytes(job.body) if job.body is not None else None
        self.limits: FetchLimits = fetch_limits(job.limits)
        self.verify_tls = job.verify_tls
        self.lane = lane_of(job.priority, job.owner_id)
        self.policy = RetryPolicy(job.max_attempts, job.retry_base, job.retry_cap)


class Target(NamedTuple):
    """A host as it is told to the engine."""

    name: str
    limits: HostLimits


_kept: dict[int, Options | str] = {}


def options(job_ids: Collection[int]) -> dict[int, Options | str]:
    """The options of jobs, or what is wrong with them; what is not kept is loaded in one query."""
    found = {id_: kept for id_ in job_ids if (kept := _kept.get(id_)) is not None}
    if missing := [id_ for id_ in job_ids if id_ not in found]:
        fresh = {job.pk: _made(Options, job) for job in Job.objects.filter(pk__in=missing)}
        # All at once and not one by one: what is in use is back with the next lease.
        if len(_kept) + len(fresh) > KEPT:
            _kept.clear()
        _kept.update(fresh)
        found |= fresh
    return found


def forget() -> None:
    """Keep no options, as after a restart."""
    _kept.clear()


def load(lease_id: int, tasks: Sequence[Started]) -> list[tuple[Running, Request]]:
    """The started tasks of a lease with their requests, in the same order.

    Those whose request cannot be made end here, on record, and are left out.
    """
    hosts, jobs = _targets({task.host_id for task in tasks}), options({t.job_id for t in tasks})
    ports = frozenset(settings.ENV.fetch_ports)
    loaded: list[tuple[Running, Request]] = []
    refused: list[tuple[Moved, str]] = []
    for task in tasks:
        held = _held(task, lease_id)
        try:
            job, host = _good(jobs[task.job_id]), _good(hosts[task.host_id])
            request = _request(task, job, host, ports)
        except Exception as error:  # whatever it is, the whole lease would come back for it
            refused.append((held, _told(error)))
        else:
            loaded.append((Running(held, task.failures, job.policy), request))
    if refused:
        _refuse(lease_id, refused)
    return loaded


def _targets(host_ids: Collection[int]) -> dict[int, Target | str]:
    columns = ("id", "name", "max_connections", "min_interval")
    found = rows.select(columns, Host, "id", host_ids)
    return {id_: _made(_target, row) for id_, *row in found}


def _target(row: Sequence[Any]) -> Target:
    name, max_connections, min_interval = row
    return Target(name, HostLimits(max_connections, min_interval))


def _request(task: Started, job: Options, host: Target, ports: Container[int]) -> Request:
    return Request(
        key=task.id,
        url=task.url,
        host=host.name,
        host_limits=host.limits,
        limits=job.limits,
        method=job.method,
        headers=job.headers,
        body=job.body,
        verify_tls=job.verify_tls,
        ports=ports,
        lane=job.lane,
    )


def _held(task: Started, lease_id: int) -> Moved:
    return Moved(
        task.id,
        task.job_id,
        task.host_id,
        lease_id,
        task.state,
        task.attempts,
        task.losses,
    )


def _made(make: Callable[[A], T], of: A) -> T | str:
    """What is made, or why it cannot be: only the tasks that need it shall suffer from that."""
    try:
        return make(of)
    except Exception as error:
        return _told(error)


def _good(made: T | str) -> T:
    if isinstance(made, str):
        raise ValueError(made)
    return made


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError | TaskError) else repr(error)


def _refuse(lease_id: int, refused: Sequence[tuple[Moved, str]]) -> None:
    """End tasks whose request cannot be made, as the error of ours that it is."""
    node_id = Lease.objects.values_list("node_id", flat=True).get(pk=lease_id)
    log.error(
        "requests cannot be made", tasks=len(refused), lease=lease_id, first=repr(refused[0][1])
    )
    writer.record([_ended(task, node_id, reason) for task, reason in refused], [], node_id)


def _ended(task: Moved, node_id: int, reason: str) -> Ended:
    return Ended(
        task=task,
        node_id=node_id,
        verb=Verb.FAIL,
        seconds=0.0,
        error=str(ErrorKind.INTERNAL),
        detail=f"Its request cannot be made: {reason}"[:DETAIL],
    )
